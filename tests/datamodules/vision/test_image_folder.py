"""Your own images: sizes that are found, splits, ranks, errors; end to end."""

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Trainer

from common.messages import UserError
from datamodules.vision.image_files import FileLoader
from datamodules.vision.image_folder import ImageFolder
from lit_models.cnn.lenet import LitLeNet
from scripts.cli import main
from tests.datamodules.vision.pictures import SHADE, corrupt, draw, fill


def ready(root: Path, stage: str = "fit", **arguments: Any) -> ImageFolder:
    data = ImageFolder(str(root), **arguments)
    data.setup(stage)
    return data


# -- what is found ------------------------------------------------------------------------------------------------


def test_sizes_are_found_from_names_and_headers(tmp_path: Path) -> None:
    fill(tmp_path, 5, {"a": 1, "b": 2, "c": 3})  # short sides 20 to 24
    assert ImageFolder.infer(str(tmp_path)) == {"num_classes": 3, "in_channels": 1, "image_size": 22}
    assert ImageFolder.infer(str(tmp_path), image_size=12)["image_size"] == 12


def test_one_color_image_makes_the_set_color(tmp_path: Path) -> None:
    fill(tmp_path, 4)
    draw(tmp_path / "dark" / "x.jpg", 30, mode="RGB")
    assert ImageFolder.infer(str(tmp_path))["in_channels"] == 3
    data = ready(tmp_path)
    x, _ = data.splits["train"]
    assert x.shape[1] == 3 and x.dtype == torch.uint8


def test_large_images_are_made_64_pixels_unless_more_is_asked_for(tmp_path: Path) -> None:
    for name in SHADE:
        for i in range(3):
            draw(tmp_path / name / f"{i}.png", 9, 300, 200)
    assert ready(tmp_path).splits["train"][0].shape[-2:] == (64, 64)
    assert ready(tmp_path, image_size=100).splits["train"][0].shape[-2:] == (100, 100)


def test_no_pixels_are_decoded_to_find_the_sizes(tmp_path: Path) -> None:
    fill(tmp_path, 3)
    for path in tmp_path.rglob("*.png"):
        path.write_bytes(path.read_bytes()[:45])  # a PNG's header and four bytes of its pixels
    assert ImageFolder.infer(str(tmp_path))["num_classes"] == 2


# -- splits -------------------------------------------------------------------------------------------------------


def test_split_is_disjoint_stratified_and_independent_of_the_seed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path, 20)
    first = ready(tmp_path)
    first.setup("test")
    monkeypatch.setenv("PL_GLOBAL_SEED", "7")
    again = ready(tmp_path)
    for split, count in (("train", 14), ("val", 3), ("test", 3)):
        assert first.splits[split][1].bincount().tolist() == [count, count]
    assert torch.equal(first.splits["train"][0], again.splits["train"][0])
    known = {
        s: set(first._labeled_files(stage)[0][s]) for s, stage in (("train", "fit"), ("val", "fit"), ("test", "test"))
    }
    assert len(set.union(*known.values())) == 40


def test_split_folders_are_used_as_splits(tmp_path: Path) -> None:
    for split, count in (("train", 4), ("val", 2), ("test", 1)):
        fill(tmp_path / split, count)
    data = ready(tmp_path)
    data.setup("test")
    assert [len(data.splits[s][0]) for s in ("train", "val", "test")] == [8, 4, 2]
    assert data.class_names == ["dark", "light"]


def test_a_split_without_a_folder_is_taken_from_train(tmp_path: Path) -> None:
    fill(tmp_path / "train", 10)
    fill(tmp_path / "test", 2)
    data = ready(tmp_path, val_fraction=0.2)
    data.setup("test")
    assert [len(data.splits[s][0]) for s in ("train", "val", "test")] == [16, 4, 4]


def test_a_batch_is_floats_between_0_and_1(tmp_path: Path) -> None:
    data = ready(fill(tmp_path, 4))
    x, y = data.on_after_batch_transfer(next(iter(data.train_dataloader())), 0)
    assert x.dtype == torch.float32 and x.min() >= 0 and x.max() <= 1 and y.dtype == torch.int64
    assert ((x.mean((1, 2, 3)) > 0.5).long() == y).all()


