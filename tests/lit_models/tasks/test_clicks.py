"""Click prediction: the log loss and AUC against scikit-learn, probabilities."""

from pathlib import Path

import pytest
import torch
from sklearn.metrics import log_loss, roc_auc_score

from datamodules.ratings.planted_clicks import PlantedClicks
from lit_models.recommender.fm import LitFM
from tests.battery import ADAM
from tests.small import small_trainer


def test_loss_and_auc_are_those_of_all_rows(tmp_path: Path) -> None:
    data = PlantedClicks(num_rows=600, batch_size=100, eval_batch_size=37)
    model = LitFM(num_values=168, num_fields=8, embed_size=3, optimizer=ADAM)
    trainer = small_trainer(tmp_path, max_epochs=3)
    trainer.fit(model, datamodule=data)
    (found,) = trainer.test(model, datamodule=data, verbose=False)
    x, y = data.splits["test"]
    p = model.eval().predict_step(x.long(), 0)["probability"].detach()
    assert found["test/loss"] == pytest.approx(log_loss(y, p.double()), abs=1e-5)
    assert found["test/auc"] == pytest.approx(roc_auc_score(y, p), abs=1e-5)
    assert torch.equal(p, torch.sigmoid(model(x.long())))


def test_a_batch_of_logits_from_0_to_1_is_not_taken_for_probabilities(monkeypatch: pytest.MonkeyPatch) -> None:
    model = LitFM(num_values=168, num_fields=8, embed_size=3)
    auc = model.test_auc
    for logits in (torch.tensor([-0.5, 3.0]), torch.tensor([0.3])):
        monkeypatch.setattr(LitFM, "forward", lambda self, x, logits=logits: logits)
        y = torch.ones(1) if len(logits) == 1 else torch.tensor([0.0, 1.0])
        model._evaluate((torch.zeros(len(logits), 8).long(), y), model.test_loss, auc)
    assert float(auc.compute()) == 1.0
