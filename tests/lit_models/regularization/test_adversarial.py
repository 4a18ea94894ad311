"""Adversarial training attacks the rows that it says, leaves the network as it was, and refuses gray levels as a
budget.
"""

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from common.messages import UserError
from lit_models.cnn.batch_norm import LitBatchNormLeNet
from lit_models.regularization.adversarial import Adversarial, LitRobustLeNet
from tests.battery import ADAM, ClassifierBattery


class TestLitRobustLeNet(ClassifierBattery):
    parameters = 61_706

    def model(self) -> LitRobustLeNet:
        return LitRobustLeNet(activation="relu", pooling="max", attack_steps=4, optimizer=ADAM)

    def batch(self) -> tuple[Tensor, Tensor]:
        return torch.rand(8, 1, 28, 28), torch.arange(8)

    def test_accuracy_under_attack_is_at_most_that_without_one(self, tmp_path: Path) -> None:
        model = self.model()
        self.fit_one_batch(tmp_path, model, 40)
        (found,) = self.trainer(tmp_path).test(model, DataLoader([self.batch()], batch_size=None), verbose=False)  # type: ignore[arg-type]
        assert 0 <= found["test/robust_acc"] <= found["test/acc"]

    def test_loss_is_the_cross_entropy_of_classes_and_of_distributions(self, tmp_path: Path) -> None:
        """Of classes only: accuracy under attack has no meaning for distributions."""


@pytest.mark.parametrize(("steps", "fraction"), [(1, 0.5), (3, 1.0)])
def test_only_the_fraction_is_changed_and_the_network_stays_as_it_was(steps: int, fraction: float) -> None:
    model = LitBatchNormLeNet().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    x, y = torch.rand(8, 1, 28, 28), torch.arange(8)
    changed, same = Adversarial(0.1, steps, fraction=fraction).batch(model, x, y)
    rows = round(8 * fraction)
    assert same is y and torch.equal(changed[rows:], x[rows:])
    assert bool((changed[:rows] != x[:rows]).flatten(1).any(1).all()) and float((changed - x).abs().max()) <= 0.1001
    assert model.training and all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())


def test_a_budget_in_gray_levels_is_refused() -> None:
    with pytest.raises(UserError, match=r"epsilon is 8, but pixels are numbers in \[0, 1\]: .* give 0\.031"):
        Adversarial(8)
    for wrong in ({"epsilon": 0}, {"steps": 0}, {"fraction": -0.1}, {"step": -1}):
        with pytest.raises(UserError, match="Adversarial: "):
            Adversarial(**wrong)  # type: ignore[arg-type]
