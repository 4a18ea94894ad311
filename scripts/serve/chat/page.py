"""The page of language models: questions, answers that appear while they are generated, stop, undo, another answer.

    dive serve rwkv/chat
    dive serve attention/gpt --session_minutes 10

The same conversations as ``dive chat``, one for each browser. They are kept in memory, forgotten some time after their
last use, and never written to a disk. Without JavaScript an answer appears when it is whole.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Form, HTTPException, Request
from starlette.responses import RedirectResponse, Response

from common.data_protocol import attribute_of
from common.messages import UserError
from lit_models.functional.chat_sampling import ChatSampling
from lit_models.tasks.language_model import LanguageModel
from scripts.serve.chat.streaming import BUSY, EventStream, events_of, pieces_of
from scripts.serve.chat.talks import Talk, Talks
from scripts.serve.csrf import set_cookie
from scripts.serve.models import Loaded
from scripts.serve.site import Site
from scripts.verbs.chat import opener

TITLE, ACCEPTS = "Chat", "a language model that continues from a state, such as rwkv/chat or attention/gpt"
COOKIE = "chat"
LONGEST = 4000  # letters of a question
MOST_TOKENS = 1000  # of an answer
MOST_TURNS = 100  # of a conversation: its memory is bounded
UNDO = 10  # questions that can be taken back, each of which keeps a state

Temperature = Annotated[float | None, Form(ge=0, le=5, allow_inf_nan=False)]
TopP = Annotated[float | None, Form(gt=0, le=1, allow_inf_nan=False)]
Tokens = Annotated[int | None, Form(ge=1, le=MOST_TOKENS)]


def accepts(loaded: Loaded) -> bool:
    """Whether it is a language model that reads a text once."""
    model = loaded.model
    return isinstance(model, LanguageModel) and hasattr(model.net, "decode") and hasattr(loaded.data, "tokenizer")


def add_options(parser: argparse.ArgumentParser) -> None:
    """How many conversations are kept, and how answers begin to be chosen."""
    parser.add_argument("--sessions", type=int, default=64, help="conversations that are kept (default 64)")
    parser.add_argument("--session_minutes", type=float, default=30, help="an unused one is forgotten (default 30)")
    parser.add_argument("--seed", type=int, default=0, help="of each conversation's random numbers (default 0)")
    parser.add_argument("--temperature", type=float, default=1.0, help="until a person changes it (default 1)")
    parser.add_argument("--top_p", type=float, default=0.85, help="until a person changes it (default 0.85)")
    parser.add_argument("--max_tokens", type=int, default=200, help="until a person changes it (default 200)")


def prepare(loaded: Loaded) -> Any:
    """Begins conversations with a run.

    Raises:
        UserError: The run has no vocabulary.
    """
    data = loaded.data
    if data.tokenizer is None:
        raise UserError(f"{loaded.run} has no processor.json with its vocabulary: a chat needs it")
    template, stop = attribute_of(data, "chat_template", "{}"), attribute_of(data, "chat_stop", "")
    return opener(loaded.model.net, data.tokenizer, template, stop, str(loaded.run), UNDO)


def first_options(site: Site) -> tuple[ChatSampling, int]:
    """The options of a new conversation.

    Raises:
        UserError: The command has one that is out of range.
    """
    given = site.options
    if given.sessions < 1 or given.session_minutes <= 0:
        raise UserError("--sessions is at least 1, and --session_minutes more than 0")
    if not 1 <= given.max_tokens <= MOST_TOKENS:
        raise UserError(f"--max_tokens is {given.max_tokens}: give 1 to {MOST_TOKENS}")
    try:
        return ChatSampling(temperature=given.temperature, top_p=given.top_p), given.max_tokens
    except ValueError as error:
        raise UserError(f"--{error}") from None


def facts(site: Site) -> list[tuple[str, str]]:
    """For the administrator."""
    talks: Talks = site.talks  # type: ignore[attr-defined]
    return [("conversations", str(len(talks))), ("forgotten", str(talks.forgotten))]


def router(site: Site) -> APIRouter:
    """The page, and what its buttons ask for."""
    routes = APIRouter(include_in_schema=False)
    options, max_tokens = first_options(site)
    talks = Talks(site.options.sessions, 60 * site.options.session_minutes)
    site.talks = talks  # type: ignore[attr-defined]

    def mine(request: Request) -> Talk | None:
        return talks.find(request.cookies.get(COOKIE, ""))

    def new() -> Talk:
        run = site.models.current
        return Talk(run.prepared(site.options.seed), run.recipe or run.run.name, options, max_tokens)

    def answered(request: Request, response: Response, key: str = "") -> Response:
        if key:
            set_cookie(request, response, COOKIE, key)
        return response

    def reply(request: Request, talk: Talk, pieces: Iterator[str], key: str = "") -> Response:
        """Events for the page's script; for a browser without it the whole answer, and then the page."""
        if "text/event-stream" in request.headers.get("accept", ""):
            return answered(request, EventStream(events_of(talk, pieces)), key)
        with at_rest(talk):
            talk.stopped.clear()
            for _ in pieces_of(talk, pieces):
                pass
        return answered(request, RedirectResponse("/", 303), key)

    @routes.get("/")
    def home(request: Request) -> Response:
        talk, current = mine(request), site.models.current
        shown = talk or Talk(None, current.recipe or current.run.name, options, max_tokens)
        data = current.data
        return site.render(
            request,
            "chat.html",
            talk=shown,
            turns=talk.conversation.turns if talk else [],
            forgotten=talk is None and COOKIE in request.cookies,
            asks=attribute_of(data, "chat_template", "{}") != "{}",
            examples=attribute_of(data, "chat_examples", ()),
            longest=LONGEST,
            most_tokens=MOST_TOKENS,
            minutes=site.options.session_minutes,
        )

    @routes.post("/ask")
    def ask(
        request: Request,
        question: Annotated[str, Form(max_length=LONGEST)] = "",
        temperature: Temperature = None,
        top_p: TopP = None,
        max_tokens: Tokens = None,
    ) -> Response:
        talk, key = mine(request), ""
        if talk is None:
            talk = new()
            key = talks.add(talk)
        if len(talk.conversation.turns) >= MOST_TURNS:
            raise HTTPException(409, f"this conversation has {MOST_TURNS} questions: begin a new one")
        choose(talk, temperature, top_p, max_tokens)
        talk.draft = ""
        question = question.replace("\r\n", "\n")  # forms send both
        return reply(request, talk, talk.conversation.ask(question, talk.options, talk.max_tokens), key)

    @routes.post("/again")
    def again(
        request: Request, temperature: Temperature = None, top_p: TopP = None, max_tokens: Tokens = None
    ) -> Response:
        talk = known(request)
        choose(talk, temperature, top_p, max_tokens)
        return reply(request, talk, another(talk))

    @routes.post("/undo")
    def undo(request: Request) -> Response:
        talk = known(request)
        with at_rest(talk):
            talk.draft = talk.conversation.undo()
        return RedirectResponse("/", 303)

    @routes.post("/stop")
    def stop(request: Request) -> Response:
        known(request).stopped.set()
        return Response(status_code=204)

    @routes.post("/reset")
    def reset(request: Request) -> Response:
        talks.drop(request.cookies.get(COOKIE, ""))
        response = RedirectResponse("/", 303)
        response.delete_cookie(COOKIE, path="/")
        return response

    @routes.get("/talk.json")
    def talk(request: Request) -> Response:
        """The questions and answers, to be kept by the person."""
        found = mine(request)
        rows = [{"question": t.question, "answer": t.answer} for t in (found.conversation.turns if found else [])]
        text = json.dumps(rows, ensure_ascii=False, indent=1)
        headers = {"content-disposition": 'attachment; filename="talk.json"'}
        return Response(text, media_type="application/json", headers=headers)

    def known(request: Request) -> Talk:
        talk = mine(request)
        if talk is None:
            raise HTTPException(409, "there is no conversation, or it was forgotten: ask something")
        return talk

    return routes


def choose(talk: Talk, temperature: float | None, top_p: float | None, max_tokens: int | None) -> None:
    """Changes the options that are given."""
    if temperature is not None:
        talk.options = replace(talk.options, temperature=temperature)
    if top_p is not None:
        talk.options = replace(talk.options, top_p=top_p)
    talk.max_tokens = max_tokens or talk.max_tokens


def another(talk: Talk) -> Iterator[str]:
    """Another answer to the last question; taken back only when somebody listens."""
    yield from talk.conversation.again(talk.options, talk.max_tokens)


class at_rest:
    """Holds a conversation, or raises 409 where an answer is on its way."""

    def __init__(self, talk: Talk) -> None:
        self.talk = talk

    def __enter__(self) -> None:
        if not self.talk.busy.acquire(blocking=False):
            raise HTTPException(409, BUSY)

    def __exit__(self, *_: object) -> None:
        self.talk.busy.release()
