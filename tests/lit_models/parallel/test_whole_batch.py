"""Strategies that divide a network, in one process, where they divide nothing; two are in tests/distributed."""

from pathlib import Path

import pytest
import torch

from lit_models.parallel.pipeline import Pipeline
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
