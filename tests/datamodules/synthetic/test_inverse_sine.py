"""x is a noisy function of y."""

import math

import torch

from datamodules.synthetic.inverse_sine import InverseSine


def test_the_noise_of_x_is_the_stated_one() -> None:
    x, y = InverseSine(noise=0.05, num_train=20_000).load("fit")["train"]
    noise = x[:, 0] - y - 0.3 * torch.sin(2 * math.pi * y)
    assert abs(float(noise.std()) - 0.05) < 0.002
    assert float(y.min()) >= 0 and float(y.max()) <= 1
