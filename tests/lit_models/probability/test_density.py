"""A density estimator's loss, and what it says where the truth is known."""

from pathlib import Path

import torch
from torch.utils.data import DataLoader

from datamodules.synthetic.samples import Samples
from lit_models.probability.maximum_likelihood import LitMaximumLikelihood
from tests.small import small_trainer


def test_the_loss_is_the_mean_negative_log_density_over_rows_of_uneven_batches(tmp_path: Path) -> None:
    model, x = LitMaximumLikelihood(num_features=2), torch.randn(7, 2)
    loader = DataLoader([(x[:5],), (x[5:],)], batch_size=None)  # type: ignore[arg-type]
    (found,) = small_trainer(tmp_path).test(model, loader, verbose=False)
    assert abs(found["test/loss"] + float(model(x).detach().mean())) < 1e-5
    assert "test/excess" not in found


def test_the_excess_is_counted_from_the_true_density(tmp_path: Path) -> None:
    data, model = Samples(num_features=2, num_test=500), LitMaximumLikelihood(num_features=2)
    (found,) = small_trainer(tmp_path).test(model, data, verbose=False)
    (x,) = data.splits["test"]
    expected = float((data.log_density(x) - model(x).detach()).mean())
    assert expected > 0.1
    assert abs(found["test/excess"] - expected) < 1e-4
