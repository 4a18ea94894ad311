"""What the processes of ``test_pipeline_order.py`` do: a pipeline of torch's, watched, with stages that only sleep."""

import time
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.distributed.pipelining import PipelineStage, Schedule1F1B, ScheduleGPipe

from lit_models.parallel.point_to_point import rank, world


class Sleep(Function):
    """x; takes some seconds forward and some back."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, forward: float, backward: float) -> Tensor:
        ctx.seconds = backward
        time.sleep(forward)
        return x.clone()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        time.sleep(ctx.seconds)
        return grad, None, None


class Sleeper(nn.Module):
    def __init__(self, forward: float, backward: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))
        self.seconds = forward, backward

    def forward(self, x: Tensor) -> Tensor:
        return Sleep.apply(x * self.weight, *self.seconds)


def watched(kind: str, microbatches: int, forward: float = 0.0, backward: float = 0.0) -> tuple[list[Any], float]:
    """What this process's stage did, in its order, and how long a step took."""
    stage = PipelineStage(Sleeper(forward, backward), rank(), world(), torch.device("cpu"))
    seen: list[Any] = []
    for name, letter in (("forward_one_chunk", "F"), ("backward_one_chunk", "B")):
        watch(stage, name, letter, seen)
    made = (Schedule1F1B if kind == "1F1B" else ScheduleGPipe)(stage, microbatches, loss_fn=lambda y, t: y.sum())
    x = torch.rand(microbatches, 2)
    seconds = 0.0
    for _ in range(2):  # the first step agrees on shapes
        torch.distributed.barrier()
        seen.clear()
        begin = time.perf_counter()
        given = {"target": x} if rank() == world() - 1 else {}
        made.step(*((x,) if rank() == 0 else ()), **given)
        torch.distributed.barrier()
        seconds = time.perf_counter() - begin
    return list(seen), seconds


def watch(stage: Any, name: str, letter: str, seen: list[Any]) -> None:
    function = getattr(stage, name)

    def noted(chunk: int, *args: Any, **kwargs: Any) -> Any:
        seen.append((letter, chunk))
        return function(chunk, *args, **kwargs)

    setattr(stage, name, noted)
