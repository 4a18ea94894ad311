"""Gradient descent arrives at the closed form, for each family."""

from functools import partial
from pathlib import Path

import pytest
import torch

from datamodules.synthetic.samples import Samples
from lit_models.probability.maximum_likelihood import Family, LitMaximumLikelihood, flat
from lit_models.tasks.schedules import Cosine
from tests.small import small_trainer


@pytest.mark.parametrize(
    "family",
    [
        *("bernoulli", "laplace"),
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("categorical", "exponential", "gaussian", "poisson")),
    ],
)
def test_gradient_descent_finds_the_closed_form(family: Family, tmp_path: Path) -> None:
    data = Samples(family=family, num_features=2, num_values=3, num_train=400, num_test=50, batch_size=400)
    model = LitMaximumLikelihood(
        family=family,
        num_features=2,
        num_values=3,
        optimizer=partial(torch.optim.Adam, lr=0.1),
        lr_scheduler=Cosine,
    )
    trainer = small_trainer(tmp_path, max_epochs=250)
    trainer.fit(model, data)
    (found,) = trainer.test(model, data, verbose=False)
    if family == "categorical":  # logits are known up to a constant
        torch.testing.assert_close(model.net.logits.softmax(1), model.closed.logits.softmax(1), atol=2e-3, rtol=0)  # type: ignore
    else:
        assert found["test/distance"] < 0.01
        torch.testing.assert_close(flat(model.net), flat(model.closed), atol=0.01, rtol=0)


def test_the_unused_triangle_is_not_compared() -> None:
    model = LitMaximumLikelihood(num_features=2)
    with torch.no_grad():
        model.net.below[0, 1] = 5.0  # type: ignore[index, operator]
    torch.testing.assert_close(flat(model.net), flat(model.closed))
    assert model.panels()[0]["title"] == "parameters"
