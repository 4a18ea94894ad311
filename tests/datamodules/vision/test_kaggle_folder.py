"""A competition's folder: every class held out, folds that divide all, training on everything, ids in their order."""

import csv
from pathlib import Path

import pytest
import torch

from common.messages import UserError
from datamodules.vision.kaggle_folder import KaggleCIFAR10, KaggleFolder, by_number, labeled
from tests.datamodules.vision.pictures import draw


def competition(root: Path, count: int = 24, tests: int = 12, table: str = "trainLabels.csv") -> Path:
    """Dark and light pictures of 8 pixels, numbered from 1, a third of them light; the table is not sorted."""
    for k in range(1, count + 1):
        draw(root / "train" / f"{k}.png", 200 if k % 3 == 0 else 40 + k, 8, 8, "RGB")
    for k in range(1, tests + 1):
        draw(root / "test" / f"{k}.png", 10 * k, 8, 8, "RGB")
    with (root / table).open("w", newline="") as file:
        rows = [[str(k), "light" if k % 3 == 0 else "dark"] for k in sorted(range(1, count + 1), key=str)]
        csv.writer(file).writerows([["id", "label"], *rows])
    return root


def test_every_class_is_held_out_and_splits_share_no_picture(tmp_path: Path) -> None:
    data = KaggleFolder(str(competition(tmp_path)), val_fraction=0.25, test_fraction=0.25)
    data.setup("fit")
    data.setup("test")
    assert data.class_names == ["dark", "light"] and data.image_size == 8 and data.in_channels == 3
    assert {name: y.bincount().tolist() for name, (_, y) in data.splits.items()} == {
        "train": [8, 4],
        "val": [4, 2],
        "test": [4, 2],
    }
    every = torch.cat([x[:, 0, 0, 0] for x, _ in data.splits.values()]).sort().values
    assert every.tolist() == sorted(200 if k % 3 == 0 else 40 + k for k in range(1, 25))


def test_the_folds_tests_are_all_pictures_once(tmp_path: Path) -> None:
    competition(tmp_path)
    tested = []
    for fold in range(4):
        data = KaggleFolder(str(tmp_path), num_folds=4, fold=fold)
        data.setup("test")
        x, y = data.splits["test"]
        assert y.bincount().tolist() == [4, 2]
        tested += x[:, 0, 0, 0].tolist()
    assert sorted(tested) == sorted(200 if k % 3 == 0 else 40 + k for k in range(1, 25))
    with pytest.raises(UserError, match=r"data\.unlabeled is for folders without classes"):
        KaggleFolder(str(tmp_path), unlabeled=True)
    with pytest.raises(UserError, match=r"data.fold is 4: with data.num_folds 4 give one of 0 to 3"):
        KaggleFolder(str(tmp_path), num_folds=4, fold=4)


def test_everything_is_trained_on_and_then_there_is_nothing_to_test(tmp_path: Path) -> None:
    data = KaggleFolder(str(competition(tmp_path)), everything=True)
    data.setup("fit")
    assert data.splits["train"][1].bincount().tolist() == [16, 8] and len(data.splits["val"][1]) == 3
    alone = KaggleFolder(str(tmp_path), everything=True)
    alone.load_processor(data.processor())
    alone.setup("validate")
    assert list(alone.splits) == ["val"] and torch.equal(alone.splits["val"][0], data.splits["val"][0])
    alone.setup("predict")
    assert len(alone.splits["predict"][0]) == 12
    with pytest.raises(UserError, match=r"data.everything leaves no labeled picture to test"):
        data.setup("test")


def test_test_pictures_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    data = KaggleFolder(str(competition(tmp_path)))
    data.setup("predict")
    assert data.predict_names == [str(k) for k in range(1, 13)]
    assert data.splits["predict"][0][:, 0, 0, 0].tolist() == [10 * k for k in range(1, 13)]
    assert data.submission == "label" and data.predict_picture(9)[0].getpixel((0, 0)) == (100, 100, 100)
    (tmp_path / "sample_submission.csv").write_text("id,dark,light\n1,0.5,0.5\n")
    data = KaggleFolder(str(tmp_path))
    data.setup("predict")
    assert data.submission == "probabilities"
    assert sorted(["b", "10", "9", "a"], key=by_number) == ["9", "10", "a", "b"]


@pytest.mark.parametrize(
    ("row", "says"),
    [("99,light", "id 99 has no picture in"), ("1,light", "id 1 is there twice: remove one of the rows")],
)
def test_a_wrong_row_of_the_table_is_named(tmp_path: Path, row: str, says: str) -> None:
    with (competition(tmp_path) / "trainLabels.csv").open("a") as file:
        file.write(f"{row}\n")
    with pytest.raises(UserError, match=says):
        labeled(str(tmp_path))


def test_a_folder_without_a_table_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match=r"has no trainLabels.csv or labels.csv"):
        KaggleFolder(str(tmp_path))
    (tmp_path / "labels.csv").write_text("id,breed,weight\n")
    with pytest.raises(UserError, match="two are needed, the id and the class"):
        KaggleFolder(str(tmp_path))
    monkeypatch.setenv("DIVE_DATA", str(tmp_path))
    with pytest.raises(UserError, match=r"is not there: unpack http.*kaggle_cifar10_tiny.zip"):
        KaggleCIFAR10().setup("fit")


def test_of_another_competitions_folder_all_labeled_pictures_are_tested_and_changed_labels_refused(
    tmp_path: Path,
) -> None:
    run = KaggleFolder(str(competition(tmp_path / "a")), num_folds=4)
    run.setup("fit")
    for root, count in ((competition(tmp_path / "b", 12), 12), (tmp_path / "a", 6)):
        data = KaggleFolder(str(root), 2, 3, 8, num_folds=4, fold=1)
        data.load_processor(run.processor())
        data.setup("test")
        assert len(data.splits["test"][0]) == count
    table = tmp_path / "a" / "trainLabels.csv"
    table.write_text(table.read_text().replace("1,dark", "1,light", 1))
    data = KaggleFolder(str(tmp_path / "a"), 2, 3, 8, num_folds=4)
    data.load_processor(run.processor())
    with pytest.raises(UserError, match="changed since training"):
        data.setup("test")
