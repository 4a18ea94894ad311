"""Pseudo-labels: Lee's loss to the last digit, nothing of rows that the network is not sure of."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from common.messages import UserError
from lit_models.mlp.mlp import LitMLP
from lit_models.regularization.pseudo_labels import PseudoLabels


def batch() -> tuple[Any, Tensor, Tensor]:
    torch.manual_seed(0)
    model: Any = LitMLP(num_classes=3, in_channels=1, image_size=2, hidden_sizes=[4])
    return model, torch.randn(12, 4), torch.tensor([0, -1, 2, -1, -1, 1, -1, 0, -1, -1, -1, 2])


def test_the_loss_is_the_mean_of_the_known_plus_alpha_times_that_of_the_others() -> None:
    model, x, y = batch()
    _, targets = PseudoLabels(weight=0.7, threshold=0).batch(model, x, y)
    found = F.cross_entropy(model(x), targets)
    known = y >= 0
    logits = model(x)
    expected = F.cross_entropy(logits[known], y[known]) + 0.7 * F.cross_entropy(
        logits[~known], logits[~known].argmax(1)
    )
    torch.testing.assert_close(found, expected)
    assert not targets.requires_grad and torch.equal(PseudoLabels().batch(model, x, y.clamp(min=0))[1], y.clamp(min=0))


def test_a_row_that_the_network_is_not_sure_of_has_no_gradient() -> None:
    model, x, y = batch()
    sure = model(x).detach().softmax(1).max(1).values
    level = float(sure[y < 0].median())
    _, targets = PseudoLabels(threshold=level).batch(model, x, y)
    assert torch.equal(targets.sum(1) > 0, (y >= 0) | (sure >= level))


def test_alpha_rises_along_the_run() -> None:
    regularizer = PseudoLabels(weight=2.0, start=0.2, end=0.6)
    assert [round(regularizer.alpha(t), 6) for t in (0.0, 0.2, 0.4, 0.6, 1.0)] == [0, 0, 1, 2, 2]


def test_what_cannot_be_is_one_line() -> None:
    model, x, _ = batch()
    with pytest.raises(UserError, match="weight is -1"):
        PseudoLabels(weight=-1)
    with pytest.raises(UserError, match="give 0 <= start < end <= 1"):
        PseudoLabels(start=0.5, end=0.4)
    with pytest.raises(UserError, match="leave it out for distributions"):
        PseudoLabels().batch(model, x, torch.rand(12, 3))
