"""Strategies that divide a network, in one process, where they divide nothing; two are in tests/distributed."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from callbacks.stochastic_weight_averaging import SWA
from common.messages import UserError
from lit_models.parallel.pipeline import Pipeline
from lit_models.parallel.tensor_parallel import TensorParallel
from lit_models.parallel.whole_batch import WholeBatch
from tests.small import SmallNet


@pytest.mark.parametrize("kind", [WholeBatch, Pipeline])
def test_nothing_is_divided_before_training(kind: type[WholeBatch]) -> None:
    strategy = kind()
    strategy._lightning_module = strategy.model = SmallNet()  # type: ignore[assignment]
    strategy.on_validation_start()
    strategy.on_validation_end()
    state = strategy.lightning_module_state_dict()
    assert all(torch.equal(value, state[name]) for name, value in strategy.model.state_dict().items())


def test_names_follow_the_optimizers_groups(tmp_path: Path) -> None:
    strategy = WholeBatch()
    model = SmallNet(decay_biases=False)
    strategy._lightning_module = strategy.model = model  # type: ignore[assignment]
    assert strategy.names(model.net) == [["0.weight", "3.weight"], ["0.bias", "3.bias"]]


def test_after_training_parts_are_joined_on_the_device_of_the_processes() -> None:
    """Lightning has moved them to the CPU, from which NCCL sends nothing."""
    strategy = TensorParallel()
    strategy.parallel_devices = [torch.device("meta")]
    strategy.part = nn.Linear(2, 2)
    assert {value.device.type for value in strategy.whole_network().values()} == {"meta"}


@pytest.mark.parametrize("kind", [TensorParallel, Pipeline])
@pytest.mark.parametrize(
    ("scaler", "callbacks", "says"),
    [(object(), [], "-c trainer/bf16 instead of"), (None, [SWA()], r"averaging the weights .* -c trainer/ddp")],
)
def test_what_a_divided_network_cannot_have_is_refused(
    scaler: Any, callbacks: list[Any], says: str, kind: type[WholeBatch], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kind, "world_size", 2)
    strategy = kind()
    strategy._lightning_module = strategy.model = SmallNet()  # type: ignore[assignment]
    plugin, state = SimpleNamespace(scaler=scaler), SimpleNamespace(fn="fit")
    with pytest.raises(UserError, match=says):
        strategy.setup(SimpleNamespace(state=state, precision_plugin=plugin, callbacks=callbacks))  # type: ignore[arg-type]
