"""What stands before every request: how many at once, how large, how long; and after it: headers and metrics.

A plain ASGI middleware. Requests that are worked on or wait are counted; those beyond ``threads + queue`` get 429 at
once, so that memory and waiting stay bounded whatever comes in. ``/health``, ``/metrics`` and ``/static`` are free.
"""

import asyncio
import time
from typing import Any

from fastapi import HTTPException, Request
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from scripts.serve import errors
from scripts.serve.csrf import SAFE
from scripts.serve.rates import Rates
from scripts.serve.site import Site

MAX_BODY = 1 << 20  # bytes; a page with uploads has its own, ``MAX_BODY`` of its module
MAX_ADDRESS = 4096  # bytes of path and query
BODY_SECONDS = 10.0  # until the next piece of a body
FREE = ("/health", "/metrics", "/static/")
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "font-src 'self'; media-src 'self' blob:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}


class Guard:
    """The middleware.

    Args:
        app: What it stands before.
        site: The site.
    """

    def __init__(self, app: ASGIApp, site: Site) -> None:
        self.app, self.site = app, site
        self.most = site.options.threads + site.options.queue
        self.max_body: int = getattr(site.page.module, "MAX_BODY", MAX_BODY)
        self.rates = Rates(site.options.writes_per_minute)
        self.busy = 0
        self.left_alone: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        begun = time.perf_counter()
        sent: dict[str, Any] = {"status": 0, "open": True}

        async def tell(message: Message) -> None:
            if not sent["open"]:
                return  # the client has its 503
            if message["type"] == "http.response.start":
                sent["status"] = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                if not scope["path"].startswith("/static/"):
                    headers.setdefault("cache-control", "no-store")
                self.count(scope, message["status"], time.perf_counter() - begun)
            await send(message)

        if refusal := self.refuses(scope):
            await self.respond(scope, receive, tell, *refusal)
        elif scope["path"].startswith(FREE):
            await self.app(scope, receive, tell)
        else:
            await self.work(scope, self.bounded(receive), tell, sent)

    async def work(self, scope: Scope, receive: Receive, tell: Send, sent: dict[str, Any]) -> None:
        """Lets the application respond; 503 where nothing was begun in time. What still runs keeps its place."""
        self.busy += 1
        self.site.metrics.in_progress.set(self.busy)
        task = asyncio.ensure_future(self.app(scope, receive, tell))
        task.add_done_callback(self.ended)
        try:
            done, _ = await asyncio.wait({task}, timeout=self.site.options.timeout)
            while not done and sent["status"]:  # a response that is streamed
                done, _ = await asyncio.wait({task}, timeout=self.site.options.timeout)
        except asyncio.CancelledError:
            task.cancel()
            raise
        if done:
            await task
            return
        await self.respond(scope, receive, tell, 503, "", {})
        sent["open"] = False
        self.left_alone.add(task)

    def ended(self, task: "asyncio.Task[None]") -> None:
        """A place is free again."""
        self.busy -= 1
        self.site.metrics.in_progress.set(self.busy)
        if task in self.left_alone:
            self.left_alone.discard(task)
            if not task.cancelled() and task.exception():
                errors.LOG.error("after its 503: %r", task.exception())

    def refuses(self, scope: Scope) -> tuple[int, str, dict[str, str]] | None:
        """Status, sentence and headers where a request is refused before it is read."""
        headers = {name: value for name, value in scope["headers"] if name in (b"content-length",)}
        if len(scope["raw_path"] or b"") + len(scope["query_string"]) > MAX_ADDRESS:
            return 414, f"the address has more than {MAX_ADDRESS} bytes", {}
        length = headers.get(b"content-length", b"0")
        if not length.isdigit():
            return 400, "content-length is not a number", {}
        if int(length) > self.max_body:
            return 413, f"at most {self.max_body:,} bytes may be sent", {"connection": "close"}
        if scope["path"].startswith(FREE):
            return None
        if scope["method"] not in SAFE and not self.rates.take((scope.get("client") or ("",))[0]):
            return 429, "too many changes from this address: try again in a moment", {"retry-after": "5"}
        if self.busy >= self.most:
            return 429, "", {"retry-after": "1"}
        return None

    def bounded(self, receive: Receive) -> Receive:
        """``receive`` that ends a body which is too large (413) or comes too slowly (408)."""
        size, whole = 0, False

        async def checked() -> Message:
            nonlocal size, whole
            if whole:
                return await receive()
            try:
                message = await asyncio.wait_for(receive(), BODY_SECONDS)
            except TimeoutError:
                raise HTTPException(408, "the request did not arrive in time") from None
            size += len(message.get("body", b""))
            whole = not message.get("more_body", False)
            if size > self.max_body:
                raise HTTPException(413, f"at most {self.max_body:,} bytes may be sent")
            return message

        return checked

    async def respond(
        self, scope: Scope, receive: Receive, send: Send, status: int, message: str, headers: dict[str, str]
    ) -> None:
        """An error of the guard's own."""
        request = Request({**scope, "state": {}})
        await errors.response(self.site, request, status, message, headers)(scope, receive, send)

    def count(self, scope: Scope, status: int, seconds: float) -> None:
        """Adds a request to the metrics, by its route's pattern: addresses of all kinds would never end."""
        pattern = getattr(scope.get("route"), "path", "/static" if scope["path"].startswith("/static/") else "other")
        method = scope["method"] if scope["method"] in METHODS else "other"
        self.site.metrics.requests.labels(method, pattern, str(status)).inc()
        self.site.metrics.seconds.labels(pattern).observe(seconds)
