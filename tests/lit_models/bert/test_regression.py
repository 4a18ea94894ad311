"""BERT's regression: the battery, the target's units, correlations."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from datamodules.text.bert_scores import SceneScores
from lit_models.bert.regression import LitBertRegressor
from tests.battery import ADAM, RegressorBattery
from tests.small import small_trainer

D = 16


def regressor() -> LitBertRegressor:
    return LitBertRegressor(vocab_size=300, hidden_size=D, num_layers=1, pooling="mean", dropout=0.0, optimizer=ADAM)


class TestLitBertRegressor(RegressorBattery):
    parameters = (20 + 512 + 2 + 2) * D + 2 * (4 * (D * D + D) + 2 * 4 * D * D + 5 * D + 4 * D) + D * D + D + D + 1

    def model(self) -> LitBertRegressor:
        return LitBertRegressor(vocab_size=20, hidden_size=D, dropout=0.0, optimizer=ADAM)

    def batch(self) -> tuple[Tensor, Tensor]:
        tokens = torch.randint(5, 20, (8, 9))
        tokens[:, 0], tokens[:, 4], tokens[:, 8] = 2, 3, 3
        return tokens, torch.linspace(-1, 1, 8)


def test_predictions_are_in_the_units_of_the_scores(tmp_path: Path) -> None:
    data = SceneScores(train_size=64, val_size=16, test_size=16, batch_size=8)
    model = regressor()
    trainer = small_trainer(tmp_path, max_epochs=1)
    trainer.fit(model, data)
    assert float(model.target_mean) == pytest.approx(data.target_mean) and 1 < data.target_mean < 4
    (found,) = trainer.test(model, data, verbose=False)
    (rows,) = trainer.predict(model, data)  # type: ignore[misc]
    assert rows["prediction"].shape == (16, 1)  # type: ignore[call-overload,index]
    truth, guess = data.splits["test"][1], rows["prediction"][:, 0]  # type: ignore[call-overload,index]
    assert found["test/rmse"] == pytest.approx(float((truth - guess).square().mean().sqrt()), rel=1e-4)
    expected = float(torch.corrcoef(torch.stack([truth, guess]))[0, 1])
    assert found["test/pearson"] == pytest.approx(expected, abs=1e-4)
    assert -1 <= found["test/spearman"] <= 1


def test_an_output_of_one_is_one_deviation_above_the_mean() -> None:
    model = regressor().eval()
    torch.nn.init.zeros_(model.net.classifier.weight)  # type: ignore[union-attr,arg-type]
    torch.nn.init.ones_(model.net.classifier.bias)  # type: ignore[union-attr,arg-type]
    model.target_mean.fill_(50.0)
    model.target_std.fill_(20.0)
    assert model(torch.tensor([[2, 5, 3]])).tolist() == [[70.0]]


def test_constant_predictions_have_no_correlation(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = SceneScores(train_size=64, val_size=16, test_size=16, batch_size=8)
    model = regressor()
    torch.nn.init.zeros_(model.net.classifier.weight)  # type: ignore[union-attr,arg-type]
    (found,) = small_trainer(tmp_path).test(model, data, verbose=False)
    assert found["test/pearson"] == found["test/spearman"] == 0
    assert "predictions that differ" in "".join(capsys.readouterr())
