"""The classifier's numbers against scikit-learn and torch."""

import inspect
from pathlib import Path

import pytest
import torch
import yaml
from sklearn.metrics import accuracy_score, log_loss
from torch.nn import functional as F
from torch.utils.data import DataLoader

from common.messages import UserError
from lit_models.gp.laplace import LitLaplaceGP
from lit_models.mlp.backprop import LitBackprop
from lit_models.probability.naive_bayes import LitNaiveBayes
from lit_models.tasks.classifier import Classifier
from scripts.front.classes import import_class
from scripts.front.recipes import all_recipes
from tests.battery import ClassifierBattery
from tests.small import Points, SmallNet, small_trainer


class TestSmallNet(ClassifierBattery):
    parameters = 2 * 8 + 8 + 8 * 3 + 3

    def model(self) -> SmallNet:
        return SmallNet(dropout=0.0)

    def batch(self) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.randn(6, 2), torch.arange(6) % 3


def one_batch(x: torch.Tensor, y: torch.Tensor) -> list[DataLoader]:
    """The same single batch for training and for validation."""
    return [DataLoader([(x, y)], batch_size=None) for _ in range(2)]  # type: ignore[arg-type]


def test_metrics_are_over_samples_not_over_batches(tmp_path: Path) -> None:
    data, model = Points(batch_size=1), SmallNet()  # 11 test rows in batches of four: the last has three
    metrics = small_trainer(tmp_path).test(model, datamodule=data, verbose=False)[0]
    x, y = data.splits["test"]
    probabilities = model.eval()(x).softmax(1).detach().numpy()
    assert metrics["test/acc"] == pytest.approx(accuracy_score(y, probabilities.argmax(1)))
    assert metrics["test/loss"] == pytest.approx(log_loss(y, probabilities, labels=[0, 1, 2]), rel=1e-5)


def test_soft_targets_train_and_count_by_their_most_probable_class(tmp_path: Path) -> None:
    model = SmallNet(dropout=0.0)
    x, y = torch.randn(6, 2), torch.eye(3)[torch.arange(6) % 3] * 0.8 + 0.2 / 3
    trainer = small_trainer(tmp_path, max_steps=1)
    trainer.fit(model, *one_batch(x, y))
    agree = (model.eval()(x).argmax(1) == y.argmax(1)).float().mean()
    assert float(trainer.callback_metrics["val/acc"]) == pytest.approx(float(agree))


def test_label_smoothing_applies_in_training_alone(tmp_path: Path) -> None:
    x, y = torch.randn(6, 2), torch.arange(6) % 3
    model = SmallNet(dropout=0.0, label_smoothing=0.3, lr=0.0)
    trainer = small_trainer(tmp_path, max_steps=1)
    trainer.fit(model, *one_batch(x, y))
    logits = model.eval()(x)
    assert float(trainer.callback_metrics["train/loss"]) == pytest.approx(
        float(F.cross_entropy(logits, y, label_smoothing=0.3)), rel=1e-5
    )
    assert float(trainer.callback_metrics["val/loss"]) == pytest.approx(float(F.cross_entropy(logits, y)), rel=1e-5)


def test_real_numbers_as_targets_are_one_line(tmp_path: Path) -> None:
    x, y = torch.randn(6, 2), torch.rand(6)
    with pytest.raises(UserError, match="the targets are real numbers, not classes: SmallNet is a classifier"):
        small_trainer(tmp_path, max_steps=1).fit(SmallNet(), *one_batch(x, y))


def test_the_training_loss_of_soft_targets_is_their_cross_entropy(tmp_path: Path) -> None:
    x, y = torch.randn(6, 2), torch.rand(6, 3).softmax(1)
    model = SmallNet(dropout=0.0, lr=0.0)
    trainer = small_trainer(tmp_path, max_steps=1)
    trainer.fit(model, *one_batch(x, y))
    expected = -(y * model.eval()(x).log_softmax(1)).sum(1).mean()
    assert float(trainer.callback_metrics["train/loss"]) == pytest.approx(float(expected), rel=1e-5)


def test_predictions_are_those_of_each_row_for_a_tensor_and_for_a_batch() -> None:
    model, x = SmallNet().eval(), torch.randn(5, 2)
    for batch in (x, (x, torch.zeros(5))):
        found = model.predict_step(batch, 0)
        torch.testing.assert_close(found["probabilities"], model(x).softmax(1))
        assert torch.equal(found["label"], model(x).argmax(1))


def test_smoothing_keeps_the_weight_of_a_row() -> None:
    torch.manual_seed(0)
    logits, y = torch.randn(4, 3), torch.tensor([0, 1, 2, 1])
    model = SmallNet(label_smoothing=0.1)
    whole = F.one_hot(y, 3).float()
    expected = F.cross_entropy(logits, y, label_smoothing=0.1, reduction="none")
    torch.testing.assert_close(model.losses(logits, whole), expected)
    weights = torch.tensor([0.0, 1.0, 2.5, 7.0])
    torch.testing.assert_close(model.losses(logits, whole * weights[:, None]), expected * weights)


def test_means_of_a_run_in_pure_half_precision_are_in_single_precision(tmp_path: Path) -> None:
    data, model = Points(batch_size=4), SmallNet()
    trainer = small_trainer(tmp_path, precision="bf16-true", max_epochs=1)
    trainer.fit(model, datamodule=data)
    assert model.val_loss.dtype == torch.float32 and next(model.parameters()).dtype == torch.bfloat16
    assert trainer.test(model, datamodule=data, verbose=False)[0]["test/loss"] > 0
    assert model.test_loss.dtype == torch.float32


@pytest.mark.parametrize("kind", [LitNaiveBayes, LitLaplaceGP, LitBackprop])
def test_label_smoothing_is_refused_where_the_training_loss_has_none(kind: type[Classifier]) -> None:
    with pytest.raises(UserError, match=rf"model\.label_smoothing: the training loss of {kind.__name__} has none"):
        kind(label_smoothing=0.1)


def test_every_other_training_step_of_a_recipe_smooths() -> None:
    paths = {yaml.safe_load(r.path.read_text(encoding="utf-8"))["model"]["class_path"] for r in all_recipes()}
    kinds = {import_class(path) for path in paths}
    own = {k for k in kinds if issubclass(k, Classifier) and k.training_step is not Classifier.training_step}
    assert len(own) > 6
    for kind in own:
        source = inspect.getsource(kind.training_step)
        assert kind.smooths == ("label_smoothing" in source or "super().training_step" in source), kind
