"""What is divided and how it is joined, in one process; whole runs are in tests/distributed/test_two_gpus.py."""

import torch
from torch import nn

from lit_models.parallel.divided import joined, own_part, square_sum


def test_one_process_has_the_whole() -> None:
    state = {"a": torch.rand(4, 2), "b": torch.rand(3)}
    assert all(torch.equal(joined(state, {"a": 1})[name], value) for name, value in state.items())
    assert torch.equal(own_part(state["a"], 0), state["a"])


def test_squares_of_gradients_are_summed_where_there_are_any() -> None:
    layer = nn.Linear(2, 1)
    assert float(square_sum(layer.parameters())) == 0
    layer.weight.grad = torch.tensor([[3.0, 4.0]])
    assert float(square_sum(layer.parameters())) == 25
