"""Pairs in files: lines, empty sides, sizes of vocabularies."""

from pathlib import Path

import pytest

from common.messages import UserError
from datamodules.parallel_text.pair_files import left_out, other_forms, read_pairs, split, vocabulary_of


def test_lines_end_at_new_lines_and_the_last_may_be_empty(tmp_path: Path) -> None:
    one, two = tmp_path / "a", tmp_path / "b"
    for source, target, count in (
        ("hi\nby\rye\nyes\n", "x\ny\rz\nw\n", 3),
        ("hi\nby\nyes\n", "x\ny\n\n", 2),
        ("hi\r\nby\r\nyes", "x\r\ny\r\nz\r\n", 3),
        ("hi\n\nyes", "x\ny\nz", 2),
    ):
        one.write_bytes(source.encode())
        two.write_bytes(target.encode())
        assert len(read_pairs(str(one), str(two))[0]) == count
    with pytest.raises(UserError, match="has 3 lines"):
        two.write_text("x\n")
        read_pairs(str(one), str(two))
    one.write_text("a\tb\nnot yet\t\n\nc\td\n")
    assert read_pairs(str(one), "") == ([("a", "b"), ("c", "d")], [2])


def test_a_split_without_a_test_keeps_its_pairs_for_training() -> None:
    pairs = [(str(i), str(i)) for i in range(20)]
    assert [len(rows) for rows in split(pairs, 0.1, 0.0).values()] == [18, 2, 0]


def test_splits_are_fractions_of_the_different_sources() -> None:
    pairs = [(str(i % 250), str(i)) for i in range(1000)]
    assert {name: len(rows) for name, rows in split(pairs, 0.1, 0.1).items()} == {"train": 800, "val": 25, "test": 25}


def test_a_vocabulary_has_all_tokens_that_occur_often_enough() -> None:
    texts = ["a b b", "b c"]
    assert vocabulary_of(texts, "space", False, 1) == 7 and vocabulary_of(texts, "space", False, 2) == 5
    assert vocabulary_of(texts, "bpe", False, 1) == 1000


def test_lines_with_an_empty_side_and_other_forms_of_unicode_are_told() -> None:
    assert left_out([7, 9]) == "2 lines without a source or without a target are left out (the first is line 7)"
    assert left_out([7]).endswith("(line 7)")
    pairs = [("a", "\u1eb9"), ("a", "e\u0323")]
    assert other_forms(pairs) == "1 of 2 pairs are not in Unicode's composed form (NFC) and are brought to it"
    assert other_forms(pairs[:1]) == ""
