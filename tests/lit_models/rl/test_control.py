"""Control: the targets of each method, and the cliff."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, seed_everything
from torch import Tensor

from common.messages import UserError
from datamodules.rl.tabular_environments import ToyText
from lit_models.rl.control import LitControl, explore, value_after
from tests.small import small_trainer


def learn(steps: int, runs: int = 20, **model: Any) -> tuple[LitControl, float]:
    """Interaction without a Trainer: the players, and the mean return of the greedy episode."""
    torch.manual_seed(0)
    data = ToyText(num_runs=runs)
    player = LitControl(num_runs=runs, **model)
    data.act = player.act  # type: ignore[method-assign]
    with torch.no_grad():
        for _ in range(steps):
            for row in zip(*data.collect(), strict=True):
                player.net.values.data = player.updated(player.net.values.data, row)
        return player, float(data.episodes()[0].mean())


@pytest.mark.slow
def test_q_learning_finds_the_optimal_path_and_sarsa_earns_more_while_it_learns() -> None:
    """Sutton and Barto, example 6.6: Q-learning's players walk along the cliff and fall when they explore."""
    (greedy, best), (safe, _) = learn(7000, method="q_learning"), learn(7000, method="sarsa")
    assert best == pytest.approx(-13, abs=0.2)
    assert -32 < float(safe.online.mean()) < -23
    assert float(greedy.online.mean()) < float(safe.online.mean()) - 10


@pytest.mark.parametrize(("method", "expected"), [("sarsa", 1.0), ("expected_sarsa", 4.4), ("q_learning", 5.0)])
def test_what_a_method_expects_after_a_step(method: Any, expected: float) -> None:
    q = torch.tensor([[1.0, 5.0, 0.0, 2.0]])
    assert float(value_after(q, q, torch.tensor([0]), method, 0.2)[0]) == pytest.approx(expected)
    assert float(value_after(q, 10 - q, torch.tensor([0]), "double_q", 0.2)[0]) == 5.0  # the other table's, of action 1


def transition(terminated: bool, cut: bool = False) -> tuple[Tensor, ...]:
    over = float("-1") if terminated or cut else float("nan")
    parts = (torch.tensor([0]), torch.tensor([1]), torch.tensor([-1.0]), torch.tensor([2]), torch.tensor([3]))
    return (*parts, torch.tensor([terminated]), torch.tensor([over]))


def test_truncation_is_not_termination() -> None:
    player = LitControl(num_runs=1, num_states=3, alpha=1.0)
    player.net.values.data[:, 0, 2] = 7.0
    tables = player.net.values.data
    assert float(player.updated(tables, transition(False, cut=True))[0, 0, 0, 1]) == 6.0
    assert float(player.updated(tables, transition(True))[0, 0, 0, 1]) == -1.0


def test_a_trace_carries_an_error_back_and_ends_with_its_episode() -> None:
    player = LitControl(num_runs=1, num_states=3, alpha=0.5, method="sarsa", lam=0.9)
    player.trace[0, 1, 2] = 1.0
    after = player.updated(player.net.values.data, transition(True))
    assert float(after[0, 0, 0, 1]) == -0.5 and float(after[0, 0, 1, 2]) == pytest.approx(-0.45)
    assert not bool(player.trace.any())


def test_epsilon_is_divided_among_all_actions_and_equal_ones_are_chosen_at_random() -> None:
    torch.manual_seed(0)
    actions = explore(torch.tensor([[1.0, 1.0, 0.0, 0.0]]).repeat(20_000, 1), 0.2)
    assert (actions.bincount(minlength=4) / 20_000).tolist() == pytest.approx([0.45, 0.45, 0.05, 0.05], abs=0.01)


@pytest.mark.parametrize("arguments", [{"method": "q"}, {"lam": 0.5}, {"epsilon": 2.0}, {"gamma": -1.0}])
def test_wrong_arguments_are_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=f"model.{next(iter(arguments))}"):
        LitControl(**arguments)


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("method", ["q_learning", "sarsa", "expected_sarsa", "double_q"])
def test_a_step_of_gradient_descent_on_the_entries_is_the_update_of_the_tables(method: str, sparse: bool) -> None:
    torch.manual_seed(0)
    player = LitControl(num_runs=6, num_states=5, num_actions=3, method=method, gamma=0.9)  # type: ignore[arg-type]
    tables = torch.randn(2, 6, 5, 3, dtype=torch.float64)
    player.net.values.data = tables.clone() if method == "double_q" else tables[:1].expand(2, -1, -1, -1).clone()
    row = (
        *(torch.randint(size, (6,)) for size in (5, 3)),
        torch.randn(6).double(),
        *(torch.randint(size, (6,)) for size in (5, 3)),
        torch.tensor([True, False] * 3),
        torch.full((6,), float("nan")).double(),
    )
    torch.manual_seed(1)  # which of two tables learns
    expected = player.updated(player.net.values.detach(), row)
    torch.manual_seed(1)
    player.sparse = sparse
    player.entry_loss(player.net.values, row).backward()
    gradient = player.net.values.grad
    assert gradient is not None and gradient.is_sparse == sparse
    torch.testing.assert_close(player.net.values.detach() - gradient, expected)
    assert not torch.equal(expected, player.net.values)


class Reads(Callback):
    def on_after_backward(self, trainer: Any, pl_module: Any) -> None:
        assert not pl_module.net.values.grad.is_sparse


def trained(tmp_path: Path, *callbacks: Callback, **more: Any) -> tuple[bool, Tensor]:
    """Whether the gradients of a short training are sparse, and its tables."""
    seed_everything(0, verbose=False)
    momentum = more.pop("momentum", 0.0)
    player = LitControl(num_runs=8, optimizer=partial(torch.optim.SGD, lr=1.0, momentum=momentum))
    trainer = small_trainer(tmp_path, *callbacks, **{"max_epochs": 1, "limit_val_batches": 0, **more})
    trainer.fit(player, datamodule=ToyText(num_runs=8, num_steps=40, batch_size=1))
    return player.sparse, player.net.values.detach()


def test_gradients_are_sparse_only_where_nothing_else_reads_them(tmp_path: Path) -> None:
    (sparse, quick), (dense, slow) = trained(tmp_path), trained(tmp_path, Reads())
    assert sparse and not dense
    assert torch.equal(quick, slow) and bool(quick.any())
    for more in ({"gradient_clip_val": 1.0}, {"accumulate_grad_batches": 2}, {"momentum": 0.5}):
        assert not trained(tmp_path, **more)[0], more
