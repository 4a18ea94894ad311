"""``dive lambada``: a file of weights and passages, and what cannot be read."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from common.messages import UserError
from lit_models.rwkv.rwkv import rwkv
from scripts.verbs.lambada import main, passages


def test_a_file_of_weights_is_scored(tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "bytes.txt").write_text("\n".join(f"{i + 1} {bytes([i])!r} 1" for i in range(256)))
    torch.save(rwkv(257, 7, 16, 1, 8).to_published(), tmp_path / "net.pth")
    (tmp_path / "p.jsonl").write_text(json.dumps({"text": "a b"}) + "\n\n" + json.dumps({"text": "c d"}) + "\n")
    words = [f"{tmp_path}/net.pth", "--tokenizer", f"{tmp_path}/bytes.txt", "--passages", f"{tmp_path}/p.jsonl"]
    assert main(words) == 0
    assert "(2 passages)" in capsys.readouterr().out
    assert main([*words, "--limit", "1"]) == 0
    assert "(1 passages)" in capsys.readouterr().out


def test_a_passage_may_have_other_line_separators(tmp_path: Path) -> None:
    texts = ["a\u2028b\x85c", "d"]
    lines = "\n".join(json.dumps({"text": text}, ensure_ascii=False) for text in texts)
    (tmp_path / "p.jsonl").write_text(lines + "\n", encoding="utf-8")
    assert passages(str(tmp_path / "p.jsonl")) == texts


def test_files_that_are_no_passages_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("Once upon a time\n")
    for name, says in (("text.txt", "not a file of passages"), ("none", "there is no file")):
        with pytest.raises(UserError, match=says):
            passages(str(tmp_path / name))
