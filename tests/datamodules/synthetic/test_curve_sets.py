"""Training sets are many samples of one curve."""

import torch

from datamodules.synthetic.curve_sets import CurveSets


def test_sets_differ_and_scatter_about_the_curve_with_the_stated_noise() -> None:
    data = CurveSets(num_sets=100, num_points=50, noise=0.3)
    splits = data.load("fit")
    assert data.curve_sets is not None
    x, y = data.curve_sets
    assert x.shape == y.shape == (100, 50) and not torch.equal(x[0], x[1])
    assert abs(float((y - data.true_curve(x)).std()) - 0.3) < 0.01
    assert torch.equal(splits["train"][0][:, 0], x[0])
    torch.testing.assert_close(splits["test"][2], data.true_curve(splits["test"][0][:, 0]))
