"""What is divided and how it is joined, in one process; whole runs are in tests/distributed/test_two_gpus.py."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from callbacks.weight_averaging import WarmupEMA
from common.messages import UserError
from lit_models.parallel.divided import DividedClassifier, joined, own_part, square_sum

META = torch.device("meta")


def in_one_of_two_processes(stage: str, callbacks: tuple[Any, ...] = (), scaler: Any = None) -> DividedClassifier:
    """A model whose trainer knows of another process, and whose processes exchange tensors on another device."""
    model: Any = DividedClassifier(num_classes=2)
    model.net = nn.Linear(2, 2)
    strategy = SimpleNamespace(root_device=META, all_gather=lambda value: value)
    plugin = SimpleNamespace(scaler=scaler)
    parts = {"strategy": strategy, "precision_plugin": plugin, "callbacks": callbacks, "optimizers": []}
    model._trainer = SimpleNamespace(global_rank=0, world_size=2, state=SimpleNamespace(fn=stage), **parts)
    return model


def test_one_process_has_the_whole() -> None:
    state = {"a": torch.rand(4, 2), "b": torch.rand(3)}
    assert all(torch.equal(joined(state, {"a": 1})[name], value) for name, value in state.items())
    assert torch.equal(own_part(state["a"], 0), state["a"])


def test_squares_of_gradients_are_summed_where_there_are_any() -> None:
    layer = nn.Linear(2, 1)
    assert float(square_sum(layer.parameters())) == 0
    layer.weight.grad = torch.tensor([[3.0, 4.0]])
    assert float(square_sum(layer.parameters())) == 25


class Whole(nn.Linear):
    """A network that notes where the weights were that it was given."""

    given = ""

    def load_state_dict(self, state: Any, *args: Any, **kwargs: Any) -> Any:
        self.given = state["weight"].device.type


def test_after_training_parts_are_exchanged_on_the_device_of_the_processes() -> None:
    """Lightning has moved the model to the CPU, from which NCCL sends nothing: for a checkpoint, and for a test."""
    model: Any = in_one_of_two_processes("test")
    model.split, model.__dict__["undivided"] = {"weight": 0}, Whole(2, 2)
    moments = {0: {"step": torch.tensor(1.0), "exp_avg": torch.zeros(2, 2)}, 1: {"exp_avg": torch.zeros(2)}}
    checkpoint: dict[str, Any] = {"state_dict": model.state_dict(), "optimizer_states": [{"state": moments}]}
    model.on_save_checkpoint(checkpoint)
    assert {name: value.device.type for name, value in checkpoint["state_dict"].items()}["net.weight"] == "meta"
    saved = checkpoint["optimizer_states"][0]["state"]
    assert [saved[k]["exp_avg"].device.type for k in (0, 1)] == ["meta", "cpu"]
    model.configure_model()
    assert model.net.given == "meta" and not model.split


def test_what_a_divided_network_cannot_have_is_refused() -> None:
    with pytest.raises(UserError, match="-c trainer/bf16 instead of"):
        in_one_of_two_processes("fit", scaler=object()).configure_model()
    with pytest.raises(UserError, match=r"averaging the weights .* --trainer.devices 1"):
        in_one_of_two_processes("fit", callbacks=(WarmupEMA(),)).configure_model()
