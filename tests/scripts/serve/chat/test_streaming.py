"""Server-sent events of an answer: pieces, the end, errors; and a reader who goes away."""

import asyncio
import json
from typing import Any

import pytest

from common.messages import UserError
from lit_models.functional.chat_sampling import ChatSampling
from scripts.serve.chat.streaming import BUSY, EventStream, event, events_of
from scripts.serve.chat.talks import Talk


def talk() -> Talk:
    return Talk(None, "rwkv/chat", ChatSampling(), 10)


async def collected(events: Any) -> list[str]:
    return [one async for one in events]


def test_an_event_is_two_lines_whatever_the_text_is() -> None:
    found = event("text", text="a\n\nevent: end\r\ndata: </script>\u2028")
    assert found.count("\n") == 3 and found.endswith("\n\n")
    assert json.loads(found.split("\n")[1].removeprefix("data: "))["text"] == "a\n\nevent: end\r\ndata: </script>\u2028"


def test_pieces_the_end_and_an_error() -> None:
    own = talk()
    found = asyncio.run(collected(events_of(own, (piece for piece in "ab"))))
    assert found == [event("text", text="a"), event("text", text="b"), event("end", stopped=False)]

    def wrong() -> Any:
        raise UserError("the question is empty: say something")
        yield

    found = asyncio.run(collected(events_of(own, wrong())))
    assert found == [event("error", message="the question is empty: say something")] and not own.busy.locked()
    found = asyncio.run(collected(events_of(own, (1 / k for k in (0,)))))  # type: ignore[arg-type]
    assert len(found) == 1 and "an error of this site" in found[0] and "division" not in found[0]


def test_one_answer_at_a_time() -> None:
    own = talk()
    own.busy.acquire()
    assert asyncio.run(collected(events_of(own, iter("ab")))) == [event("error", message=BUSY)]
    assert own.busy.locked()


@pytest.mark.parametrize("how", ["disconnect", "broken pipe"])
def test_a_reader_who_goes_away_ends_the_answer(how: str) -> None:
    """The generator is closed where it stands, and the conversation is free for the next question."""
    own, closed, sent = talk(), [], asyncio.Event()

    def endless() -> Any:
        try:
            while True:
                yield "x"
        finally:
            closed.append(True)

    async def receive() -> Any:
        await sent.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message.get("body"):
            sent.set()
            if how == "broken pipe":
                raise OSError

    scope = {"type": "http", "asgi": {"spec_version": "2.3" if how == "disconnect" else "2.4"}}

    async def whole() -> None:
        try:
            await EventStream(events_of(own, endless()))(scope, receive, send)
        except Exception as error:  # starlette's ClientDisconnect
            assert how == "broken pipe", error

    asyncio.run(whole())
    assert closed == [True] and not own.busy.locked()
