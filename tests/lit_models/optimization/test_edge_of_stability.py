"""The sharpness is the Hessian's, all rows are in each step, and the recipe ends at the edge."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from datamodules.tabular.standardized_diabetes import StandardizedDiabetes
from lit_models.optimization.edge_of_stability import LitEdgeOfStability
from lit_models.optimization.sgd import SGD
from tests.small import small_trainer


def small(**model: Any) -> LitEdgeOfStability:
    return LitEdgeOfStability(
        num_features=10, hidden_sizes=[3], activation="tanh", optimizer=partial(SGD, lr=0.1), **model
    )


def test_the_sharpness_is_the_largest_eigenvalue_of_the_whole_hessian(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model, trainer = small(products=40), small_trainer(tmp_path, max_epochs=1)
    trainer.fit(model, datamodule=StandardizedDiabetes(batch_size=151))
    (found,) = trainer.test(model, datamodule=(data := StandardizedDiabetes(batch_size=151)), verbose=False)
    x, y = data.splits["train"][:2]
    names, values = zip(*model.net.named_parameters(), strict=True)
    shapes, sizes = [v.shape for v in values], [v.numel() for v in values]

    def loss(flat: torch.Tensor) -> torch.Tensor:
        parts = [part.view(shape) for part, shape in zip(flat.split(sizes), shapes, strict=True)]
        prediction = torch.func.functional_call(model.net, dict(zip(names, parts, strict=True)), (x,))
        return (prediction[:, 0] - y).square().mean() / 2

    flat = torch.cat([v.detach().flatten() for v in values])
    expected = torch.linalg.eigvalsh(torch.autograd.functional.hessian(loss, flat).double())[-1]
    assert found["test/stability"] == pytest.approx(float(expected) * 0.1 / 2, rel=1e-3)
    assert found["test/loss"] == pytest.approx(float(loss(flat)), rel=1e-5)


def test_a_step_takes_all_rows_whatever_the_batch(tmp_path: Path) -> None:
    ends = []
    for size in (151, 101):  # two and three steps
        torch.manual_seed(0)
        model = small()
        small_trainer(tmp_path, max_steps=2).fit(model, datamodule=StandardizedDiabetes(batch_size=size))
        ends.append(model.net.state_dict())
    for name, value in ends[0].items():
        torch.testing.assert_close(value, ends[1][name])