# -- errors -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda root: draw(fill(root, 4) / "rare" / "a.png"), "class 'rare' has 1 images"),
        (lambda root: (fill(root / "train", 4), fill(root / "val", 2, {"new": 1})), "val has class 'new'"),
    ],
)
def test_a_folder_that_cannot_be_split_is_one_line(tmp_path: Path, build: Any, message: str) -> None:
    root = tmp_path / "images"
    root.mkdir()
    build(root)
    with pytest.raises(UserError, match=message) as error:
        ready(root)
    assert "\n" not in str(error.value)


def test_a_folder_that_does_not_match_the_given_number_of_classes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"2 class folders, but data.num_classes is 5"):
        ready(fill(tmp_path, 4), num_classes=5)


# -- unreadable files ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [0, 2000])
def test_corrupt_files_are_left_out_with_one_note(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], limit: float
) -> None:
    fill(tmp_path, 10)
    for i in range(4):
        corrupt(tmp_path / "dark" / f"{i:02d}.png")
    data = ready(tmp_path, test_fraction=0, memory_limit_mb=limit)
    assert len(data.splits["train"][0]) + len(data.splits["val"][0]) == 16
    notes = [line for line in capsys.readouterr().err.splitlines() if "cannot be read" in line]
    assert len(notes) == 1 and "4 of 20 images" in notes[0] and notes[0].count(".png") == 3


def test_a_class_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    fill(tmp_path, 3, SHADE | {"other": 9})
    for path in (tmp_path / "dark").glob("*.png"):
        corrupt(path)
    with pytest.raises(UserError, match="no image of class 'dark' can be read"):
        ready(tmp_path)


def test_a_set_of_which_more_than_half_cannot_be_read_is_refused(tmp_path: Path) -> None:
    fill(tmp_path, 10)
    for path in list(tmp_path.rglob("*.png"))[:14]:
        corrupt(path)
    with pytest.raises(UserError, match="more than half"):
        ready(tmp_path, test_fraction=0)


# -- sets that do not fit in memory -------------------------------------------------------------------------------


def batches(loader: Any) -> list[tuple[torch.Tensor, ...]]:
    return list(loader)


@pytest.mark.parametrize("workers", [0, 1])
def test_streamed_batches_are_those_of_the_in_memory_loader(tmp_path: Path, workers: int) -> None:
    fill(tmp_path, 10, ending="jpg")
    fast = ready(tmp_path, batch_size=4)
    slow = ready(tmp_path, batch_size=4, memory_limit_mb=0, num_workers=workers)
    assert isinstance(slow.train_dataloader(), FileLoader)
    for name in ("train_dataloader", "val_dataloader"):
        a, b = getattr(fast, name)(), getattr(slow, name)()
        for epoch in (0, 1):
            a.set_epoch(epoch), b.set_epoch(epoch)
            for left, right in zip(batches(a), batches(b), strict=True):
                assert torch.equal(left[0], right[0]) and torch.equal(left[1], right[1])


def test_streamed_set_resumes_within_an_epoch(tmp_path: Path) -> None:
    data = ready(fill(tmp_path, 10), batch_size=4, memory_limit_mb=0, num_workers=1)  # which runs ahead
    loader, whole = iter(first := data.train_dataloader()), batches(data.train_dataloader())
    next(loader), next(loader)
    state = first.state_dict()
    assert state["batch"] == 2
    again = data.train_dataloader()
    again.load_state_dict(state)
    rest = batches(again)
    assert len(rest) == len(whole) - 2 and torch.equal(rest[0][0], whole[2][0])


def test_streaming_does_not_move_the_global_random_stream(tmp_path: Path) -> None:
    loader = ready(fill(tmp_path, 4), memory_limit_mb=0, num_workers=0).train_dataloader()
    before = torch.get_rng_state()
    batches(loader)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("limit", [0, 2000])
