"""Sums and gathers over processes, in one process, where they change nothing; three are in tests/distributed."""

import torch

from lit_models.parallel.meeting import add, gather, gather_rows, hand_out, scale_gradient


def test_one_process_meets_itself() -> None:
    x = torch.rand(3, 4, dtype=torch.float64, requires_grad=True)
    for function in (lambda t: gather(t, 1), add, lambda t: hand_out(t, 0), lambda t: scale_gradient(t, 1.0)):
        assert torch.equal(function(x), x)
        assert torch.autograd.gradcheck(function, (x,))


def test_a_scaled_gradient_leaves_the_value() -> None:
    x = torch.ones(3, requires_grad=True)
    scaled = scale_gradient(x, 4.0)
    scaled.sum().backward()
    assert torch.equal(scaled, x) and torch.equal(x.grad, torch.full((3,), 4.0))  # type: ignore[arg-type]


def test_rows_of_one_process_are_its_batch() -> None:
    x, y = torch.rand(5, 2), torch.arange(5)
    assert all(torch.equal(a, b) for a, b in zip(gather_rows((x, y)), (x, y), strict=True))
