"""Preferences of a person's own file: sizes, splits, and what is wrong with it in one line."""

import json
from pathlib import Path

import pytest

from common.messages import UserError
from datamodules.text.preference_file import PreferenceFile
from tests.datamodules.test_run_file import rows

ROW = {"prompt": "Is it late?", "chosen": "It is ten.", "rejected": "Yes."}


def write(path: Path, *rows: object) -> str:
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows), encoding="utf-8")
    return str(path)


def test_texts_and_messages_are_read_with_sizes_as_found(tmp_path: Path) -> None:
    talk = {"prompt": [{"role": "system", "content": "be kind"}, {"role": "user", "content": "Is it late?"}],
            "chosen": [{"role": "assistant", "content": "It is ten."}], "rejected": "Yes."}  # fmt: skip
    data = PreferenceFile(write(tmp_path / "a.jsonl", *[ROW] * 8, "", talk, talk))
    data.setup("fit")
    data.setup("test")
    assert {name: len(split[0]) for name, split in data.splits.items()} == {"train": 8, "val": 1, "test": 1}
    assert data.tokenizer is not None and len(data.tokenizer) == data.vocab_size
    assert not any(token.startswith("<unused") for token in data.tokenizer.tokens)
    chosen, targets = (part[0] for part in data.splits["train"][:2])
    assert data.tokenizer.decode([i for i in targets.tolist() if i >= 0]) == "It is ten."
    assert "Is it late?" in data.tokenizer.decode(chosen.tolist())
    assert data.demonstrations is not None and len(data.demonstrations[0]) == 8
    assert data.seq_len == int((data.splits["test"][0][0] != 0).sum())


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"prompt": "a", "text": "b"}, r"line 1 has no chosen and no rejected: give prompt, chosen, rejected"),
        (["a"], r"line 1 has no prompt and no chosen and no rejected"),
        ("{", r"line 1 is not JSON"),
        ({**ROW, "chosen": [{"role": "bot", "content": "hi"}]}, r"line 1: message 1 has the role 'bot'"),
        ({**ROW, "chosen": 3}, r"line 1: 3 is neither a text nor a list"),
    ],
)
def test_what_is_no_pair_is_one_line(row: object, said: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=said):
        PreferenceFile(write(tmp_path / "a.jsonl", row))


def test_a_pair_to_whose_length_all_others_would_be_padded_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", *[ROW] * 8, {**ROW, "rejected": "no " * 2000})
    with pytest.raises(UserError, match=r"pair 9 has 2,0\d\d tokens.* give --data.seq_len 20\d\d"):
        PreferenceFile(path)


def test_too_few_pairs_and_a_missing_file_are_one_line_each(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="2 pairs leave none to train on"):
        PreferenceFile(write(tmp_path / "a.jsonl", ROW, ROW))
    with pytest.raises(UserError, match=r"no file .*b.jsonl"):
        PreferenceFile(str(tmp_path / "b.jsonl"))


def test_another_file_is_tested_whole_and_a_changed_one_is_refused(tmp_path: Path) -> None:
    data = PreferenceFile(write(tmp_path / "a.jsonl", *[ROW] * 10))
    assert rows(data, stage="fit") == {"train": 8, "val": 1, "test": 1}
    run, sizes = data.processor(), {"vocab_size": data.vocab_size, "seq_len": data.seq_len}
    assert rows(PreferenceFile(data.path, **sizes), run)["test"] == 1  # type: ignore[arg-type]
    other = PreferenceFile(write(tmp_path / "b.jsonl", *[ROW] * 7), **sizes)  # type: ignore[arg-type]
    assert rows(other, run) == {"test": 7} and "not the file of the run: all of it" in other.summary()
    write(tmp_path / "a.jsonl", *[ROW] * 11)
    with pytest.raises(UserError, match=r"a.jsonl: its content changed since training"):
        rows(PreferenceFile(data.path, **sizes), run)  # type: ignore[arg-type]
