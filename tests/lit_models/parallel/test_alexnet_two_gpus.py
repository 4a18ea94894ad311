"""The two-tower AlexNet in one process: the battery, the norm within towers, counts. Two are in tests/distributed."""

from typing import Any

import pytest
import torch
from torch import Tensor

from common.messages import UserError
from lit_models.cnn.alexnet import AlexNet
from lit_models.parallel.alexnet_two_gpus import LitAlexNetTwoGPUs, Tower, TowerResponseNorm, placement
from tests.battery import ADAM, ClassifierBattery
from tests.test_configs import meets_threshold, train_and_test

SMALL: Any = {"stem": "small", "width": 0.125, "pool_size": 3, "hidden_size": 32, "dropout": 0.0}


def model(**more: Any) -> LitAlexNetTwoGPUs:
    return LitAlexNetTwoGPUs(num_classes=10, in_channels=3, image_size=32, **SMALL, optimizer=ADAM, **more)


class TestLitAlexNetTwoGPUs(ClassifierBattery):
    parameters = 47_610
    overfit_steps = 100

    def model(self) -> LitAlexNetTwoGPUs:
        return model()

    def batch(self) -> tuple[Tensor, Tensor]:
        return torch.rand(8, 3, 32, 32), torch.arange(8)


def test_response_norm_is_the_papers_and_stays_within_a_tower() -> None:
    x = torch.rand(2, 12, 3, 3, dtype=torch.float64)
    expected = []
    for tower in x.chunk(2, 1):
        for i in range(6):
            sums = tower[:, max(0, i - 2) : i + 3].square().sum(1)
            expected.append(tower[:, i] / (2 + 1e-4 * sums) ** 0.75)
    torch.testing.assert_close(TowerResponseNorm(2)(x), torch.stack(expected, 1))
    assert not torch.allclose(TowerResponseNorm(1)(x), torch.stack(expected, 1), rtol=0, atol=1e-6)


def test_two_towers_have_the_papers_parameters() -> None:
    with torch.device("meta"):
        whole = AlexNet(image_size=227, variant="grouped")
        towers = [Tower(whole, k) for k in range(2)]
    counts = [sum(p.numel() for p in tower.parameters()) for tower in towers]
    assert counts[0] == counts[1] and sum(counts) - 1000 == 60_965_224  # both have the last layer's bias
    shapes = {name: tuple(p.shape) for name, p in towers[0].named_parameters() if name.endswith("weight")}
    assert list(shapes.values()) == [
        (48, 3, 11, 11), (128, 48, 5, 5), (192, 256, 3, 3), (192, 192, 3, 3), (128, 192, 3, 3),
        (2048, 9216), (2048, 4096), (1000, 2048),
    ]  # fmt: skip


def test_a_frozen_layer_stays_frozen_in_its_tower() -> None:
    frozen = model(freeze_features=True)
    tower = Tower(frozen.net, 0)  # type: ignore[arg-type]
    assert not any(p.requires_grad for p in tower.features.parameters())
    assert all(p.requires_grad for p in tower.classifier.parameters())


def test_the_picture_says_where_the_towers_meet() -> None:
    with torch.device("meta"):
        rows = placement(AlexNet(image_size=227, variant="grouped"))
    assert [row["reads"] for row in rows] == ["image", "own", "both", "own", "own", "both", "both", "own"]
    assert rows[2]["boxes"][0].startswith("192 kernels\n442,560")


def test_one_and_three_parts_are_refused() -> None:
    with pytest.raises(UserError, match="two towers, not 3"):
        model().divide(model().net, 0, 3)
    odd = LitAlexNetTwoGPUs(num_classes=10, in_channels=3, image_size=32, **(SMALL | {"hidden_size": 5}))
    with pytest.raises(UserError, match="layer 1 has 5 units, which two towers do not divide"):
        odd.divide(odd.net, 0, 2)
    with pytest.raises(UserError, match="has no two towers"):
        model().divide(torch.nn.Linear(2, 2), 0, 2)


@pytest.mark.slow
def test_the_recipe_meets_its_threshold() -> None:
    assert meets_threshold(train_and_test("parallel/alexnet_two_gpus"), "parallel/alexnet_two_gpus")
