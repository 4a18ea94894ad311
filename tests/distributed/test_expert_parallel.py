"""Two processes with half of the experts each compute what one process with all of them does."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist

from lit_models.layers.feed_forward import FeedForward
from lit_models.layers.mixture_of_experts import MixtureOfExperts
from lit_models.moe.expert_parallel import ExpertParallel
from lit_models.parallel.point_to_point import rank
from tests.distributed.group import together


def mixture(top_k: int) -> MixtureOfExperts:
    torch.manual_seed(0)
    return MixtureOfExperts(8, 4, partial(FeedForward, 8, 16), top_k, capacity_factor=1.0).double()


def half(top_k: int) -> dict[str, Any]:
    """Outputs of this process's row, its gradient, the router's mean over the processes, the own experts' gradients."""
    layer = ExpertParallel(mixture(top_k))
    x = rows()[rank() :: 2].requires_grad_()
    output = layer(x)
    output.sin().sum().backward()
    router = layer.router.weight.grad
    assert router is not None
    dist.all_reduce(router)
    experts = [p.grad for expert in layer.experts for p in expert.parameters()]
    return {"output": output.detach(), "x": x.grad, "router": router, "experts": experts}


def rows() -> torch.Tensor:
    x = torch.randn(4, 9, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    x[1::2] = x[1::2].abs() + 1  # the second process's tokens prefer few experts: unequal numbers are exchanged
    return x


@pytest.mark.slow
@pytest.mark.parametrize("top_k", [1, 2])
def test_outputs_and_gradients_are_those_of_one_process(top_k: int, tmp_path: Path) -> None:
    whole, x = mixture(top_k), rows().requires_grad_()
    output = whole(x)
    output.sin().sum().backward()
    expected = [p.grad for expert in whole.experts for p in expert.parameters()]
    found = together(half, top_k, folder=tmp_path)
    for process in range(2):
        torch.testing.assert_close(found[process]["output"], output[process::2].detach())
        torch.testing.assert_close(found[process]["x"], x.grad[process::2])  # type: ignore[index]
        torch.testing.assert_close(found[process]["router"], whole.router.weight.grad)
    torch.testing.assert_close(found[0]["experts"] + found[1]["experts"], expected)
