"""A person's own texts and pairs for BERT."""

from pathlib import Path

import pytest

from common.messages import UserError
from datamodules.text.bert_table import BertTable
from datamodules.text.text_table import TextTable

ROWS = "".join(f"text number {i},other {i % 3},{'yes' if i % 2 else 'no'}\n" for i in range(40))


def table(folder: Path, content: str = "text,second,label\n" + ROWS) -> str:
    (path := folder / "t.csv").write_text(content)
    return str(path)


def test_texts_are_split_and_classes_are_found(tmp_path: Path) -> None:
    data = BertTable(table(tmp_path), vocab_size=100)
    data.setup("fit")
    assert data.num_classes == 2 and data.class_names == ["no", "yes"]
    assert [len(data.splits[name][0]) for name in ("train", "val", "test")] == [28, 6, 6]


def test_a_second_column_makes_pairs_and_prediction_reads_both(tmp_path: Path) -> None:
    data = BertTable(table(tmp_path), second="second", vocab_size=100)
    data.setup("fit")
    assert bool(((data.splits["train"][0] == 3).sum(1) == 2).all())
    new = BertTable(table(tmp_path, "text,second\na text,other 1\nan other,other 2\n"), num_classes=2)
    new.load_processor(data.processor())
    new.setup("predict")
    assert ((new.splits["predict"][0] == 3).sum(1) == 2).all() and new.predict_names == ["1", "2"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("text,second,label\n" + ROWS + "a text,,yes\n", "row 41: no text in column 'second'"),
        ("text,second,label\n" + ROWS + "a text,b,rare\n", "fewer than 3 texts"),
        ("text,second,label\na,c,b\n", "is 'b' in every row"),
        ("text,label\n" + ROWS.replace(",other ", " "), "no column 'second'"),
    ],
)
def test_what_cannot_be_used_is_one_line(content: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        BertTable(table(tmp_path, content), second="second", vocab_size=100).setup("fit")


def test_one_class_is_one_line_before_a_network_is_made_for_it(tmp_path: Path) -> None:
    for kind in (BertTable, TextTable):
        with pytest.raises(UserError, match="'b' in every row: at least two classes"):
            kind(table(tmp_path, "text,label\na,b\n"))


def test_a_class_that_the_run_did_not_have_is_one_line(tmp_path: Path) -> None:
    data = BertTable(table(tmp_path), vocab_size=100)
    data.setup("fit")
    other = BertTable(table(tmp_path, "text,label\n" + "a b,maybe\nc d,no\n" * 4), num_classes=2)
    other.load_processor(data.processor())
    with pytest.raises(UserError, match="class 'maybe' did not occur"):
        other.setup("test")


def test_pairs_with_the_same_first_text_are_in_one_split(tmp_path: Path) -> None:
    rows = "".join(f"text {i % 20},other {i},{'yes' if i % 2 else 'no'}\n" for i in range(60))
    data = BertTable(table(tmp_path, "text,second,label\n" + rows), second="second", vocab_size=100)
    found = data.read("fit")
    assert not set(found["train"][0]) & {*found["val"][0], *found["test"][0]} and len(found["train"][0]) == 36
    assert "40 rows repeat a text and are in the split of its first row" in data.facts
