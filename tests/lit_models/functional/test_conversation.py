"""A conversation: what the network reads, the way back, files; with RWKV and with a cache that changes in place."""

from pathlib import Path
from typing import Any

import pytest
import torch

from common.messages import UserError
from lit_models.attention.gpt import GPT
from lit_models.functional.chat_sampling import ChatSampling
from lit_models.functional.conversation import Conversation

GREEDY = ChatSampling(temperature=0, presence=0.0, frequency=0.0)


class Bytes:
    """UTF-8, a token for each byte."""

    def encode(self, text: str) -> list[int]:
        return list(text.encode())

    def decode(self, ids: Any) -> str:
        return bytes(ids).decode("utf-8", "replace")

    def unknown_pieces(self, text: str) -> list[str]:
        return [c for c in text if c == "\u00a7"]

    def __len__(self) -> int:
        return 256


class Cache:
    """A state that is changed in place."""

    def __init__(self) -> None:
        self.seen: list[int] = []


class Script:
    """Continues the text by a fixed answer: after ``A:`` its bytes, which a state counts. A planted model."""

    def __init__(self, answer: str, in_place: bool = False) -> None:
        self.answer, self.in_place = answer.encode(), in_place
        self.read: list[int] = []

    def decode(self, tokens: torch.Tensor, state: Any) -> Any:
        ids = tokens[0].tolist()
        self.read += ids
        if self.in_place:
            state = state or Cache()
            state.seen += ids
            seen = state.seen
        else:
            seen = (state[0][0].tolist() if state else []) + ids
            state = (torch.tensor([seen]),)
        text = bytes(seen)
        place = len(text) - (text.rfind(b"A:") + 2)
        logits = torch.zeros(1, len(ids), 256)
        logits[0, -1, self.answer[min(place, len(self.answer) - 1)]] = 9
        return logits, state


def conversation(answer: str = " four\n", in_place: bool = False) -> tuple[Conversation, Script]:
    script = Script(answer, in_place)
    return Conversation(script.decode, Bytes(), "Q: {}\nA:", "\n", "script"), script


def test_the_answer_streams_and_ends_before_the_stop() -> None:
    talk, script = conversation()
    assert "".join(talk.ask("2+2?", GREEDY)) == " four"
    assert bytes(script.read).decode() == "Q: 2+2?\nA: four\n" == talk.tokenizer.decode(talk.tokens)


def test_a_character_is_never_shown_by_halves() -> None:
    talk, _ = conversation("\u00fc\u4e2d\U0001f600!\n")
    assert list(talk.ask("?", GREEDY)) == ["\u00fc", "\u4e2d", "\U0001f600", "!"]


@pytest.mark.parametrize("in_place", [False, True])
def test_undo_leads_back_to_the_same_place(in_place: bool) -> None:
    talk, script = conversation(in_place=in_place)
    "".join(talk.ask("one", GREEDY))
    tokens = list(talk.tokens)
    "".join(talk.ask("two", GREEDY))
    before = len(script.read)
    assert talk.undo() == "two" and talk.tokens == tokens and len(talk.turns) == 1
    assert len(script.read) == before  # nothing is read again
    "".join(talk.ask("three", GREEDY))
    state = talk.state.seen if in_place else talk.state[0][0].tolist()
    assert bytes(state).decode() == "Q: one\nA: four\nQ: three\nA: four\n"


def test_states_are_kept_for_so_many_questions() -> None:
    talk = Conversation(Script(" four\n").decode, Bytes(), "Q: {}\nA:", "\n", undo_depth=2)
    for question in ("one", "two", "three"):
        "".join(talk.ask(question, GREEDY))
    assert [turn.before is None for turn in talk.turns] == [True, False, False]
    assert [talk.undo(), talk.undo()] == ["three", "two"]
    with pytest.raises(UserError, match="only the last 2 questions"):
        talk.undo()
    assert [turn.question for turn in talk.turns] == ["one"] and "".join(talk.ask("four", GREEDY)) == " four"


def test_another_answer_takes_the_last_ones_place() -> None:
    talk, _ = conversation()
    "".join(talk.ask("one", GREEDY))
    tokens = list(talk.tokens)
    assert "".join(talk.again(GREEDY)) == " four" and talk.tokens == tokens


def test_an_answer_that_is_cut_ends_as_any_other() -> None:
    talk, _ = conversation()
    assert "".join(talk.ask("one", GREEDY, max_tokens=3)) == " fo"
    assert talk.tokenizer.decode(talk.tokens).endswith("A: fo\n")
    pieces = talk.ask("two", GREEDY)
    next(pieces)
    pieces.close()  # type: ignore[attr-defined]  # Ctrl-C
    assert talk.tokenizer.decode(talk.tokens).endswith("Q: two\nA: \n")


@pytest.mark.parametrize("in_place", [False, True])
def test_a_saved_conversation_continues(in_place: bool, tmp_path: Path) -> None:
    talk, _ = conversation(in_place=in_place)
    "".join(talk.ask("one", GREEDY))
    talk.save(tmp_path / "a.pt")
    other, script = conversation(in_place=in_place)
    assert other.load(tmp_path / "a.pt") == [("one", " four")]
    assert other.tokens == talk.tokens and bool(script.read) == in_place
    assert "".join(other.ask("two", GREEDY)) == " four"


def test_files_that_do_not_fit_are_one_line(tmp_path: Path) -> None:
    talk, _ = conversation()
    talk.save(tmp_path / "a.pt")
    other, _ = conversation()
    other.model = "another"
    (tmp_path / "b.pt").write_text("hello")
    for path, says in (
        ("a.pt", "is the state of script, and this is another"),
        ("b.pt", "not a conversation"),
        ("c", "no file"),
    ):
        with pytest.raises(UserError, match=says):
            other.load(tmp_path / path)


def test_what_cannot_be_asked_changes_nothing() -> None:
    talk, script = conversation()
    for question, says in (("  ", "empty"), ("\u00a7 5", "lacks")):
        with pytest.raises(UserError, match=says):
            "".join(talk.ask(question, GREEDY))
    assert not talk.turns and not script.read
    with pytest.raises(UserError, match="no question to take back"):
        talk.undo()
    with pytest.raises(UserError, match=r"no \{\}"):
        Conversation(script.decode, Bytes(), "Q:")


def test_weights_that_are_not_numbers_are_one_line() -> None:
    talk = Conversation(lambda tokens, state: (torch.full((1, tokens.shape[1], 256), torch.nan), ()), Bytes(), "{}", "")
    with pytest.raises(UserError, match="scores are not numbers"):
        "".join(talk.ask("x", GREEDY))


def test_a_network_with_a_context_talks_beyond_it() -> None:
    """A GPT whose context is shorter than the question: it continues from the last half, and undo works."""
    torch.manual_seed(0)
    net = GPT(256, 16, 16, 1, 2, dropout=0.0, variant="llama").eval()
    talk = Conversation(net.decode, Bytes(), "{}", "", "gpt", context=net.context)
    first = "".join(talk.ask("a question of more than sixteen bytes", GREEDY, 20))
    assert len(talk.tokens) == 37 + 20
    talk.undo()
    assert "".join(talk.ask("a question of more than sixteen bytes", GREEDY, 20)) == first
