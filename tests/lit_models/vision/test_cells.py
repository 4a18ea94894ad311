"""LitCells: the battery, thresholds chosen on validation and kept, counts that leave out what does not count."""

import csv
import json
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

from common.messages import UserError
from lit_models.vision.cells import LitCells, counted
from scripts.cli import main
from scripts.front.recipes import find_recipe
from scripts.front.runs import newest_run
from tests.lit_models.vision.test_ssd import DetectorBattery
from tests.scripts.serve.cells.site import as_bytes, drawn, odd_pictures


class TestLitCells(DetectorBattery):
    task = LitCells
    overfit_steps, overfit_loss = 40, 2.0  # of the same network and loss as in test_ssd.py

    def test_validation_chooses_thresholds_without_bias_and_the_checkpoint_keeps_them(self, tmp_path: Path) -> None:
        model, batch = self.model(), self.batch()
        loader = DataLoader([batch], batch_size=None)  # type: ignore[arg-type]
        trainer = self.trainer(tmp_path)
        (found,) = trainer.validate(model, loader, verbose=False)
        assert not torch.equal(model.thresholds, torch.full((2,), 0.5))
        assert model.eval().count(batch[0]).sum(0).tolist() == [3, 3] and found["val/count_error"] > 0
        (tested,) = trainer.test(model, loader, verbose=False)
        assert tested["test/count_bias_0"] == 0 and tested["test/count_bias_1"] == 0
        assert tested["test/count_error_low"] <= tested["test/count_error"] <= tested["test/count_error_high"]
        other = self.model().eval()
        other.load_state_dict(model.state_dict())
        assert torch.equal(other.count(batch[0]), model.eval().count(batch[0]))
        assert f"{model.thresholds[0]:.4f}" in other.output_means

    def test_a_given_threshold_stays(self, tmp_path: Path) -> None:
        model = self.model(count_threshold=0.25)
        self.trainer(tmp_path).validate(model, DataLoader([self.batch()], batch_size=None), verbose=False)  # type: ignore[arg-type]
        assert model.counting_from().tolist() == [0.25, 0.25]
        model.load_state_dict(self.model().state_dict())  # with the thresholds of a run
        assert model.counting_from().tolist() == [0.25, 0.25]

    def test_predictions_are_the_cells_that_count(self) -> None:
        model, x = self.model().eval(), self.batch()[0]
        scores = model.predict_step((x,), 0)
        model.thresholds.copy_(torch.tensor([0.4, 1.0]))
        kept = model.predict_step((x,), 0)
        assert all((picture["labels"] == 0).all() and (picture["scores"] >= 0.4).all() for picture in kept)
        assert [len(picture["scores"]) for picture in kept] == model.count(x).sum(1).tolist()
        assert sum(len(p["scores"]) for p in scores) >= 0

    def test_with_flips_a_mirrored_picture_has_the_mirrored_cells(self) -> None:
        x = self.batch()[0]
        for flips in (True, False):
            model = self.model(flips=flips, count_threshold=0.35).eval()
            one, other = model.predict_step((x,), 0), model.predict_step((x.flip(-1),), 0)
            for a, b in zip(one, other, strict=True):
                left, top, right, bottom = b["boxes"].unbind(1)
                back = torch.stack([1 - right, top, 1 - left, bottom], 1)
                same = a["boxes"].shape == back.shape and torch.allclose(
                    by_place(a["boxes"]), by_place(back), atol=1e-5
                )
                assert same == flips
        assert torch.equal(model.count(x).sum(1), torch.tensor([len(a["scores"]) for a in one]))

    def test_a_large_picture_is_looked_at_in_tiles_of_the_networks_size(self) -> None:
        model, x = self.model(count_threshold=0.3, tile_overlap=0.0).eval(), torch.rand(1, 3, 64, 64)
        (whole,) = model.predict_step((x,), 0)
        (corner,) = model.predict_step((x[..., :32, 32:],), 0)
        inside = (corner["boxes"] * 32 > 1).all(1) & (corner["boxes"] * 32 < 31).all(1)
        wanted = (corner["boxes"][inside] * 32 + torch.tensor([32, 0, 32, 0])) / 64
        assert len(wanted) and len(whole["boxes"]) > len(corner["boxes"])
        nearest = (wanted[:, None] - whole["boxes"]).abs().amax(2).amin(1)
        assert (nearest < 1e-6).float().mean() > 0.8  # the others are suppressed by boxes of other tiles

    def test_flips_are_judged_too_and_an_overlap_of_whole_tiles_is_refused(self, tmp_path: Path) -> None:
        found = {}
        for flips in (False, True):
            (found[flips],) = self.trainer(tmp_path).validate(
                self.model(flips=flips), DataLoader([self.batch()], batch_size=None), verbose=False
            )
        assert found[True]["val/loss"] == found[False]["val/loss"] and found[True] != found[False]
        with pytest.raises(UserError, match=r"model.tile_overlap is 1.0: give a fraction"):
            self.model(tile_overlap=1.0)


def by_place(boxes: torch.Tensor) -> torch.Tensor:
    return boxes[(boxes * torch.tensor([1.0, 10, 100, 1000])).sum(1).argsort()]


