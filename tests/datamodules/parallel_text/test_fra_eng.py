"""The book's French-English pairs."""

import pytest

from datamodules.parallel_text.fra_eng import FraEng


def test_texts_are_prepared_as_the_book_does() -> None:
    assert FraEng().normalize("Ça va\u202f? Oui,\xa0merci!") == "ça va ? oui , merci !"


@pytest.mark.realdata
def test_the_book_takes_the_files_first_rows() -> None:
    data = FraEng()
    data.setup("fit")
    assert data.sources["train"][:3] == ["go .", "hi .", "run !"] and data.references["train"][0] == "va !"
    assert [len(data.splits[name][0]) for name in ("train", "val", "test")] == [512, 128, 128]
    assert data.splits["train"][0].shape[1] == 9


@pytest.mark.realdata
def test_random_rows_share_no_english_sentence() -> None:
    splits = FraEng("random", train_size=2000, val_size=100, test_size=100).pairs()
    train, test = ({source for source, _ in splits[name]} for name in ("train", "test"))
    assert len(splits["train"]) == 2000 and not train & test
