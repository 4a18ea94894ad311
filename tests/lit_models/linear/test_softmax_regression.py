"""Softmax regression: the battery, and the hand-written functions against torch's."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from lit_models.linear.softmax_regression import LitSoftmaxRegression, cross_entropy, log_softmax, log_sum_exp
from tests.battery import ADAM, ClassifierBattery


class TestLitSoftmaxRegression(ClassifierBattery):
    parameters = 7_850  # 784 x 10 weights and 10 biases

    def model(self) -> LitSoftmaxRegression:
        return LitSoftmaxRegression(optimizer=ADAM)

    def batch(self) -> tuple[Tensor, Tensor]:
        return torch.rand(8, 1, 28, 28), torch.arange(8)


def value_and_gradient(
    loss: Callable[..., Tensor], logits: Tensor, *rest: Tensor, **more: float
) -> tuple[Tensor, Tensor]:
    logits = logits.clone().requires_grad_()
    value = loss(logits, *rest, **more)
    value.sum().backward()
    assert logits.grad is not None
    return value.detach(), logits.grad


def naive_cross_entropy(logits: Tensor, y: Tensor) -> Tensor:
    """D2L 4.4: exp and log as the formulas stand."""
    probabilities = logits.exp() / logits.exp().sum(dim=1, keepdim=True)
    return -probabilities[range(len(y)), y].log().mean()


@pytest.mark.parametrize("scale", [1.0, 30.0, 1000.0])
def test_cross_entropy_equals_torchs_in_value_and_gradient(scale: float) -> None:
    logits, y = scale * torch.randn(16, 10, dtype=torch.float64), torch.randint(10, (16,))
    ours, theirs = value_and_gradient(cross_entropy, logits, y), value_and_gradient(F.cross_entropy, logits, y)
    torch.testing.assert_close(ours, theirs, atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_soft_targets_and_smoothing_equal_torchs(smoothing: float) -> None:
    logits = torch.randn(16, 10, dtype=torch.float64)
    for target in (torch.randint(10, (16,)), torch.rand(16, 10, dtype=torch.float64).softmax(1)):
        ours = value_and_gradient(cross_entropy, logits, target, label_smoothing=smoothing)
        theirs = value_and_gradient(F.cross_entropy, logits, target, label_smoothing=smoothing)
        torch.testing.assert_close(ours, theirs, atol=1e-14, rtol=1e-12)


def test_log_sum_exp_and_log_softmax_equal_torchs_in_value_and_gradient() -> None:
    logits = 50 * torch.randn(16, 10, dtype=torch.float64)
    for ours, theirs in (
        (log_sum_exp, lambda z: z.logsumexp(1, keepdim=True)),
        (lambda z: log_softmax(z)[:, 3], lambda z: z.log_softmax(1)[:, 3]),
    ):
        mine, library = value_and_gradient(ours, logits), value_and_gradient(theirs, logits)
        torch.testing.assert_close(mine, library, atol=1e-12, rtol=1e-12)


def test_stable_form_survives_logits_that_overflow_the_naive_one() -> None:
    logits, y = torch.tensor([[100.0, 0.0], [-200.0, 0.0]]), torch.tensor([0, 0])
    value, gradient = value_and_gradient(cross_entropy, logits, y)
    torch.testing.assert_close(value, torch.tensor(100.0))
    assert bool(gradient.isfinite().all())
    naive, naive_gradient = value_and_gradient(naive_cross_entropy, logits, y)
    assert not bool(naive.isfinite()) and not bool(naive_gradient.isfinite().all())


def test_naive_form_agrees_where_nothing_overflows() -> None:
    logits, y = torch.randn(16, 10, dtype=torch.float64), torch.randint(10, (16,))
    torch.testing.assert_close(cross_entropy(logits, y), naive_cross_entropy(logits, y))


def test_gradient_is_probabilities_minus_the_target() -> None:
    logits, y = torch.randn(1, 10), torch.tensor([4])
    _, gradient = value_and_gradient(cross_entropy, logits, y)
    torch.testing.assert_close(gradient, logits.softmax(1) - F.one_hot(y, 10))


def test_untrained_loss_is_that_of_a_guess() -> None:
    x, y = TestLitSoftmaxRegression().batch()
    loss = cross_entropy(LitSoftmaxRegression()(x), y)
    assert abs(float(loss.detach()) - 2.3026) < 0.2  # log 10


def test_takes_the_rows_of_a_table() -> None:
    assert LitSoftmaxRegression(num_classes=3, num_features=4)(torch.rand(5, 4)).shape == (5, 3)


def test_half_precision_scores_have_the_librarys_loss() -> None:
    """Under autocast a product's scores are in bfloat16, and the library then takes single precision."""
    logits, y = (8 * torch.randn(64, 5)).bfloat16(), torch.arange(64) % 5
    loss = cross_entropy(logits, y)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, torch.nn.functional.cross_entropy(logits.float(), y))
