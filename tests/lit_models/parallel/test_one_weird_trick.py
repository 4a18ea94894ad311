"""AlexNet with divided dense layers, in one process: the battery, the bytes; several are in tests/distributed."""

from typing import Any

import pytest
import torch
from torch import Tensor

from common.messages import UserError
from lit_models.cnn.alexnet import AlexNet
from lit_models.parallel.one_weird_trick import LitOneWeirdTrick, Worker, bytes_sent, mean_loss, placement
from tests.battery import ADAM, ClassifierBattery
from tests.test_configs import meets_threshold, train_and_test

SMALL: Any = {"stem": "small", "width": 0.125, "pool_size": 3, "hidden_size": 32, "dropout": 0.0}


class TestLitOneWeirdTrick(ClassifierBattery):
    parameters = 49_586
    overfit_steps = 100

    def model(self) -> LitOneWeirdTrick:
        return LitOneWeirdTrick(num_classes=10, in_channels=3, image_size=32, **SMALL, optimizer=ADAM)

    def batch(self) -> tuple[Tensor, Tensor]:
        return torch.rand(8, 3, 32, 32), torch.arange(8)


@pytest.mark.parametrize("scheme", ["at_once", "in_turns", "slices"])
def test_a_single_worker_is_the_whole_network(scheme: Any) -> None:
    net = AlexNet(num_classes=10, image_size=32, **SMALL)
    x, y = torch.rand(4, 3, 32, 32), torch.arange(4)
    expected = torch.nn.functional.cross_entropy(net(x), y)
    torch.testing.assert_close(mean_loss(Worker(net, 0, 1), x, y, scheme), expected)


def test_eight_workers_send_a_fraction_of_what_data_parallelism_sends() -> None:
    """The numbers of docs/parallel.md, for AlexNet at 224 pixels and 128 rows a process."""
    with torch.device("meta"):
        net = AlexNet()
    sent = bytes_sent(net, rows=128, workers=8)
    assert sent["data parallel"] == 2 * 7 * 61_100_840 * 4 // 8
    assert sent["convolutions"] < 0.05 * sent["data parallel"]
    assert 0.25 < (sent["convolutions"] + sent["dense"]) / sent["data parallel"] < 0.4
    large = bytes_sent(net, rows=512, workers=8)  # activities grow with the batch, gradients do not
    assert large["convolutions"] + large["dense"] > large["data parallel"]


def test_units_that_do_not_divide_are_refused() -> None:
    with pytest.raises(UserError, match="3 processes do not divide 32 units"):
        Worker(AlexNet(num_classes=10, image_size=32, **SMALL), 0, 3)


def test_the_picture_has_whole_convolutions_and_shares_of_units() -> None:
    rows = placement(AlexNet(num_classes=10, image_size=32, **SMALL), 2)
    assert [row["reads"] for row in rows] == ["image", "own", "own", "own", "own", "all", "all", "own"]
    assert rows[5]["boxes"][0].startswith("16 units, all rows") and rows[-1]["adds"]


@pytest.mark.slow
def test_the_recipe_meets_its_threshold() -> None:
    assert meets_threshold(train_and_test("parallel/one_weird_trick"), "parallel/one_weird_trick")
