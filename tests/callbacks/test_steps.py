"""The step that log lines are counted by."""

from types import SimpleNamespace
from typing import Any

import pytest

from callbacks.steps import logged_steps


@pytest.mark.parametrize(("automatic", "expected"), [(True, 12), (False, 5)])
def test_batches_are_counted_where_several_optimizers_take_steps(automatic: bool, expected: int) -> None:
    progress = SimpleNamespace(batch_progress=SimpleNamespace(total=SimpleNamespace(ready=5)))
    trainer: Any = SimpleNamespace(
        global_step=12,
        lightning_module=SimpleNamespace(automatic_optimization=automatic),
        fit_loop=SimpleNamespace(epoch_loop=progress),
    )
    assert logged_steps(trainer) == expected