def test_detections_on_ignored_objects_and_the_objects_do_not_count() -> None:
    found = {
        "boxes": torch.tensor([[0.0, 0, 10, 10], [20, 20, 30, 30]]),
        "scores": torch.tensor([0.9, 0.8]),
        "labels": torch.tensor([0, 1]),
    }
    truth = {"boxes": torch.tensor([[0.0, 0, 10, 9], [21, 20, 30, 30]]), "iscrowd": torch.tensor([1, 0])}
    scores, labels, true = counted(found, {**truth, "labels": torch.tensor([0, 1])})
    assert scores.tolist() == pytest.approx([0.8]) and labels.tolist() == [1] and true.tolist() == [1]


# -- as a person uses it --------------------------------------------------------------------------------------------


def test_a_checkpoint_of_averaged_weights_has_the_thresholds_that_were_chosen() -> None:
    net = TestLitCells().model()
    net.thresholds.fill_(0.7)
    checkpoint: dict[str, Any] = {"state_dict": {"thresholds": torch.full_like(net.thresholds, 0.5)}}
    net.on_save_checkpoint(checkpoint)
    assert torch.equal(checkpoint["state_dict"]["thresholds"], net.thresholds)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small run of a few steps."""
    small = shlex.split(find_recipe("vision/cells").header["small"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DIVE_RUNS", str(tmp_path_factory.mktemp("runs")))
        assert main(["fit", "vision/cells", *small, "--trainer.max_epochs", "1"]) == 0
        return newest_run("vision/cells")


def test_a_folder_of_odd_pictures_is_counted_whole(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, content in {**odd_pictures(), "empty.png": b"", "half.png": as_bytes(drawn())[:3000]}.items():
        (tmp_path / name).write_bytes(content)
    out = tmp_path / "out" / "predictions.csv"
    words = ["predict", "vision/cells", "--run", str(run), "--data", "ImageFolder", "--data.root", str(tmp_path)]
    assert main([*words, "--out", str(out)]) == 0
    assert "2 of 9 images cannot be read and are left out" in capsys.readouterr().err
    counts = {row["name"]: row for row in csv.DictReader(out.with_name("counts.csv").open())}
    boxes = list(csv.DictReader(out.open()))
    assert counts.keys() == odd_pictures().keys()
    for name, row in counts.items():
        found = [box for box in boxes if box["name"] == name and box["label"]]
        assert int(row["total"]) == len(found) == sum(int(row[kind]) for kind in ("Platelets", "RBC", "WBC"))
        assert Image.open(out.with_name("marked") / f"{name}.png").size == (
            (100, 200) if name == "rotated.jpg" else (200, 100)
        )
    wide = [float(box["right"]) for box in boxes if box["label"] and box["name"] != "rotated.jpg"]
    assert max(wide) > 160, "the whole picture was seen, not its square in the middle"


@pytest.mark.slow
def test_a_scan_of_a_hundred_megapixels_is_counted(run: Path, tmp_path: Path) -> None:
    Image.fromarray(np.tile(np.array(drawn().convert("L")), (105, 105))).save(tmp_path / "scan.png", compress_level=1)
    out = tmp_path / "out" / "predictions.csv"
    words = ["predict", "vision/cells", "--run", str(run), "--data", "ImageFolder", "--data.root", str(tmp_path)]
    assert main([*words, "--out", str(out)]) == 0
    assert max(Image.open(out.with_name("marked") / "scan.png.png").size) == 2400


@pytest.mark.slow
def test_the_run_says_that_it_saw_whole_pictures_and_onnx_finds_the_same_boxes(run: Path) -> None:
    import onnxruntime

    assert json.loads((run / "processor.json").read_text())["whole_pictures"]
    assert main(["export", "vision/cells", "--run", str(run), "--format", "onnx"]) == 0
    session = onnxruntime.InferenceSession(str(run / "export/model.onnx"), providers=["CPUExecutionProvider"])
    from scripts.verbs.export import load_network

    model: Any = load_network(run / "export/model.safetensors")
    x = torch.rand(3, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    theirs = model.detect(tuple(map(torch.from_numpy, session.run(["output0", "output1"], {"input0": x.numpy()}))))
    for mine, other in zip(model.detect(model(x)), theirs, strict=True):
        torch.testing.assert_close(other, mine, atol=1e-3, rtol=0)
    said = json.loads((run / "export/export.json").read_text())["after"]
    assert f"{model.thresholds[1]:.4f}" in said


@pytest.mark.slow
def test_a_voc_folder_of_ones_own_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIVE_RUNS", str(tmp_path / "runs"))
    for folder in ("Annotations", "JPEGImages"):
        (tmp_path / "voc" / folder).mkdir(parents=True)
    for k in range(12):
        drawn(k).save(tmp_path / f"voc/JPEGImages/{k}.jpg")
        box = "<xmin>10</xmin><ymin>10</ymin><xmax>40</xmax><ymax>40</ymax>"
        named = "" if k == 3 else f"<object><name>{'ab'[k % 2]}</name><bndbox>{box}</bndbox></object>"  # 3: no boxes
        text = f"<annotation><filename>{k}.jpg</filename>{named}</annotation>"
        (tmp_path / f"voc/Annotations/{k}.xml").write_text(text)
    data = ["--data", "VOCFolder", "--data.root", str(tmp_path / "voc"), "--data.batch_size", "4"]
    small = ["--model.widths", "[4,8]", "--model.channels", "8", "--trainer.max_epochs", "1"]
    assert main(["fit", "vision/cells", *data, *small]) == 0
    assert main(["test", "vision/cells"]) == 0
    metrics = json.loads((newest_run("vision/cells") / "run.json").read_text())["metrics"]
    assert np.isfinite(metrics["test/count_error"]) and (newest_run("vision/cells") / "worst_counts.png").is_file()
