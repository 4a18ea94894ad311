"""The curve of D2L 18.3: its noise, its places, its seed."""

import torch

from datamodules.synthetic.two_sines import TwoSines, two_sines


def test_noise_and_places_are_what_was_asked_for() -> None:
    data = TwoSines(noise=0.5, num_test=20_000)
    data.setup("test")
    x, y = data.splits["test"]
    residual = y - two_sines(x[:, 0])
    assert abs(float(residual.std()) - 0.5) < 0.01 and abs(float(residual.mean())) < 0.01
    assert 0 <= float(x.min()) < 0.01 and 4.99 < float(x.max()) <= 5


def test_the_data_depends_on_its_own_seed_alone() -> None:
    first, second, other = TwoSines(), TwoSines(), TwoSines(data_seed=1)
    for data in (first, second, other):
        torch.rand(3)
        data.setup("fit")
    assert torch.equal(first.splits["train"][1], second.splits["train"][1])
    assert not torch.equal(first.splits["train"][1], other.splits["train"][1])
