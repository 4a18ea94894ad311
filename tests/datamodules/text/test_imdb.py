"""IMDb: the published folders, validation as a block of films, no line breaks among the words."""

from pathlib import Path

import pytest

from common.messages import UserError
from datamodules.text.imdb import ADDRESS, BertIMDb, IMDb, read_imdb


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Twenty training reviews of each class and ten test reviews, numbered as published."""
    monkeypatch.setenv("DIVE_DATA", str(tmp_path))
    for part, count in (("train", 20), ("test", 10)):
        for name, word, rating in (("neg", "dull", 2), ("pos", "fine", 9)):
            folder = tmp_path / "aclImdb" / part / name
            folder.mkdir(parents=True)
            for i in range(count):
                text = f"A {word} film.<br /><br />{part} number{i} caf\u00e9"
                (folder / f"{i}_{rating}.txt").write_text(text, encoding="utf-8")
    return tmp_path / "aclImdb"


def test_validation_has_the_last_ids_of_each_class(files: Path) -> None:
    parts = read_imdb(0.2)
    assert {name: len(texts) for name, (texts, _) in parts.items()} == {"train": 32, "val": 8, "test": 20}
    assert parts["val"][0][:2] == ["A dull film. train number16 caf\u00e9", "A dull film. train number17 caf\u00e9"]
    for texts, y in parts.values():
        assert [("fine" in text) for text in texts] == y.bool().tolist()


def test_both_networks_read_the_same_reviews(files: Path) -> None:
    words, pieces = IMDb(vocab_size=60, seq_len=12), BertIMDb(vocab_size=120, seq_len=32)
    for data in (words, pieces):
        data.setup("fit")
        data.setup("test")
        assert [len(data.splits[name][1]) for name in ("train", "val", "test")] == [36, 4, 20]
        assert data.class_names == ["unfavorable", "favorable"]
        assert data.baselines()["baseline"]["metrics"]["test/acc"] == 1.0  # by one word
    assert words.vocabulary is not None and "br" not in words.vocabulary and "caf\u00e9" in words.vocabulary


def test_a_missing_folder_and_an_empty_split_are_named(files: Path) -> None:
    with pytest.raises(UserError, match=r"data.val_fraction is 0.001: of 20 reviews it leaves a split empty"):
        read_imdb(0.001)
    for file in (files / "test/pos").iterdir():
        file.unlink()
    with pytest.raises(UserError, match=f"no reviews in .*aclImdb/test/pos: unpack {ADDRESS} into"):
        IMDb().setup("fit")


@pytest.mark.realdata("aclImdb")
def test_the_public_files_are_read() -> None:
    parts = read_imdb()
    assert len(parts["train"][0]) + len(parts["val"][0]) >= 2000 and len(parts["test"][0]) >= 1000
    assert all(y.double().mean() == 0.5 for _, y in parts.values())
    assert not set(parts["train"][0]) & set(parts["test"][0])
