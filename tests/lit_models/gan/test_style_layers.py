"""StyleGAN2's layers: resampling, modulation, deviation. The numbers are compared in scripts/evidence/parity."""

import pytest
import torch

from lit_models.gan.style_layers import (
    EqualizedConv2d,
    EqualizedLinear,
    downsample,
    minibatch_deviation,
    modulated_conv2d,
    to_unit_rms,
    upsample,
)


def test_resampling_keeps_the_mean_in_the_middle_of_a_picture() -> None:
    gray = torch.ones(1, 2, 8, 8)
    assert upsample(gray).shape == (1, 2, 16, 16) and downsample(gray).shape == (1, 2, 4, 4)
    torch.testing.assert_close(upsample(gray)[..., 2:-2, 2:-2], torch.ones(1, 2, 12, 12))
    torch.testing.assert_close(downsample(gray)[..., 1:-1, 1:-1], torch.ones(1, 2, 2, 2))


def test_layers_keep_the_variance_whatever_their_rate_and_size() -> None:
    torch.manual_seed(0)
    x = torch.randn(500, 64)
    for rate in (1.0, 0.01):
        y = EqualizedLinear(64, 300, rate=rate)(x)
        assert float(y.std()) == pytest.approx(1, abs=0.1)
    assert float(EqualizedConv2d(64, 300, 3, activation=False)(torch.randn(8, 64, 6, 6))[..., 1:-1, 1:-1].std()) == (
        pytest.approx(1, abs=0.1)
    )
    assert EqualizedLinear(64, 3, bias=1.0, rate=0.5)(torch.zeros(1, 64)).tolist() == [[1, 1, 1]]


def test_a_hundredth_of_the_rate_moves_the_output_a_hundredth_as_much() -> None:
    """With Adam, whose step does not depend on the gradient's size."""
    moves = []
    for rate in (1.0, 0.01):
        torch.manual_seed(0)
        layer, x = EqualizedLinear(16, 16, rate=rate), torch.randn(32, 16)
        before = layer(x).detach()
        optimizer = torch.optim.Adam(layer.parameters(), lr=0.01)
        layer(x).sum().backward()
        optimizer.step()
        moves.append(float((layer(x) - before).norm()))
    assert moves[1] / moves[0] == pytest.approx(0.01, rel=0.01)


def test_demodulated_output_has_the_same_size_whatever_the_size_of_the_style() -> None:
    torch.manual_seed(0)
    x, weight, style = torch.randn(4, 16, 8, 8), torch.randn(32, 16, 3, 3), torch.rand(4, 16) + 0.5
    one, ten = (modulated_conv2d(x, weight, factor * style) for factor in (1, 10))
    torch.testing.assert_close(one, ten)
    assert float(one[..., 1:-1, 1:-1].std()) == pytest.approx(1, abs=0.1)


def test_second_derivatives_go_through_the_layers() -> None:
    """R1 and the path length need them."""
    torch.manual_seed(0)
    x, weight, style = torch.randn(2, 2, 4, 4), torch.randn(2, 2, 3, 3), torch.randn(2, 2)
    every = [t.double().requires_grad_(True) for t in (x, weight, style)]

    def through(x: torch.Tensor, weight: torch.Tensor, style: torch.Tensor) -> torch.Tensor:
        return minibatch_deviation(downsample(modulated_conv2d(x, weight, style, up=True)), 2).square().mean()

    assert torch.autograd.gradgradcheck(through, every)


def test_the_deviation_is_that_of_a_group_and_zero_where_all_samples_are_alike() -> None:
    torch.manual_seed(0)
    x = torch.randn(4, 3, 2, 2)
    x[[1, 3]] = x[[1]]  # of two groups of two, the second one's samples are alike
    extra = minibatch_deviation(x, 2)[:, 3, 0, 0]
    assert float(extra[0]) == float(extra[2]) > 0.1 and float(extra[[1, 3]].max()) < 1e-3
    assert minibatch_deviation(torch.tensor([3.0, 5.0]).view(2, 1, 1, 1), 2)[:, 1].flatten().tolist() == [1, 1]
    assert minibatch_deviation(torch.randn(5, 3, 2, 2), 4).shape == (5, 4, 2, 2)  # groups of one: 5 is a prime
    assert minibatch_deviation(torch.randn(6, 3, 2, 2), 4)[:, 3, 0, 0].unique().numel() == 2  # groups of three


def test_gradients_of_a_deviation_of_zero_are_finite_in_half_precision() -> None:
    x = torch.randn(5, 3, 2, 2).half().requires_grad_(True)
    found = minibatch_deviation(x, 4)  # groups of one
    found.float().square().sum().backward()
    assert found.dtype == torch.float16 and x.grad is not None and bool(x.grad.isfinite().all())


def test_unit_rms_over_one_or_several_dimensions() -> None:
    z = 5 * torch.randn(3, 4, 6)
    torch.testing.assert_close(to_unit_rms(z).square().mean(-1), torch.ones(3, 4))
    torch.testing.assert_close(to_unit_rms(z, (1, 2)).square().mean((1, 2)), torch.ones(3))
