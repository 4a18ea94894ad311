"""Friedman's function: its noise, and the columns that matter."""

import torch

from datamodules.synthetic.friedman import Friedman, friedman


def test_noise_and_scale_are_what_was_asked_for() -> None:
    data = Friedman(noise=0.5, num_test=20_000)
    data.setup("test")
    x, y = data.splits["test"]
    assert abs(float((y - friedman(x / 12**0.5 + 0.5)).std()) - 0.5) < 0.01
    torch.testing.assert_close(x.std(0), torch.ones(10), atol=0.02, rtol=0)
    assert abs(float(y.mean()) - data.target_mean) < 0.1 and abs(float(y.std()) - data.target_std) < 0.1


def test_the_last_five_columns_do_not_matter() -> None:
    x = torch.rand(50, 10)
    other = torch.cat([x[:, :5], torch.rand(50, 5)], 1)
    assert torch.equal(friedman(x), friedman(other))
    assert not torch.equal(friedman(x), friedman(x.roll(1, 1)))
