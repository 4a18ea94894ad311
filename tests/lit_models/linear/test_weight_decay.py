"""Weight decay: the battery, and the written-out penalty against the optimizer's own."""

from copy import deepcopy
from functools import partial
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from lit_models.linear.linear_regression import LitLinearRegression
from lit_models.linear.weight_decay import LitWeightDecay
from tests.battery import ADAM, RegressorBattery

SGD = partial(torch.optim.SGD, lr=0.05)


class TestLitWeightDecay(RegressorBattery):
    parameters = 4  # three weights and a bias

    def model(self) -> LitWeightDecay:
        return LitWeightDecay(num_features=3, weight_decay=0.01, optimizer=ADAM)

    def batch(self) -> tuple[Tensor, Tensor]:
        x = torch.randn(16, 3)
        return x, x.sum(1) / 2


def fitted(model: LitWeightDecay | LitLinearRegression, start: dict[str, Tensor], folder: Path) -> Tensor:
    """Weights and bias (4,) after 20 steps from the same start on the same batch, in double precision."""
    torch.manual_seed(3)
    batch = torch.randn(8, 3, dtype=torch.float64), torch.randn(8, dtype=torch.float64)
    model = model.double()
    model.net.load_state_dict(start)
    trainer = TestLitWeightDecay().trainer(folder, max_steps=20, max_epochs=-1)
    trainer.fit(model, DataLoader([batch], batch_size=None))
    return torch.cat([model.net.linear.weight[0], model.net.linear.bias]).detach()


def test_penalty_in_the_loss_equals_sgds_weight_decay_on_the_weights_alone(tmp_path: Path) -> None:
    written = LitWeightDecay(num_features=3, weight_decay=3.0, optimizer=SGD)
    start = deepcopy(written.double().net.state_dict())
    decayed = LitLinearRegression(
        num_features=3, optimizer=partial(torch.optim.SGD, lr=0.05, weight_decay=3.0), decay_biases=False
    )
    all_decayed = LitLinearRegression(num_features=3, optimizer=partial(torch.optim.SGD, lr=0.05, weight_decay=3.0))
    ours = fitted(written, start, tmp_path)
    torch.testing.assert_close(ours, fitted(decayed, start, tmp_path), atol=1e-13, rtol=0)
    assert float((ours - fitted(all_decayed, start, tmp_path)).abs().max()) > 1e-3  # the bias decayed too: rejected


def test_penalty_is_half_lambda_times_the_squared_norm_of_the_weights() -> None:
    model = LitWeightDecay(num_features=2, weight_decay=3.0)
    with torch.no_grad():
        model.net.linear.weight.copy_(torch.tensor([[3.0, 4.0]]))
        model.net.linear.bias.fill_(100.0)
    assert float(model.penalty().detach()) == 37.5


def test_training_loss_that_is_logged_leaves_the_penalty_out(tmp_path: Path) -> None:
    model = LitWeightDecay(num_features=3, weight_decay=1000.0, optimizer=partial(torch.optim.SGD, lr=0.0))
    with torch.no_grad():
        model.net.linear.weight.fill_(1.0)
    x, y = batch = TestLitWeightDecay().batch()
    trainer = TestLitWeightDecay().trainer(tmp_path, max_steps=1, max_epochs=-1)
    trainer.fit(model, DataLoader([batch], batch_size=None))
    torch.testing.assert_close(trainer.callback_metrics["train/loss"], model.loss(model(x), y).detach())


def test_without_data_the_weights_decay_and_the_bias_stays() -> None:
    model = LitWeightDecay(num_features=3, weight_decay=2.0)
    model.penalty().backward()
    weight = model.net.linear.weight
    torch.testing.assert_close(weight.grad, 2 * weight.detach())
    assert model.net.linear.bias.grad is None
