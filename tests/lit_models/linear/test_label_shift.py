"""Label shift: the battery, the estimated shares against the true ones, and what they repair over five draws."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from common.messages import UserError
from datamodules.synthetic.shift import LabelShift
from lit_models.linear.label_shift import LitLabelShift, confusion_columns, fit_softmax, target_priors
from tests.battery import ADAM, ClassifierBattery
from tests.small import small_trainer

SIZES = {"num_train": 1000, "num_val": 1000, "num_target": 1000, "num_test": 5000}


class TestLitLabelShift(ClassifierBattery):
    parameters = 9  # 2 x 3 weights and 3 biases
    overfit_steps = 300

    def model(self) -> LitLabelShift:
        return LitLabelShift(optimizer=ADAM)

    def batch(self) -> tuple[Tensor, Tensor]:
        y = torch.arange(9) % 3
        return 3 * LabelShift().corners[y], y


def test_confusion_has_one_column_for_each_true_class() -> None:
    confusion = confusion_columns(torch.tensor([0, 1, 1, 1]), torch.tensor([0, 0, 1, 1]), 2)
    assert confusion.tolist() == [[0.5, 0.0], [0.5, 1.0]]


def test_shares_solve_the_confusion_equation() -> None:
    confusion = torch.tensor([[0.9, 0.2], [0.1, 0.8]], dtype=torch.float64)
    q = torch.tensor([0.25, 0.75], dtype=torch.float64)
    torch.testing.assert_close(target_priors(confusion, confusion @ q), q)
    wrong = target_priors(confusion.T / confusion.T.sum(0), confusion @ q)  # rows for columns
    assert float((wrong - q).abs().max()) > 0.05


def test_shares_below_nothing_become_nothing() -> None:
    confusion = torch.tensor([[0.9, 0.2], [0.1, 0.8]], dtype=torch.float64)
    assert target_priors(confusion, torch.tensor([0.95, 0.05], dtype=torch.float64)).tolist() == [1.0, 0.0]


def test_a_classifier_that_knows_one_class_alone_is_refused() -> None:
    with pytest.raises(UserError, match="cannot be inverted"):
        target_priors(torch.tensor([[1.0, 1.0], [0.0, 0.0]]).double(), torch.tensor([1.0, 0.0]).double())


def test_a_class_without_validation_rows_is_refused() -> None:
    with pytest.raises(UserError, match="class 1 has no validation row"):
        confusion_columns(torch.tensor([0, 1]), torch.tensor([0, 0]), 2)


def corrected(seed: int) -> tuple[float, float, float, Tensor]:
    """Accuracy on the target without and with the weights, that of Bayes' rule, and the estimated shares."""
    data = LabelShift(data_seed=seed, **SIZES)
    data.setup("fit")
    model = LitLabelShift()
    model.trainer = type("Trainer", (), {"datamodule": data})()
    model.setup("fit")
    x, y = data.splits["train"]
    plain, weighted = fit_softmax(x, y, 3), fit_softmax(x, y, 3, model.class_weights[y])
    x_test, y_test = data.splits["test"]
    before, after = (float((net(x_test).argmax(1) == y_test).float().mean()) for net in (plain, weighted))
    return before, after, data.best_accuracy(x_test, y_test), model.class_weights * torch.bincount(y) / len(y)


def test_weighting_repairs_the_target_accuracy_in_each_of_five_draws() -> None:
    for seed in range(5):
        before, after, best, shares = corrected(seed)
        assert after - before > 0.2
        assert after > best - 0.04  # of what nobody exceeds
        torch.testing.assert_close(shares, torch.tensor([0.1, 0.2, 0.7]), atol=0.13, rtol=0)


def test_unweighted_training_has_weights_of_one(tmp_path: Path) -> None:
    model = LitLabelShift(weighted=False)
    small_trainer(tmp_path, max_epochs=1).fit(model, datamodule=LabelShift())
    assert model.class_weights.tolist() == [1.0, 1.0, 1.0]


def test_without_inputs_of_the_target_every_weight_is_one() -> None:
    model, rows = LitLabelShift(), (torch.randn(9, 2), torch.arange(9) % 3)
    model.trainer = type("Trainer", (), {"datamodule": SimpleNamespace(splits={"train": rows, "val": rows})})()
    model.setup("fit")
    assert model.class_weights.tolist() == [1.0, 1.0, 1.0]


def test_label_smoothing_keeps_the_weight_of_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    model, x, y = LitLabelShift(label_smoothing=0.3), torch.randn(9, 2), torch.arange(9) % 3
    model.class_weights.copy_(torch.tensor([0.5, 1.0, 4.0]))
    monkeypatch.setattr(model, "record_train_loss", lambda loss, rows: None)
    losses = F.cross_entropy(model(x), y, label_smoothing=0.3, reduction="none")
    torch.testing.assert_close(model.training_step((x, y), 0), (model.class_weights[y] * losses).mean())


def test_the_weights_are_saved_with_the_model(tmp_path: Path) -> None:
    model = LitLabelShift()
    trainer = small_trainer(tmp_path, max_epochs=1)
    trainer.fit(model, datamodule=LabelShift(**SIZES))
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    again = LitLabelShift.load_from_checkpoint(tmp_path / "a.ckpt", weights_only=True)
    assert torch.equal(again.class_weights, model.class_weights) and model.class_weights[2] > 4
