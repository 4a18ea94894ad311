"""An answer as server-sent events (WHATWG HTML, section 9.2), while it is generated.

    event: text     data: {"text": "..."}        a piece that is final: no half of a character
    event: end      data: {"stopped": false}     the last event
    event: error    data: {"message": "..."}     instead of the end; nothing has changed

Each piece is computed in a thread of the site's, so that answers to several people take turns. A browser that goes away
ends its answer.
"""

import json
import secrets
from collections.abc import AsyncGenerator, Iterator
from typing import Any

import anyio
from anyio import to_thread
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from common.messages import UserError
from scripts.serve.chat.talks import Talk
from scripts.serve.errors import LOG, SAYS

BUSY = "an answer is on its way: wait for its end, or stop it"


class EventStream(StreamingResponse):
    """Sends the events of a generator, and closes it however the sending ends."""

    media_type = "text/event-stream"

    def __init__(self, events: AsyncGenerator[str]) -> None:
        super().__init__(events, headers={"x-accel-buffering": "no"})  # a proxy is not to collect them
        self.events = events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            with anyio.CancelScope(shield=True):
                await self.events.aclose()


def event(name: str, **data: Any) -> str:
    """One event; JSON has no line ends of its own, so that no text can end an event."""
    return f"event: {name}\ndata: {json.dumps(data)}\n\n"


def pieces_of(talk: Talk, pieces: Iterator[str]) -> Iterator[str]:
    """The pieces until the end or until somebody stops them; the conversation is in order afterwards."""
    try:
        for piece in pieces:
            yield piece
            if talk.stopped.is_set():
                return
    finally:
        pieces.close()  # type: ignore[attr-defined]


async def events_of(talk: Talk, pieces: Iterator[str]) -> AsyncGenerator[str]:
    """The events of an answer; one at a time in a conversation."""
    if not talk.busy.acquire(blocking=False):
        yield event("error", message=BUSY)
        return
    talk.stopped.clear()
    answer = pieces_of(talk, pieces)
    try:
        while (piece := await to_thread.run_sync(next, answer, None)) is not None:
            yield event("text", text=piece)
        yield event("end", stopped=talk.stopped.is_set())
    except UserError as error:
        yield event("error", message=str(error))
    except Exception as error:
        number = secrets.token_hex(4)
        LOG.error("error %s in an answer: %r", number, error)
        yield event("error", message=f"{SAYS[500]} ({number})")
    finally:
        try:
            with anyio.CancelScope(shield=True):
                await to_thread.run_sync(answer.close)  # type: ignore[attr-defined]
        finally:
            talk.busy.release()
