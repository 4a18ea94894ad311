"""uvicorn on a socket of our own: a port in use is one line, and SIGTERM ends after the requests in progress."""

import argparse
import errno
import socket
import sys

import uvicorn

from common.messages import UserError
from scripts.serve.app import create_app
from scripts.serve.models import Loaded, Models
from scripts.serve.pages import Page
from scripts.serve.site import Site

GRACE = 15  # seconds for requests in progress when the server is stopped
IDLE = 10  # seconds that a connection without a request stays open


def serve(page: Page, loaded: Loaded, options: argparse.Namespace) -> int:
    """Serves a run until a signal comes; returns the exit code.

    Raises:
        UserError: The port is in use, or something of the page is wrong.
    """
    import torch

    site = Site(page, Models(loaded, page.refuse, lambda run: page.call("prepare", run)), options)
    instead = page.call("instead", site)
    if instead is not None:
        return int(instead)
    app = create_app(site)
    listening = bind(options.host, options.port)
    torch.set_num_threads(max(1, torch.get_num_threads() // options.threads))  # of each of our threads
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        timeout_keep_alive=IDLE,
        timeout_graceful_shutdown=GRACE,
        limit_concurrency=8 * (options.threads + options.queue),  # connections; the guard counts requests
        server_header=False,
        ws="none",
    )
    host, port = listening.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    print(f"{page.title} on http://{shown}:{port} with {loaded.run}; Ctrl-C ends", flush=True)
    with listening:
        uvicorn.Server(config).run(sockets=[listening])
    return 0


def bind(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Raises:
        UserError: The port is in use or not allowed, or the address is not of this machine.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        # without the protocol asyncio leaves Nagle's algorithm on, and each response waits for an acknowledgment: 40 ms
        listening = socket.socket(found[0], socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, sys.platform != "win32")
        listening.bind(found[4])
        listening.listen(512)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise UserError(f"port {port} is in use: give another one, --port {port + 1}, or --port 0") from None
        raise UserError(f"cannot listen on {host}:{port} ({error.strerror or error}): see --host and --port") from None
    return listening
