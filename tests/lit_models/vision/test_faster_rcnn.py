"""Faster R-CNN: the battery, what is learned is found, the losses of halves, published names, arguments that clash."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from common.messages import UserError
from lit_models.vision.faster_rcnn import FasterRCNN, LitFasterRCNN
from tests.battery import ADAM, TaskBattery
from tests.lit_models.vision.test_ssd import objects

SMALL: dict[str, Any] = {"num_classes": 2, "depth": 10, "width": 4, "stages": [1, 2], "channels": 8}
SMALL |= {"anchor_sizes": [[12], [18], [28]], "hidden_size": 16, "region_size": 2}
SMALL |= {"before": [12, 12], "after": [12, 12], "samples": [24, 12]}


class TestLitFasterRCNN(TaskBattery):
    parameters = 4_898  # 1,844 in the ResNet, 1,280 in the pyramid, 719 in the RPN, 1,055 in the second stage
    overfit_steps = 200
    overfit_loss = 0.9  # of four losses, which begin at 2.6

    def model(self, **arguments: Any) -> Any:
        torch.manual_seed(0)
        return LitFasterRCNN(image_size=32, optimizer=ADAM, **SMALL | arguments)

    def batch(self) -> tuple[Tensor, ...]:
        generator = torch.Generator().manual_seed(0)
        return torch.rand(4, 3, 32, 32, generator=generator), *objects()

    def outputs(self, model: Any, batch: tuple[Tensor, ...]) -> Tensor:
        return torch.cat([part.flatten(1) for part in model(batch[0])], 1)

    def test_every_parameter_gets_a_gradient(self) -> None:
        model = self.model()
        model.loss_and_count(self.batch())[0].backward()
        assert not [n for n, p in model.named_parameters() if p.grad is None or not bool(p.grad.abs().sum() > 0)]

    def test_overfits_one_batch(self, tmp_path: Path) -> None:
        """And finds the boxes that were learned."""
        model, batch = self.model(), self.batch()
        trainer = self.fit_one_batch(tmp_path, model, self.overfit_steps)
        assert float(trainer.callback_metrics["train/loss"]) < self.overfit_loss
        found = model.eval().predict_step(batch, 0)
        best = [found[0]["boxes"][found[0]["labels"] == kind][0] for kind in (0, 1)]
        torch.testing.assert_close(torch.stack(best), batch[1][0, :2], atol=0.15, rtol=0)

    def test_loss_is_the_same_in_two_halves(self) -> None:
        model, batch = self.model().eval().double(), self.batch()
        batch = tuple(t.double() if t.is_floating_point() else t for t in batch)
        whole = model.loss_and_count(batch)[0]
        halves = [model.loss_and_count(tuple(t[part] for t in batch)) for part in (slice(3), slice(3, 4))]
        assert [int(count) for _, count, _ in halves] == [3, 1]
        torch.testing.assert_close(sum(loss * count for loss, count, _ in halves) / 4, whole)

    def test_random_regions_take_the_place_of_proposals(self) -> None:
        model, x = self.model(regions="random").eval(), self.batch()[0]
        one, other = model(x)[2], model(x)[2]
        assert not torch.equal(one, other) and bool((one[..., 2:] >= one[..., :2]).all())


def test_torchvisions_network_has_these_names_and_older_files_too() -> None:
    from torchvision.models.detection import fasterrcnn_resnet50_fpn

    with torch.device("meta"):
        theirs = fasterrcnn_resnet50_fpn(weights=None, weights_backbone=None).state_dict()
        net = FasterRCNN(frozen_norm=True)
    ours = net.state_dict()
    assert {k: v.shape for k, v in ours.items()} == {k: v.shape for k, v in theirs.items()}
    old = {k.replace("_blocks.0.0.", "_blocks.0.").replace("conv.0.0.", "conv."): k for k in theirs}
    assert all(net.rename(key) == new for key, new in old.items())
    for mode in (net, net.train()):  # as it is made, which is how Lightning trains it, too
        assert not any(layer.weight.requires_grad or layer.training for layer in mode.normalizations())


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"fpn": False}, "without model.fpn give one"),
        ({"anchor_sizes": [[8], [16]]}, "model.anchor_sizes has 2 lists: give 3, one"),
    ],
)
def test_arguments_that_clash_are_refused(arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(UserError, match=says):
        FasterRCNN(**SMALL | arguments)


def test_proposals_are_inside_of_the_picture_without_its_padding_and_as_many_as_asked() -> None:
    torch.manual_seed(0)
    net = FasterRCNN(**SMALL | {"before": [6, 12], "after": [5, 9]})
    x = torch.rand(2, 3, 40, 40)  # padded to 64
    for mode, count in ((True, 5), (False, 9)):
        boxes, there = net.train(mode).first_stage(x)[3]
        assert boxes.shape == (2, count, 4)
        assert float(boxes[there].min()) >= 0 and float(boxes[there].max()) <= 40
        assert bool((boxes[there] == 40).any())  # cut there
