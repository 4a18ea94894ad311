"""A site on a port of this process, for a browser, and the browser; skipped where there is none."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import uvicorn

from scripts.evidence.screenshots import chromium
from scripts.serve.server import bind

needs_chromium = pytest.mark.skipif(not chromium(), reason="no Chromium at /usr/bin/chromium or DIVE_CHROMIUM")


@contextmanager
def live(app: Any) -> Iterator[str]:
    """Serves an application in a thread; gives its address."""
    listening = bind("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", access_log=False, ws="none"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)  # looks again
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
    finally:
        server.should_exit = True
        thread.join()
        listening.close()


def faults_of(page: Any) -> list[str]:
    """Collects what a browser complains about: errors of scripts, of the policy, of requests.

    A request that the browser itself drops, because the page was left before it ended (a favicon comes late on a busy
    machine), is no error of the site.
    """
    faults: list[str] = []
    page.on("console", lambda message: faults.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("requestfailed", lambda request: faults.extend(failed(request.url, request.failure)))
    return faults


def failed(url: str, failure: str | None) -> list[str]:
    """What is wrong with a request that failed; nothing where the browser dropped it on leaving the page."""
    return [] if failure == "net::ERR_ABORTED" else [f"{url} failed: {failure}"]


def unlabeled(page: Any) -> list[str]:
    """Elements that a screen reader could not name: fields, buttons and links without a text of their own."""
    found: list[str] = page.evaluate(
        """() => [...document.querySelectorAll("button, a, input:not([type=hidden]), select, textarea")].filter(e => {
            const text = e.getAttribute("aria-label") || e.textContent.trim() || (e.labels && e.labels.length);
            return !text;
        }).map(e => e.outerHTML.slice(0, 120))"""
    )
    return found


def sideways(page: Any) -> float:
    """How many pixels a page is wider than its window."""
    wide: float = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return wide


def serious(page: Any) -> list[str]:
    """What axe-core finds on a page that is serious or critical: the rule, and the first element that breaks it."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    found = axe.Axe().run(page).response["violations"]
    return [f"{v['id']}: {v['nodes'][0]['html'][:160]}" for v in found if v["impact"] in ("serious", "critical")]
