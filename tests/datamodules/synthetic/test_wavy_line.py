"""The noisy curve: its noise, its inputs and its seed."""

import torch

from datamodules.synthetic.wavy_line import WavyLine, curve


def test_noise_is_what_was_asked_for() -> None:
    data = WavyLine(noise=0.5, num_test=20_000)
    data.setup("test")
    x, y = data.splits["test"]
    assert x.shape == (20_000, 1) and y.shape == (20_000,)
    residual = y - curve(x[:, 0])
    assert abs(float(residual.std()) - 0.5) < 0.01 and abs(float(residual.mean())) < 0.01


def test_inputs_are_spread_over_zero_to_five() -> None:
    data = WavyLine(num_test=20_000)
    data.setup("test")
    x = data.splits["test"][0]
    assert 0 <= float(x.min()) < 0.01 and 4.99 < float(x.max()) <= 5


def test_the_data_depends_on_its_own_seed_alone() -> None:
    first, second, other = WavyLine(), WavyLine(), WavyLine(data_seed=1)
    for data in (first, second, other):
        torch.rand(3)
        data.setup("fit")
    assert torch.equal(first.splits["train"][1], second.splits["train"][1])
    assert not torch.equal(first.splits["train"][1], other.splits["train"][1])
