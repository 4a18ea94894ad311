"""``dive chat``: commands and options, with a planted model; a file of weights; errors in one line."""

import io
from pathlib import Path
from typing import Any

import pytest
import torch

from common.messages import UserError
from lit_models.rwkv.rwkv import rwkv
from scripts.verbs import chat
from tests.lit_models.functional.test_conversation import GREEDY, conversation


def said(talk: chat.Chat, line: str) -> str:
    return "".join(talk.line(line))


def planted() -> chat.Chat:
    return chat.Chat(conversation()[0], GREEDY, 50)


def test_questions_and_commands(tmp_path: Path) -> None:
    talk = planted()
    assert said(talk, "2+2?") == said(talk, "/regen") == " four"
    assert said(talk, f"/save {tmp_path}/a.pt").startswith("(saved")
    assert said(talk, "/undo") == "(taken back: 2+2?)" and not talk.conversation.turns
    assert said(talk, f"/load {tmp_path}/a.pt") == "> 2+2?\nfour\n"
    assert said(talk, "/reset") == "(forgotten)" and not talk.conversation.tokens


def test_set_changes_the_next_answers() -> None:
    talk = planted()
    assert said(talk, "/set max_tokens 2") == "(max_tokens 2)" and said(talk, "one") == " f"
    assert said(talk, "/set temperature 0.5") == "(temperature 0.5)" and talk.options.temperature == 0.5
    assert said(talk, "/set temperature_last true") and talk.options.temperature_last
    assert "top_p 0.85" in said(talk, "/set")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("/sav x", "no command /sav"),
        ("/set top_q 1", "no option top_q"),
        ("/set top_p 7", "top_p is 7.0"),
        ("/set top_p x", "/set top_p x"),
        ("/set max_tokens 0", "give at least 1"),
        ("/undo", "no question"),
        ("/save", "/save needs a file"),
        ("/load nowhere.pt", "there is no file"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(line: str, says: str) -> None:
    with pytest.raises(UserError, match=says):
        said(planted(), line)


def test_a_whole_talk_with_a_file_of_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    """Errors do not end it; the vocabulary of the weights is larger than the tokenizer's."""
    lines = [f"{i + 1} {bytes([i])!r} 1" for i in range(256)]
    (tmp_path / "bytes.txt").write_text("\n".join(lines))
    net = rwkv(260, 7, 16, 1, 8)
    torch.save(net.to_published(), tmp_path / "net.pth")
    monkeypatch.setattr("sys.stdin", io.StringIO("hello\n\n/what\n/undo\n"))
    arguments = [f"{tmp_path}/net.pth", "--tokenizer", f"{tmp_path}/bytes.txt", "--max_tokens", "5", "--seed", "1"]
    assert chat.main(arguments) == 0
    found = capsys.readouterr().out
    assert "dive: no command /what" in found and "(taken back: hello)" in found


def test_ctrl_c_stops_the_answer_only(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    talk = planted()
    read = talk.conversation.read

    def interrupted(ids: Any) -> None:
        read(ids)
        if talk.conversation.tokenizer.decode(talk.conversation.tokens).endswith("one\nA: f"):
            raise KeyboardInterrupt

    monkeypatch.setattr(talk.conversation, "read", interrupted)
    monkeypatch.setattr("sys.stdin", io.StringIO("one\ntwo\n"))
    chat.talk(talk)
    assert capsys.readouterr().out == "  (stopped)\n four\n"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["{}/net.pth"], "260 tokens, not the World vocabulary"),
        (["{}/net.pth", "--ban", "999", "--tokenizer", "{}/bytes.txt"], "--ban has 999"),
        (["{}/net.pth", "--top_p", "0"], "--top_p is 0"),
        (["{}/net.pth", "--max_tokens", "0"], "--max_tokens is 0"),
        (["{}/net.pth", "--tokenizer", "{}/bytes.txt", "--template", "Q:"], "no {}"),
        (["{}/none.pth"], "none.pth"),
        (["{}/other.pth"], "nearest is version"),
    ],
)
def test_what_cannot_be_used_is_one_line(arguments: list[str], says: str, tmp_path: Path) -> None:
    (tmp_path / "bytes.txt").write_text("\n".join(f"{i + 1} {bytes([i])!r} 1" for i in range(256)))
    torch.save(rwkv(260, 7, 16, 1, 8).to_published(), tmp_path / "net.pth")
    torch.save({"a.weight": torch.zeros(2)}, tmp_path / "other.pth")
    with pytest.raises(UserError, match=says):
        chat.main([word.replace("{}", str(tmp_path)) if word.startswith("{}/") else word for word in arguments])
