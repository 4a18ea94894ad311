"""The weights of the grid are a distribution of the stated moments."""

import torch

from datamodules.synthetic.two_modes import TwoModes


def test_weights_sum_to_one_with_the_variance_of_two_modes() -> None:
    x, log_p = TwoModes(distance=4.0, std=0.6).load("fit")["train"]
    p = log_p.double().exp()
    assert abs(float(p.sum()) - 1) < 1e-5
    assert abs(float((p * x[:, 0].double().square()).sum()) - (0.6**2 + 4)) < 1e-4
    assert torch.equal(x, TwoModes().load("test")["test"][0])
