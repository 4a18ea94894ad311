"""A user's own pairs, in one file or two, and their errors."""

from pathlib import Path

import pytest

from common.messages import UserError
from datamodules.parallel_text.parallel_file import ParallelFile

LINES = [(f"house number {i}", f"nyumba namba {i}") for i in range(40)]


def test_one_file_and_two_files_say_the_same(tmp_path: Path) -> None:
    one, source, target = (tmp_path / name for name in ("pairs.tsv", "text.en", "text.sw"))
    one.write_text("".join(f"{s}\t{t}\tnote\n" for s, t in LINES) + "\n")
    source.write_text("".join(f"{s}\n" for s, _ in LINES))
    target.write_text("".join(f"{t}\n" for _, t in LINES))
    a, b = ParallelFile(path=str(one)), ParallelFile(path=str(source), target_path=str(target))
    assert a.pairs() == b.pairs() and [len(v) for v in a.pairs().values()] == [32, 4, 4]
    a.setup("fit")
    assert a.decode_target(a.splits["train"][3]) == a.references["train"]


def test_unequal_files_say_both_counts(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("one\ntwo\nthree\n")
    (tmp_path / "b").write_text("moja\nmbili\n")
    with pytest.raises(UserError, match=r"a has 3 lines, .*b has 2"):
        ParallelFile(path=str(tmp_path / "a"), target_path=str(tmp_path / "b")).pairs()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        ("one\tmoja\ntwo\n", ":2 is not source<TAB>target"),
        ("one\tmoja\n", "too few"),
        ("\tx\n", ":1 "),
    ],
)
def test_a_file_without_pairs_is_refused(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "pairs.tsv"
    path.write_text(content)
    with pytest.raises(UserError, match=message):
        ParallelFile(path=str(path)).pairs()


def test_fractions_that_leave_nothing_are_refused() -> None:
    with pytest.raises(UserError, match="val_fraction"):
        ParallelFile(path="x", val_fraction=0.5, test_fraction=0.5)
