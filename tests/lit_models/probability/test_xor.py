"""XOR: the solution by hand, and what is impossible without a hidden layer."""

import torch
from torch import Tensor

from datamodules.synthetic.xor import XOR
from lit_models.probability.xor import LitXOR, XORNet, by_hand
from tests.battery import ADAM, RegressorBattery


class TestLitXOR(RegressorBattery):
    parameters = 8 * 3 + 9
    overfit_steps = 300

    def model(self) -> LitXOR:
        return LitXOR(optimizer=ADAM)

    def batch(self) -> tuple[Tensor, Tensor]:
        x, y = XOR().load("fit")["train"]
        return x, y


def test_the_solution_by_hand_is_right_on_all_four_points() -> None:
    x, y = XOR().load("fit")["train"]
    assert torch.equal(by_hand()(x)[:, 0], y)


def test_the_best_linear_model_predicts_one_half_everywhere() -> None:
    x, y = XOR().load("fit")["train"]
    solution = torch.linalg.lstsq(torch.cat([x, torch.ones(4, 1)], 1), y[:, None]).solution
    torch.testing.assert_close(torch.cat([x, torch.ones(4, 1)], 1) @ solution, torch.full((4, 1), 0.5))
    assert XORNet(hidden_size=0).hidden is None


def test_the_data_is_the_parity_of_its_bits() -> None:
    x, y = XOR(num_features=3).load("fit")["train"]
    assert len(x) == 8
    assert torch.equal(y.bool(), x[:, 0].bool() ^ x[:, 1].bool() ^ x[:, 2].bool())
