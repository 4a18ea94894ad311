"""LitCells: the battery, thresholds chosen on validation and kept, counts that leave out what does not count."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from lit_models.vision.cells import LitCells, counted
from tests.battery import ADAM, TaskBattery
from tests.lit_models.vision.test_ssd import SIZES, objects


class TestLitCells(TaskBattery):
    parameters = 8_520  # TinySSD's; thresholds are not parameters
    overfit_steps = 120
    overfit_loss = 0.5

    def model(self, **arguments: Any) -> LitCells:
        torch.manual_seed(0)
        sizes: dict[str, Any] = {"num_classes": 2, "image_size": 32, "widths": [4, 8], "channels": 8, "sizes": SIZES}
        return LitCells(**sizes, optimizer=ADAM, **arguments)

    def batch(self) -> tuple[Tensor, ...]:
        generator = torch.Generator().manual_seed(0)
        return torch.rand(4, 3, 32, 32, generator=generator), *objects()

    def outputs(self, model: Any, batch: tuple[Tensor, ...]) -> Tensor:
        return torch.cat([part.flatten(1) for part in model(batch[0])], 1)

    def test_every_parameter_gets_a_gradient(self) -> None:
        model = self.model()
        self.outputs(model, self.batch()).square().sum().backward()
        assert not [name for name, p in model.named_parameters() if p.grad is None or not bool(p.grad.abs().sum() > 0)]

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


def test_detections_on_ignored_objects_and_the_objects_do_not_count() -> None:
    found = {
        "boxes": torch.tensor([[0.0, 0, 10, 10], [20, 20, 30, 30]]),
        "scores": torch.tensor([0.9, 0.8]),
        "labels": torch.tensor([0, 1]),
    }
    truth = {"boxes": torch.tensor([[0.0, 0, 10, 9], [21, 20, 30, 30]]), "iscrowd": torch.tensor([1, 0])}
    scores, labels, true = counted(found, {**truth, "labels": torch.tensor([0, 1])})
    assert scores.tolist() == pytest.approx([0.8]) and labels.tolist() == [1] and true.tolist() == [1]
