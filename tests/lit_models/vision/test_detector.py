"""What detectors share: average precision over a split, crowds and padding left out."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from lit_models.vision.detector import Detector, average_precision, for_metric, precisions
from tests.small import small_trainer


class Fixed(Detector):
    """Finds what the first row of an image holds: left, top, right, bottom, score and class of two boxes."""

    def __init__(self) -> None:
        super().__init__(num_classes=3, image_size=12)
        self.net = nn.Identity()

    def loss_and_count(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, Tensor, Any]:
        return batch[0].mean(), torch.tensor(len(batch[0])), batch[0]

    def detect(self, output: Any) -> tuple[Tensor, Tensor, Tensor]:
        rows = output[:, 0, :2]  # (B, 2, 12)
        return rows[..., :4], rows[..., 4], rows[..., 5].long()


def image(*boxes: tuple[float, ...]) -> Tensor:
    x = torch.full((1, 12, 12), 0.0)
    x[0, :2, 5] = -1
    for k, numbers in enumerate(boxes):
        x[0, k, :6] = torch.tensor(numbers)
    return x


def truth(*objects: tuple[float, float, float, float, int, int]) -> tuple[Tensor, Tensor, Tensor]:
    boxes, ignored, labels = torch.zeros(2, 4), torch.zeros(2, dtype=torch.bool), torch.full((2,), -1)
    for k, (*box, ignore, label) in enumerate(objects):
        boxes[k], ignored[k], labels[k] = torch.tensor(box), bool(ignore), label
    return boxes, ignored, labels


def test_precision_over_batches_without_padding_and_crowds(tmp_path: Path) -> None:
    right, wrong = (0.0, 0.0, 0.5, 0.5), (0.5, 0.5, 1.0, 1.0)
    rows = [
        (image((*right, 0.9, 0)), truth((*right, 0, 0))),
        (image((*wrong, 0.95, 1)), truth((*right, 0, 1))),  # the wrong place
        (image((*wrong, 0.99, 0)), truth((*wrong, 1, 0))),  # a crowd: neither right nor wrong
        (image(), truth()),  # nothing to find, nothing found
    ]
    batches = [(x[None], *(part[None] for part in objects)) for x, objects in rows]
    (found,) = small_trainer(tmp_path).test(Fixed(), DataLoader(batches, batch_size=None), verbose=False)  # type: ignore[arg-type]
    assert found["test/map50"] == pytest.approx(0.5) and found["test/map"] == pytest.approx(0.5)
    assert [found[f"test/map50_{k}"] for k in range(3)] == pytest.approx([1.0, 0.0, -1.0])


def test_a_split_without_objects_has_no_precision() -> None:
    metric = average_precision()
    none = torch.zeros(1, 0, 4), torch.zeros(1, 0), torch.zeros(1, 0, dtype=torch.long)
    metric.update(*for_metric(none, (none[0], none[1].bool(), none[2]), 10))
    assert float(precisions(metric, 2)["map50"]) == -1


def test_predictions_have_no_padding() -> None:
    x = torch.stack([image((0.0, 0.0, 0.5, 0.5, 0.9, 2)), image()])
    first, second = Fixed().predict_step((x,), 0)
    assert first["labels"].tolist() == [2] and first["boxes"].shape == (1, 4) and len(second["scores"]) == 0


def test_precisions_are_logged_on_the_models_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lightning reduces them over the processes; NCCL takes nothing from the CPU, where they are computed."""
    model, devices = Fixed(), {}
    model._device = torch.device("meta")

    def log(name: str, value: Any, **_: Any) -> None:
        devices[name] = value.device.type

    monkeypatch.setattr(model, "log", log)
    monkeypatch.setattr(model, "log_dict", lambda found, **_: [log(name, value) for name, value in found.items()])
    monkeypatch.setattr(model, "measure", lambda rows, stage: {"map50": torch.tensor(0.5)})
    model.on_validation_epoch_end()
    model.on_test_epoch_end()
    assert devices["val/map50"] == devices["test/map50"] == "meta"
