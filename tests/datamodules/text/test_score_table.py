"""A person's own texts with numbers."""

from pathlib import Path

import pytest

from common.messages import UserError
from datamodules.text.score_table import ScoreTable, numbers
from datamodules.text.text_table import Table

ROWS = "".join(f"text number {i},other {i % 3},{i / 2}\n" for i in range(40))


def table(folder: Path, content: str = "text,second,score\n" + ROWS) -> str:
    (path := folder / "t.csv").write_text(content)
    return str(path)


def test_texts_are_split_and_prediction_needs_no_numbers(tmp_path: Path) -> None:
    data = ScoreTable(table(tmp_path), second="second", vocab_size=100)
    data.setup("fit")
    assert [len(data.splits[name][0]) for name in ("train", "val", "test")] == [28, 6, 6]
    assert bool(((data.splits["train"][0] == 3).sum(1) == 2).all())
    new = ScoreTable(table(tmp_path, "text,second\na text,other 1\nan other,other 2\n"))
    new.load_processor(data.processor())
    new.setup("predict")
    assert len(new.splits["predict"]) == 1 and new.predict_names == ["1", "2"]


def test_a_decimal_comma_is_a_point_and_another_file_is_tested_whole(tmp_path: Path) -> None:
    data = ScoreTable(table(tmp_path), vocab_size=100)
    data.setup("fit")
    (other := tmp_path / "o.csv").write_text('text;score\na text;"1,5"\nb text;2\n')
    new = ScoreTable(str(other))
    new.load_processor(data.processor())
    new.setup("test")
    assert new.splits["test"][1].tolist() == [1.5, 2.0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("text,second,score\n" + ROWS + "a text,b,many\n", "row 41: 'many' in column 'score' is not a number"),
        ("text,second,score\n" + ROWS + "a text,b,nan\n", "row 41: 'nan'"),
        ("text,second,score\n" + ROWS + "a text,,3\n", "row 41: no text in column 'second'"),
        ("text,second,score\na,b,3\nc,d,3\n", "is 3 in every row"),
        ("text,second,score\na,b,3\nc,d,4\n", "leave none for"),
        ("text,second\na,b\n", "no column 'score'.* give --data.score"),
    ],
)
def test_what_cannot_be_used_is_one_line(content: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        ScoreTable(table(tmp_path, content), second="second", vocab_size=100).setup("fit")


def test_another_file_may_have_one_row_or_one_score(tmp_path: Path) -> None:
    rows = "".join(f"text {k},other {k},{k % 5}\n" for k in range(20))
    (tmp_path / "a.csv").write_text("text,second,score\n" + rows)
    (tmp_path / "b.csv").write_text("text,second,score\none,two,3\n")
    data = ScoreTable(str(tmp_path / "a.csv"), second="second", vocab_size=60)
    data.setup("fit")
    other = ScoreTable(str(tmp_path / "b.csv"), second="second", vocab_size=60)
    other.load_processor(data.processor())
    assert other.read("test")["test"][2].tolist() == [3.0] and other.other_file  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("cells", "scores"),
    [
        (["1,200", "0.5"], [1200, 0.5]),  # a point is decimal, so the comma groups
        (["1.200", "0,5"], [1200, 0.5]),
        (["1,200.5", "3"], [1200.5, 3]),
        (["1.234", "2.345"], [1.234, 2.345]),
        (["1,5", "2.5"], [1.5, 2.5]),
        (["-1e3", "+2"], [-1000, 2]),
    ],
)
def test_the_column_shows_whether_a_comma_is_decimal(cells: list[str], scores: list[float]) -> None:
    rows = Table()
    rows.labels, rows.numbers = cells, [1, 2]
    assert numbers(rows, "t.csv", "score").tolist() == pytest.approx(scores)


def test_a_number_that_can_be_two_is_refused() -> None:
    rows = Table()
    rows.labels, rows.numbers = ["3", "1,200"], [1, 2]
    with pytest.raises(UserError, match=r"t.csv, row 2: '1,200' in column 'score' can be 1200 or 1.2: write the one"):
        numbers(rows, "t.csv", "score")


def test_pairs_with_the_same_first_text_are_in_one_split(tmp_path: Path) -> None:
    rows = "".join(f"text {i % 20},other {i},{i}\n" for i in range(60))
    data = ScoreTable(table(tmp_path, "text,second,score\n" + rows), second="second", vocab_size=100)
    found = data.read("fit")
    assert [len(found[name][0]) for name in ("train", "val", "test")] == [42, 9, 9]
    assert not set(found["train"][0]) & {*found["val"][0], *found["test"][0]}
    assert "40 rows repeat a text and are in the split of its first row" in data.facts
