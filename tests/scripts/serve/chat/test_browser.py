"""The chat page in the system's Chromium, with a tiny RWKV that is trained here to answer: keyboard, stop, undo, phone,
dark, without JavaScript.
"""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional as F

from lit_models.rwkv.rwkv import rwkv
from scripts.evidence.screenshots import DESKTOP, PHONE, Scene, browser, opened
from tests.scripts.serve.chat.site import BYTES, chat_app, run_of
from tests.scripts.serve.live import faults_of, live, needs_chromium, sideways, unlabeled

pytestmark = [pytest.mark.slow, needs_chromium]
NOTHING = Scene(lambda page: None)
TALKS = {"ping": " pong \u4e2d\U0001f600", "tag": " <b>bold</b>", "count": " 1 2 3 4 5 6 7 8 9"}


@pytest.fixture(scope="module")
def net() -> Any:
    """A network that has learned three answers by heart, byte by byte."""
    torch.manual_seed(0)
    net = rwkv(len(BYTES), 7, 32, 1, 16)
    optimizer = torch.optim.AdamW(net.parameters(), 0.01, betas=(0.9, 0.99), eps=1e-18)
    pairs = [(first, second) for first in TALKS for second in TALKS]
    texts = [BYTES.encode("".join(f"Q: {q}\nA:{TALKS[q]}\n" for q in pair)) for pair in pairs]
    tokens = torch.tensor([ids + [0] * (max(map(len, texts)) - len(ids)) for ids in texts])
    for _ in range(150):
        loss = F.cross_entropy(net(tokens[:, :-1]).flatten(0, 1), tokens[:, 1:].flatten(), ignore_index=0)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
    return net.eval()


class Held(torch.nn.Module):
    """The network, which stands still before its fifth token while ``holds`` is set."""

    def __init__(self, net: Any) -> None:
        super().__init__()
        self.net, self.holds, self.goes_on, self.tokens = net, threading.Event(), threading.Event(), 0

    def decode(self, tokens: torch.Tensor, state: Any) -> Any:
        self.tokens = self.tokens + 1 if tokens.shape[1] == 1 else 0
        if self.holds.is_set() and self.tokens == 5:
            assert self.goes_on.wait(120)
        return self.net.decode(tokens, state)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser() as found:
        yield found


@pytest.fixture
def address(tmp_path: Path, net: Any) -> Iterator[str]:
    with live(chat_app(tmp_path, run_of(net))) as found:
        yield found


def ask(page: Any, question: str) -> str:
    """Types a question, presses Enter and waits for the answer's end."""
    count = page.locator("#messages .answer").count()
    page.locator("#question").fill(question)
    page.keyboard.press("Enter")
    page.locator("#messages .answer:not(.arriving)").nth(count).wait_for()
    return str(page.locator("#messages .answer .text").nth(count).inner_text())


def test_a_whole_talk_by_keyboard(chromium: Any, address: str) -> None:
    with opened(chromium, address, NOTHING) as page:
        faults = faults_of(page)
        page.evaluate("window.still = true")
        page.locator("#question").focus()
        assert ask(page, "ping") == " pong \u4e2d\U0001f600"
        assert ask(page, "tag") == " <b>bold</b>" and page.locator("#messages b").count() == 0
        assert page.locator(":focus").get_attribute("id") == "question"
        assert "<b>bold</b>" in page.locator("#said").inner_text()  # a screen reader hears it
        page.locator("#again").press("Enter")
        page.locator("#stop").wait_for(state="hidden")
        assert page.locator("#messages .answer .text").all_inner_texts() == [" pong \u4e2d\U0001f600", " <b>bold</b>"]
        page.locator("#undo").press("Enter")
        page.locator("#messages .answer").nth(1).wait_for(state="detached")
        assert page.locator("#question").input_value() == "tag"
        page.locator("#question").fill("two")
        page.keyboard.press("Shift+Enter")
        page.keyboard.type("lines")
        assert page.locator("#question").input_value() == "two\nlines" and page.locator("#messages li").count() == 2
        page.reload()
        assert page.locator("#messages .question .text").all_inner_texts() == ["ping"]  # the server keeps it
        page.locator("#reset").press("Enter")
        page.locator("#messages li").first.wait_for(state="detached")
        assert ask(page, "count") == TALKS["count"]
        page.locator("#question").fill("   ")
        page.locator("#send").click()
        page.locator("#said.shown", has_text="the question is empty").wait_for()
        assert page.locator("#messages li").count() == 2
        # Chromium may call a stream that was read to its end aborted
        assert [fault for fault in faults if not fault.endswith(("/ask failed", "/again failed"))] == []


def test_stop_in_the_middle_of_an_answer(chromium: Any, tmp_path: Path, net: Any) -> None:
    held = Held(net)
    with live(chat_app(tmp_path, run_of(held))) as address, opened(chromium, address, NOTHING) as page:
        held.holds.set()
        page.locator("#question").fill("count")
        page.keyboard.press("Enter")
        page.locator("#messages .answer .text", has_text="1").wait_for()
        assert page.locator("#send").is_disabled() and page.locator("#messages").get_attribute("aria-busy") == "true"
        with page.expect_response(lambda answer: answer.url.endswith("/stop")):
            page.keyboard.press("Escape")
        held.holds.clear()
        held.goes_on.set()
        page.locator("#messages .answer.stopped").wait_for()
        assert page.locator("#messages .answer .text").inner_text() != TALKS["count"]
        assert ask(page, "ping") == TALKS["ping"]


def test_two_people_at_once_have_talks_of_their_own(chromium: Any, address: str) -> None:
    with opened(chromium, address, NOTHING) as first, opened(chromium, address, NOTHING) as second:
        for page, question in ((first, "ping"), (second, "count")):
            page.locator("#question").fill(question)
        for page in (first, second):
            page.locator("#question").press("Enter")
        for page, question in ((first, "ping"), (second, "count")):
            page.locator("#messages .answer:not(.arriving)").wait_for()
            assert page.locator("#messages .text").all_inner_texts() == [question, TALKS[question]]


@pytest.mark.parametrize(("size", "dark"), [(DESKTOP, False), (PHONE, False), (PHONE, True)])
def test_it_fits_and_has_names_for_screen_readers(chromium: Any, address: str, size: Any, dark: bool) -> None:
    with opened(chromium, address, Scene(lambda page: None, size, dark)) as page:
        ask(page, "tag")
        page.locator("details summary").click()
        assert unlabeled(page) == [] and sideways(page) <= 0
        lightness = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0]")
        assert (int(lightness) < 60) == dark
        assert page.locator("#send").bounding_box()["height"] >= 40  # a finger


def test_without_javascript_a_question_is_answered(chromium: Any, address: str) -> None:
    with opened(chromium, address, NOTHING, java_script_enabled=False) as page:
        page.locator("#question").fill("ping")
        page.get_by_role("button", name="Send").click()
        page.locator("#messages .answer").wait_for()
        assert page.locator("#messages .answer .text").inner_text() == TALKS["ping"]
        page.get_by_role("button", name="Take back").click()
        page.locator("#empty").wait_for()
        assert page.locator("#question").input_value() == "ping"
