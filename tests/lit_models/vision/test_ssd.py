"""TinySSD: the battery, the number of anchors, the losses, and what they leave out."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from common.messages import UserError
from lit_models.vision.ssd import LitSSD, TinySSD, focal_loss, mined_loss, ssd_targets
from scripts.front.graphs import description
from tests.battery import ADAM, TaskBattery

SIZES = [[0.2, 0.3], [0.4, 0.5], [0.7, 0.9]]


def objects(count: int = 4) -> tuple[Tensor, Tensor, Tensor]:
    boxes = torch.zeros(count, 3, 4)
    boxes[:, 0] = torch.tensor([0.1, 0.1, 0.4, 0.5])
    boxes[:, 1] = torch.tensor([0.5, 0.55, 0.95, 0.9])
    labels = torch.tensor([[0, 1, -1]] * count)
    labels[-1] = -1  # a picture without objects
    return boxes, torch.zeros(count, 3, dtype=torch.bool), labels


class DetectorBattery(TaskBattery):
    """The battery of a TinySSD with two classes, of whatever task."""

    task: Any = LitSSD
    parameters = 8_520  # 260 + 880 + 32 + 16 before and 1,200 between the scales, 6,132 in the heads
    overfit_steps = 120
    overfit_loss = 0.5

    def model(self, **arguments: Any) -> Any:
        torch.manual_seed(0)
        sizes: dict[str, Any] = {"num_classes": 2, "image_size": 32, "widths": [4, 8], "channels": 8, "sizes": SIZES}
        return self.task(**sizes, optimizer=ADAM, **arguments)

    def batch(self) -> tuple[Tensor, ...]:
        generator = torch.Generator().manual_seed(0)
        return torch.rand(4, 3, 32, 32, generator=generator), *objects()

    def outputs(self, model: Any, batch: tuple[Tensor, ...]) -> Tensor:
        return torch.cat([part.flatten(1) for part in model(batch[0])], 1)

    def test_every_parameter_gets_a_gradient(self) -> None:
        model = self.model()
        self.outputs(model, self.batch()).square().sum().backward()
        assert not [name for name, p in model.named_parameters() if p.grad is None or not bool(p.grad.abs().sum() > 0)]


class TestLitSSD(DetectorBattery):
    def test_overfits_one_batch(self, tmp_path: Path) -> None:
        """And finds the boxes that were learned."""
        model, batch = self.model(), self.batch()
        trainer = self.fit_one_batch(tmp_path, model, self.overfit_steps)
        assert float(trainer.callback_metrics["train/loss"]) < self.overfit_loss
        found = model.eval().predict_step(batch, 0)
        assert found[0]["labels"][:2].sort().values.tolist() == [0, 1]
        best = found[0]["boxes"][found[0]["labels"][:2].argsort()]
        torch.testing.assert_close(best, batch[1][0, :2], atol=0.1, rtol=0)

    def test_boxes_can_be_decoded_from_what_is_exported_alone(self) -> None:
        model, batch = self.model().eval(), self.batch()
        with torch.no_grad():
            logits, offsets = (part.numpy() for part in model(batch[0]))
        said = json.loads(json.dumps(description(model, None, (batch[0],), {}, None)))
        anchors = np.array(said["constants"]["anchors"])
        center, size = (anchors[:, :2] + anchors[:, 2:]) / 2, anchors[:, 2:] - anchors[:, :2]
        center = center + 0.1 * offsets[..., :2] * size
        size = np.exp(0.2 * offsets[..., 2:]) * size
        boxes = np.concatenate([center - size / 2, center + size / 2], 2).clip(0, 1)
        p = np.exp(logits) / np.exp(logits).sum(2, keepdims=True)
        found = model.predict_step(batch, 0)
        for k, picture in enumerate(found):
            best = p[k, :, 1:].max(1).argmax()
            np.testing.assert_allclose(boxes[k, best], picture["boxes"][0].detach().numpy(), atol=1e-5)
        assert "constants.anchors" in said["after"]

    def test_metrics_of_a_test_are_named_by_class(self, tmp_path: Path) -> None:
        from torch.utils.data import DataLoader

        loader = DataLoader([self.batch()], batch_size=None)  # type: ignore[arg-type]
        (found,) = self.trainer(tmp_path).test(self.model(), loader, verbose=False)
        assert set(found) == {"test/map", "test/map50", "test/map50_0", "test/map50_1"}


def test_the_books_form_has_its_anchors() -> None:
    net = TinySSD()
    assert net.anchors.shape == (5444, 4)  # D2L 14.7
    logits, offsets = net(torch.zeros(1, 3, 256, 256))
    assert logits.shape == (1, 5444, 2) and offsets.shape == (1, 5444, 4)


def test_an_anchor_answers_for_its_own_place() -> None:
    """A bright spot changes most the answers of anchors around it."""
    torch.manual_seed(0)
    net = TinySSD(num_classes=1, image_size=64, widths=(4, 8), channels=8, sizes=SIZES).eval()
    image = torch.zeros(1, 3, 64, 64)
    spot = image.clone()
    spot[..., 50:54, 10:14] = 1
    change = (net(spot)[0] - net(image)[0]).abs().sum((0, 2))[: 16 * 16 * 4]
    left, top, right, bottom = net.anchors[change.argmax()].tolist()
    assert abs((left + right) / 2 - 12 / 64) < 0.08 and abs((top + bottom) / 2 - 52 / 64) < 0.08


def test_too_small_an_image_is_refused() -> None:
    with pytest.raises(UserError, match="at least 64 pixels"):
        TinySSD(image_size=63)


def test_targets_of_padding_and_of_ignored_objects() -> None:
    anchors = TinySSD(num_classes=2, image_size=32, widths=(4,), channels=4, sizes=SIZES).anchors
    boxes, ignored, labels = objects(2)
    classes, offsets = ssd_targets(anchors, boxes, ignored, labels)
    assert set(classes[0].tolist()) == {0, 1, 2} and set(classes[1].tolist()) == {0}
    assert torch.isfinite(offsets).all() and not offsets[1].any()
    ignored[0, 0] = True
    now, _ = ssd_targets(anchors, boxes, ignored, labels)
    assert set(now[0].tolist()) == {-1, 0, 2}
    assert torch.equal(now[0] == 2, classes[0] == 2)


def test_three_hard_negatives_for_each_object() -> None:
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(2, 20, 3, generator=generator)
    classes = torch.zeros(2, 20, dtype=torch.long)
    classes[0, :2], classes[0, 5], classes[1, 0] = 1, -1, 2
    by_anchor = F.cross_entropy(logits.transpose(1, 2), classes.clamp(min=0), reduction="none")
    expected = torch.tensor(0.0)
    for k, count in enumerate((2, 1)):
        hard = by_anchor[k][classes[k] == 0].sort(descending=True).values[: 3 * count]
        expected += by_anchor[k][classes[k] > 0].sum() + hard.sum()
    torch.testing.assert_close(mined_loss(logits, classes, torch.tensor([2, 1])), expected)


def test_focal_loss_is_the_formula_and_leaves_out_what_is_ignored() -> None:
    logits = torch.tensor([[[0.0, 2.0], [3.0, -1.0], [0.0, 5.0]]])
    classes = torch.tensor([[1, 0, -1]])
    p = logits[0, :2].softmax(1)[[0, 1], [1, 0]]
    torch.testing.assert_close(focal_loss(logits, classes), ((1 - p) ** 2 * -p.log()).sum())


@pytest.mark.parametrize("kind", ["mined", "focal"])
def test_loss_is_the_same_in_two_halves(kind: str) -> None:
    """A mean over matched anchors: what two processes, or two accumulated batches, combine by their counts."""
    test = TestLitSSD()
    model, batch = test.model(class_loss=kind).eval().double(), test.batch()
    batch = tuple(t.double() if t.is_floating_point() else t for t in batch)
    whole, count, _ = model.loss_and_count(batch)
    halves = [model.loss_and_count(tuple(t[part] for t in batch)) for part in (slice(3), slice(3, 4))]
    assert sum(int(c) for _, c, _ in halves) == int(count)
    torch.testing.assert_close(sum(loss * c for loss, c, _ in halves) / count, whole)


def test_a_picture_without_objects_teaches_the_background() -> None:
    test = TestLitSSD()
    model, batch = test.model(), test.batch()
    loss, count, _ = model.loss_and_count(tuple(t[3:] for t in batch))
    loss.backward()
    assert int(count) == 1
    assert model.net.class_heads[0].weight.grad.abs().sum() > 0  # type: ignore[index,union-attr]
    assert not model.net.box_heads[0].weight.grad.any()  # type: ignore[index,union-attr]
