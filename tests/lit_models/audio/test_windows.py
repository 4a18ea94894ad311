"""A sound in windows is judged by the mean of their probabilities."""

import torch
from torch import Tensor

from lit_models.audio.windows import mean_over_windows


def net(x: Tensor) -> Tensor:
    return torch.stack([x.sum(1), x.square().sum(1)], 1)


def test_the_mean_is_of_probabilities_and_leaves_out_what_fills_up() -> None:
    x = torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(0))
    x[1, 2:] = 0  # two windows
    x[2] = 0  # silence
    found = mean_over_windows(net, x).softmax(1)
    assert torch.allclose(found[0], net(x[0]).softmax(1).mean(0))
    assert torch.allclose(found[1], net(x[1, :2]).softmax(1).mean(0))
    assert torch.allclose(found[2], net(x[2, :1]).softmax(1)[0])
    assert torch.equal(mean_over_windows(net, x[:, 0]), net(x[:, 0]))
