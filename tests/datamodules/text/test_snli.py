"""SNLI's rows."""

import json
from pathlib import Path

import pytest

from common.messages import UserError
from datamodules.downloads import data_root
from datamodules.text.snli import SNLI, read_snli

PAIR = {"gold_label": "entailment", "sentence1": "A man sings.", "sentence2": "A person sings."}


def test_pairs_are_read_and_those_without_agreement_left_out(tmp_path: Path) -> None:
    (path := tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, (PAIR, PAIR | {"gold_label": "-"}))))
    first, second, y = read_snli(path)
    assert (first, second, y.tolist()) == (["A man sings."], ["A person sings."], [1])


def test_only_line_ends_separate_pairs(tmp_path: Path) -> None:
    odd = PAIR | {"sentence1": "A man\u2028sings\x85."}
    (path := tmp_path / "a.jsonl").write_text(f"{json.dumps(odd, ensure_ascii=False)}\n{json.dumps(PAIR)}\n")
    assert read_snli(path)[0] == [odd["sentence1"], PAIR["sentence1"]]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 2: not a pair"),
        ("[1]", "line 2: not a pair"),
        (json.dumps(PAIR | {"gold_label": "x"}), "'x' is none"),
    ],
)
def test_what_is_no_pair_is_named_by_its_line(line: str, message: str, tmp_path: Path) -> None:
    (path := tmp_path / "a.jsonl").write_text(f"{json.dumps(PAIR)}\n{line}\n")
    with pytest.raises(UserError, match=message):
        read_snli(path)


def test_a_missing_file_is_named_with_its_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIVE_DATA", str(tmp_path))
    with pytest.raises(UserError, match=r"no .*snli_1\.0_train\.jsonl: unpack https://"):
        SNLI().read("fit")


@pytest.mark.realdata
def test_published_rows() -> None:
    for name in ("train", "dev", "test"):
        first, second, y = read_snli(Path(data_root()) / f"snli_1.0/snli_1.0_{name}.jsonl")
        assert len(first) == len(second) == len(y) >= 8 and all(text.strip() for text in (*first, *second))
