"""The selective scan: sequential and parallel are one function, and its equation."""

import pytest
import torch
from torch.autograd import gradcheck

from lit_models.layers.linear_scan import linear_scan
from lit_models.long_context import selective_scan as module
from lit_models.long_context.selective_scan import Method, parallel_scan, selective_scan


@pytest.mark.parametrize("length", [1, 2, 3, 7, 8, 33])
def test_the_parallel_scan_is_the_sequential_one_in_values_and_gradients(length: int) -> None:
    torch.manual_seed(0)
    decay, drive, weight = (torch.rand(2, length, 3).double().requires_grad_() for _ in range(3))
    start = torch.rand(2, 3).double().requires_grad_()
    found = []
    for scan in (parallel_scan, linear_scan):
        states = scan(decay, drive, start)
        found.append([states, *torch.autograd.grad((states * weight).sum(), (decay, drive, start))])
    for ours, expected in zip(*found, strict=True):
        torch.testing.assert_close(ours, expected, atol=1e-13, rtol=1e-12)


@pytest.mark.parametrize("method", ["sequential", "parallel"])
def test_the_scan_is_its_equation_also_over_chunks(method: Method, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK", 3)
    torch.manual_seed(0)
    x, delta, a = torch.randn(1, 7, 2).double(), torch.rand(1, 7, 2).double(), -torch.rand(2, 3).double()
    b, c, h = torch.randn(1, 7, 3).double(), torch.randn(1, 7, 3).double(), torch.randn(1, 2, 3).double()
    y, state = selective_scan(x, delta, a, b, c, h, method)
    for t in range(7):
        step = delta[:, t, :, None]
        h = torch.exp(step * a) * h + step * b[:, t, None] * x[:, t, :, None]
        torch.testing.assert_close(y[:, t], (h * c[:, t, None]).sum(2))
    torch.testing.assert_close(state, h)


@pytest.mark.parametrize("method", ["sequential", "parallel"])
def test_gradients_are_those_of_finite_differences(method: Method) -> None:
    torch.manual_seed(0)
    shapes = [(1, 4, 2), (1, 4, 2), (2, 2), (1, 4, 2), (1, 4, 2), (1, 2, 2)]
    inputs = [torch.rand(shape, dtype=torch.float64, requires_grad=True) for shape in shapes]
    assert gradcheck(lambda *t: selective_scan(*t, method=method)[0], inputs)