def test_ranks_divide_an_epoch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: float) -> None:
    fill(tmp_path, 25)
    data = ready(tmp_path, val_fraction=0.3, batch_size=4, memory_limit_mb=limit, num_workers=0)
    seen: dict[str, list[int]] = {"train": [], "val": []}
    steps = []
    for rank in range(3):
        monkeypatch.setattr(data, "_rank_and_world", lambda rank=rank: (rank, 3))
        loaders = {"train": data.train_dataloader(), "val": data.val_dataloader()}
        for split, loader in loaders.items():
            rows = loader._order()
            seen[split] += rows.tolist()
            labels = torch.cat([y for _, y in batches(loader)])
            assert torch.equal(labels, data.splits[split][1][rows])
        steps.append([len(y) for _, y in batches(loaders["train"])])
    train, val = (len(data.splits[split][1]) for split in ("train", "val"))
    assert train % 3 and val % 3
    assert sorted(seen["val"]) == list(range(val))  # each evaluation sample exactly once
    assert len(set(seen["train"])) == len(seen["train"]) == train // 3 * 3
    assert steps[0] == steps[1] == steps[2]


def test_ranks_share_the_search_for_unreadable_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path, 5)
    corrupt(tmp_path / "dark" / "01.png")
    paths = [str(p) for p in sorted(tmp_path.rglob("*.png"))]
    data = ImageFolder(str(tmp_path))
    alone = data._readable_by_all_ranks(paths)
    looked: list[int] = []

    def gather(parts: list[Any], mine: torch.Tensor) -> None:  # both ranks in one process
        looked.append(len(mine))
        parts[:] = [alone[0::2], alone[1::2]]

    monkeypatch.setattr(torch.distributed, "all_gather_object", gather)
    monkeypatch.setattr(data, "_rank_and_world", lambda: (1, 2))
    assert torch.equal(data._readable_by_all_ranks(paths), alone) and not alone[1] and looked == [5]


# -- end to end ---------------------------------------------------------------------------------------------------


def read_predictions(runs: Path) -> list[dict[str, str]]:
    (path,) = runs.glob("**/predictions.csv")
    return list(csv.DictReader(path.open()))


def test_predicts_a_flat_folder_after_the_training_folder_is_gone(tmp_path: Path) -> None:
    root, new = fill(tmp_path / "train_set", 12), tmp_path / "new"
    fit = ["fit", "cnn/lenet", "--data", "ImageFolder", "--data.root", str(root), "--data.batch_size", "8"]
    assert main([*fit, "--trainer.max_epochs", "1", "--model.optimizer.lr", "0.01"]) == 0
    shutil.rmtree(root)
    draw(new / "a.png", 40)
    draw(new / "deep" / "er" / "b.jpg", 210, 50, 40, "RGB")
    draw(new / "c.png", 1)
    corrupt(new / "c.png")
    assert main(["predict", "cnn/lenet", "--data.root", str(new)]) == 0
    rows = read_predictions(tmp_path / "runs")
    assert [row["name"] for row in rows] == ["a.png", "deep/er/b.jpg"]
    for row in rows:
        assert float(row["p(dark)"]) + float(row["p(light)"]) == pytest.approx(1, abs=1e-4)
        assert row["label"] == max(SHADE, key=lambda c: float(row[f"p({c})"]))
    (record,) = (tmp_path / "runs").glob("**/processor.json")
    kept = json.loads(record.read_text())
    assert kept.pop("file")["path"].startswith(str(tmp_path))
    assert kept == {"class_names": ["dark", "light"], "in_channels": 1, "image_size": 22}


def test_streamed_training_gives_the_weights_and_predictions_of_the_in_memory_loader(tmp_path: Path) -> None:
    fill(tmp_path / "images", 8)
    results = []
    for limit in (2000, 0):
        torch.manual_seed(0)
        data = ImageFolder(str(tmp_path / "images"), batch_size=4, memory_limit_mb=limit, num_workers=0, flip=True)
        model = LitLeNet(
            in_channels=data.in_channels, num_classes=data.num_classes, image_size=data.image_size, activation="relu"
        )
        quiet: dict[str, Any] = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
        trainer = Trainer(accelerator="cpu", max_epochs=2, enable_checkpointing=False, **quiet)
        trainer.fit(model, data)
        predicted = torch.cat([p["probabilities"] for p in trainer.predict(model, data)])
        results.append((torch.nn.utils.parameters_to_vector(model.parameters()).detach(), predicted))
    for fast, streamed in zip(*results, strict=True):
        assert torch.equal(fast, streamed)


def test_an_error_is_one_line_and_exit_code_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for more in ([], ["--data.root", str(tmp_path / "nowhere")]):
        assert main(["fit", "cnn/lenet", "--data", "ImageFolder", *more]) == 2
        assert "--data.root" in capsys.readouterr().err.splitlines()[-1]
