"""What an optimizer asks of its run: weights of evaluation are in place in validations, and after the training."""

from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from common.messages import UserError
from lit_models.tasks.optimizer_wishes import check_run, evaluated_state, needs_graph
from tests.small import Points, SmallNet, small_trainer


class Averages(torch.optim.SGD):
    """Counts the switches; its weights of evaluation are zero."""

    averages = True
    needs_graph = True

    def __init__(self, params: Any, calls: list[str]) -> None:
        super().__init__(params, lr=0.1)
        self.calls = calls

    def check_run(self, trainer: Any) -> None:
        self.calls.append("check")

    def eval(self) -> None:
        self.calls.append("eval")

    def train(self) -> None:
        self.calls.append("train")

    def evaluated_weights(self, p: nn.Parameter) -> torch.Tensor:
        return torch.zeros_like(p)


def test_switches_around_each_validation_and_at_the_end_and_saves_the_weights_of_evaluation(tmp_path: Path) -> None:
    calls: list[str] = []
    trainer = small_trainer(tmp_path)
    model = SmallNet(optimizer=partial(Averages, calls=calls))
    trainer.fit(model, datamodule=Points())
    assert calls == ["check", *["eval", "train"] * 2, "eval"] and model.keeps_graph
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    saved = torch.load(tmp_path / "a.ckpt", weights_only=True)["state_dict"]
    assert not any(bool(value.any()) for name, value in saved.items() if name.startswith("net."))


def test_one_that_averages_is_refused_where_the_network_is_divided() -> None:
    model = SmallNet()
    optimizers = [Averages(model.parameters(), [])]
    model._trainer = SimpleNamespace(optimizers=optimizers, strategy=SimpleNamespace())  # type: ignore[assignment]
    check_run(model)
    model._trainer.strategy.part = model.net  # type: ignore[union-attr]
    with pytest.raises(UserError, match=r"Averages averages weights, .*train with -c trainer/ddp"):
        check_run(model)


def test_other_optimizers_ask_for_nothing(tmp_path: Path) -> None:
    model = SmallNet()
    assert not needs_graph(torch.optim.SGD(model.parameters())) and evaluated_state(model) == {}
    check_run(model)
