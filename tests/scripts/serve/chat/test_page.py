"""The chat page by its routes: answers as events and without JavaScript, several people, undo, stop, wrong input."""

import json
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from fastapi.testclient import TestClient

from common.messages import UserError
from lit_models.attention.gpt import LitGPT
from lit_models.rwkv.rwkv import rwkv
from scripts.serve.chat.page import MOST_TURNS, accepts, facts
from scripts.serve.models import Loaded
from scripts.serve.pages import page_for
from tests.scripts.serve.chat.site import BYTES, Planted, chat_app, run_of

EVENTS = {"accept": "text/event-stream"}


def person(app: Any) -> TestClient:
    """A browser with cookies of its own, and the token of its forms."""
    client = TestClient(app, raise_server_exceptions=False)
    client.headers["x-csrf-token"] = re.search(r'name="csrf" value="(\w+)"', client.get("/").text)[1]  # type: ignore[index]
    return client


def post(client: TestClient, address: str, **form: Any) -> list[tuple[str, Any]]:
    """The events of an answer."""
    answer = client.post(address, data=form, headers=EVENTS)
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/event-stream"), answer.text
    parts = [part.split("\n") for part in answer.text.split("\n\n")[:-1]]
    return [(name.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for name, data in parts]


def text(events: list[tuple[str, Any]]) -> str:
    assert events[-1] == ("end", {"stopped": False})
    return "".join(data["text"] for name, data in events if name == "text")


def shown(client: TestClient) -> list[str]:
    return re.findall(r'class="text">(.*?)</span>', client.get("/").text, re.DOTALL)


@pytest.fixture
def client(tmp_path: Path) -> TestClient:
    return person(chat_app(tmp_path, run_of(Planted(" <b>\u4e2d\U0001f600\n"))))


def test_the_page_is_for_models_that_continue_from_a_state_and_for_no_others() -> None:
    run = run_of(rwkv(len(BYTES), 7, 8, 1, 8))
    gpt = LitGPT(vocab_size=8, seq_len=8, hidden_size=8, num_layers=1, num_heads=1)
    assert accepts(run) and page_for(run).name == "chat" and accepts(Loaded(gpt, run.data, run.run, ""))
    assert not accepts(Loaded("another", run.data, run.run, "")) and not accepts(Loaded(gpt, None, run.run, ""))


def test_an_answer_arrives_in_whole_characters_and_is_escaped_on_the_page(client: TestClient) -> None:
    events = post(client, "/ask", question="<script>1</script>")
    assert [data["text"] for name, data in events[:-1]] == [*" <b>", "\u4e2d", "\U0001f600"]
    assert shown(client) == ["&lt;script&gt;1&lt;/script&gt;", " &lt;b&gt;\u4e2d\U0001f600"]
    assert "<script>1" not in client.get("/").text and "What is &lt;b&gt;?" not in client.get("/").text
    assert client.get("/talk.json").json()[0]["answer"] == " <b>\u4e2d\U0001f600"


def test_without_javascript_the_answer_is_on_the_next_page(client: TestClient) -> None:
    answer = client.post("/ask", data={"question": "one\r\ntwo"}, headers={"accept": "text/html"})
    assert answer.status_code == 200 and "&lt;b&gt;\u4e2d\U0001f600" in answer.text and "one\ntwo" in answer.text
    empty = client.post("/ask", data={"question": "  "}, headers={"accept": "text/html"})
    assert empty.status_code == 400 and "The question is empty: say something" in empty.text


def test_undo_gives_the_question_back_and_a_new_conversation_forgets_all(client: TestClient) -> None:
    post(client, "/ask", question="one")
    post(client, "/ask", question="two")
    assert re.search(r"<textarea[^>]*>two</textarea>", client.post("/undo").text) and shown(client)[0::2] == ["one"]
    post(client, "/again")
    assert shown(client)[0::2] == ["one"]
    assert client.post("/undo").status_code == 200 and client.post("/undo").status_code == 400
    post(client, "/ask", question="three")
    assert client.post("/reset").status_code == 200 and shown(client) == []
    assert client.post("/undo").json()["error"]["message"].startswith("there is no conversation")


def test_people_who_ask_at_once_get_the_answers_that_each_would_get_alone(tmp_path: Path) -> None:
    """Drawn answers of a random network: one that mixed states or random numbers would differ."""
    torch.manual_seed(0)
    net = rwkv(len(BYTES), 7, 16, 1, 8).eval()
    for matrix in net.parameters():
        if matrix.ndim == 2:
            torch.nn.init.normal_(matrix, std=0.5)  # as they begin, an answer depends on its last token alone
    words = ("--max_tokens", "8", "--temperature", "1", "--threads", "3")

    def talk(client: TestClient, name: str) -> list[str]:
        return [text(post(client, "/ask", question=f"{name} {k}")) for k in range(3)]

    with TestClient(chat_app(tmp_path, run_of(net, stop=""), *words)) as one:
        alone = {name: talk(person(one.app), name) for name in ("Ana", "Bo", "Chi")}
        assert len({tuple(answers) for answers in alone.values()}) == 3
        people = {name: person(one.app) for name in alone}
        with ThreadPoolExecutor(3) as pool:
            together = dict(zip(people, pool.map(lambda name: talk(people[name], name), people), strict=True))
    assert together == alone


def test_stop_ends_the_answer_and_the_next_one_is_whole(tmp_path: Path) -> None:
    holds, begun, goes_on = threading.Event(), threading.Event(), threading.Event()

    def gate(place: int) -> None:
        if place == 3 and holds.is_set():
            begun.set()
            assert goes_on.wait(60)

    with TestClient(chat_app(tmp_path, run_of(Planted(" abcdefgh\n", gate)))) as one, ThreadPoolExecutor(1) as pool:
        client = person(one.app)
        post(client, "/ask", question="first")
        holds.set()
        asked = pool.submit(post, client, "/ask", question="second")
        assert begun.wait(60)
        assert post(client, "/ask", question="third") == [
            ("error", {"message": "an answer is on its way: wait for its end, or stop it"})
        ]
        assert client.post("/undo").status_code == 409
        assert client.post("/stop").status_code == 204
        holds.clear()
        goes_on.set()
        events = asked.result()
        assert events[-1] == ("end", {"stopped": True}) and len(events) < 6
        assert text(post(client, "/ask", question="third")) == " abcdefgh"
        assert [turn["question"] for turn in client.get("/talk.json").json()] == ["first", "second", "third"]


def test_wrong_input_is_one_sentence(client: TestClient) -> None:
    assert post(client, "/ask", question=" ") == [("error", {"message": "the question is empty: say something"})]
    for form in (
        {"temperature": "9"},
        {"top_p": "0"},
        {"top_p": "nan"},
        {"max_tokens": "1001"},
        {"question": "x" * 4001},
    ):
        answer = client.post("/ask", data={"question": "x"} | form, headers=EVENTS)
        assert answer.status_code == 422 and next(iter(form)) in answer.json()["error"]["message"]
    assert client.post("/ask", data={"question": "x"}, headers={"x-csrf-token": "0"}).status_code == 403
    assert client.post("/again", headers=EVENTS).status_code == 200  # of a conversation without a question
    assert post(client, "/again")[-1] == ("error", {"message": "there is no question to take back"})


def test_options_are_kept_for_the_next_answer(client: TestClient) -> None:
    assert text(post(client, "/ask", question="x", max_tokens=3, temperature=0.5)) == " <b"
    page = client.get("/").text
    assert re.search(r'name="max_tokens"[^>]* value="3"', page) and re.search(
        r'name="temperature"[^>]* value="0.5"', page
    )


def test_a_conversation_has_an_end_and_a_forgotten_one_says_so(tmp_path: Path) -> None:
    app = chat_app(tmp_path, run_of(Planted(" ok\n")), "--sessions", "1")
    first, second = person(app), person(app)
    post(first, "/ask", question="x")
    talk = next(iter(app.state.site.talks.known.values()))
    talk.conversation.turns *= MOST_TURNS
    answer = first.post("/ask", data={"question": "x"}, headers=EVENTS)
    assert answer.status_code == 409 and "begin a new one" in answer.json()["error"]["message"]
    post(second, "/ask", question="x")
    assert "was forgotten" in first.get("/").text and "was forgotten" not in second.get("/").text
    assert facts(app.state.site) == [("conversations", "1"), ("forgotten", "1")]


def test_a_conversation_keeps_its_model_when_another_run_takes_the_place(tmp_path: Path) -> None:
    app = chat_app(tmp_path, run_of(Planted(" old\n")))
    before, after = person(app), person(app)
    post(before, "/ask", question="x")
    models = app.state.site.models
    models.current = models.ready(run_of(Planted(" new\n"), "second"))
    assert text(post(before, "/ask", question="x")) == " old" and text(post(after, "/ask", question="x")) == " new"


def test_options_out_of_range_are_one_line(tmp_path: Path) -> None:
    for words, says in (
        (("--sessions", "0"), "--sessions is at least 1"),
        (("--max_tokens", "0"), "--max_tokens is 0"),
        (("--top_p", "2"), "--top_p is 2"),
    ):
        with pytest.raises(UserError, match=says):
            chat_app(tmp_path, run_of(Planted("x")), *words)
    run = run_of(Planted("x"))
    run.data.tokenizer = None
    with pytest.raises(UserError, match=r"has no processor[.]json"):
        chat_app(tmp_path, run)
