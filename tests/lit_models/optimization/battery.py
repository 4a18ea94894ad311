"""What every optimizer written by hand must do: a subclass supplies one.

A run of some steps on a small network with two layers; a bowl; the errors of bad input.
"""

import io
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from common.messages import UserError


class Problem:
    """A small regression: the network, and a closure as Lightning's."""

    def __init__(self, dtype: torch.dtype = torch.float64, graph: bool = False) -> None:
        generator = torch.Generator().manual_seed(0)
        self.net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).to(dtype)
        for p in self.net.parameters():
            p.data.copy_(0.5 * torch.randn(p.shape, generator=generator, dtype=dtype))
        self.x = torch.randn(12, 3, generator=generator, dtype=dtype)
        self.y = torch.randn(12, 2, generator=generator, dtype=dtype)
        self.graph = graph

    def train(self, optimizer: Any, steps: int) -> float:
        def closure() -> Tensor:
            optimizer.zero_grad()
            loss = (self.net(self.x) - self.y).square().mean()
            loss.backward(create_graph=self.graph)
            return loss.detach()

        return [float(optimizer.step(closure)) for _ in range(steps)][-1]

    def weights(self) -> Tensor:
        return torch.cat([p.detach().flatten() for p in self.net.parameters()])


class OptimizerBattery:
    """Checks for any optimizer of the topic."""

    make: Any  #: class or partial: from parameters to the optimizer
    gain = 0.8  #: the loss after 60 steps, at most this times the first
    bad: list[dict[str, Any]] = [{"lr": -0.1}]  #: arguments that are out of range, one case each
    graph = False
    dense_only = True  #: whether sparse gradients are refused

    def made(self, problem: Problem) -> Any:
        return type(self).make(problem.net.parameters())

    def test_the_loss_falls(self) -> None:
        problem = Problem(graph=self.graph)
        optimizer = self.made(problem)
        first = problem.train(optimizer, 1)
        assert problem.train(optimizer, 60) < self.gain * first

    def test_single_precision_follows_double_precision(self) -> None:
        single, double = Problem(torch.float32, self.graph), Problem(graph=self.graph)
        single.net.load_state_dict(double.net.state_dict())
        single.x, single.y = double.x.float(), double.y.float()
        for problem in (single, double):
            problem.train(self.made(problem), 10)
        difference = (single.weights().double() - double.weights()).norm() / double.weights().norm()
        assert float(difference) < 1e-4

    def test_a_saved_and_loaded_state_goes_on_to_the_bit(self) -> None:
        whole, parts = Problem(graph=self.graph), Problem(graph=self.graph)
        whole.train(self.made(whole), 13)
        first = self.made(parts)
        parts.train(first, 6)
        file = io.BytesIO()
        torch.save(first.state_dict(), file)
        file.seek(0)
        again = self.made(parts)
        again.load_state_dict(torch.load(file, weights_only=True))
        parts.train(again, 7)
        assert torch.equal(whole.weights(), parts.weights())

    def test_a_parameter_without_a_gradient_stays(self) -> None:
        problem = Problem(graph=self.graph)
        alone = nn.Parameter(torch.ones(2, 2, dtype=torch.float64))
        optimizer = type(self).make([*problem.net.parameters(), alone])
        problem.train(optimizer, 3)
        assert torch.equal(alone, torch.ones_like(alone))

    def test_no_parameters_are_refused(self) -> None:
        for nothing in ([], [{"params": []}]):
            with pytest.raises(UserError, match="got no parameters"):
                type(self).make(nothing)

    def test_numbers_out_of_range_are_refused_in_one_line(self) -> None:
        for arguments in self.bad:
            with pytest.raises(UserError) as error:
                partial(type(self).make, **arguments)(Problem().net.parameters())
            assert next(iter(arguments)) in str(error.value) and "\n" not in str(error.value)

    def test_sparse_gradients_are_taken_or_refused(self) -> None:
        if not self.dense_only:
            return
        table = nn.Embedding(5, 2, sparse=True)
        table(torch.tensor([1, 3])).sum().backward()
        with pytest.raises(UserError, match="sparse"):
            type(self).make(table.parameters()).step()


class ClosureBattery(OptimizerBattery):
    """An optimizer that computes the closure several times."""

    def test_needs_a_closure(self) -> None:
        problem = Problem()
        with pytest.raises(UserError, match="closure"):
            self.made(problem).step()

    def test_sparse_gradients_are_taken_or_refused(self) -> None:
        """Its vector is dense: not tried."""

    def test_random_numbers_are_the_same_in_each_evaluation_and_go_on_as_after_one(self) -> None:
        problem, draws = Problem(), []
        optimizer = self.made(problem)

        def closure() -> Tensor:
            optimizer.zero_grad()
            draws.append(float(torch.rand(())))
            loss = (problem.net(problem.x) - problem.y).square().mean()
            loss.backward()
            return loss.detach()

        torch.manual_seed(5)
        optimizer.step(closure)
        after = torch.rand(())
        torch.manual_seed(5)
        torch.rand(())
        assert len(draws) > 1 and len(set(draws)) == 1
        assert torch.equal(after, torch.rand(()))
