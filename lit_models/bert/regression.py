"""BERT with one number as its output: how similar are two texts?

Devlin et al. 2019, 4.1 (STS-B), with squared error as GLUE's programs. D2L 16.6.2, which has no code for it.
The output is in standard deviations from the training targets' mean, so that a scale of 1 to 5 and one of 0 to 100 are
learned alike.

    dive fit bert/regression                  which parts of two sentences are the same? offline, with known scores
    dive fit bert/regression_sick             how related are two sentences? all-MiniLM-L6-v2 fine-tuned
    dive fit bert/regression --data ScoreTable --data.path FILE.csv --data.second other      your own pairs

The numbers it reaches are in RESULTS.md.
"""

from typing import Any

import torch
from torch import Tensor
from torchmetrics.functional import pearson_corrcoef, spearman_corrcoef

from common.messages import note
from lit_models.bert.classifier import BertClassifier
from lit_models.bert.heads import know_texts
from lit_models.bert.question_answering import Rows
from lit_models.tasks.regressor import Regressor
from lit_models.tasks.trains import trains


@trains(BertClassifier)
class LitBertRegressor(Regressor):
    """``BertClassifier`` with one output, trained by squared error. Batch: tokens (B, T), numbers (B,).

    Logs, beside the errors of ``Regressor``, ``test/pearson`` and ``test/spearman``: the correlation with the true
    numbers and that of the ranks, as STS and SICK are scored.

    Args:
        num_classes: Outputs: one.
        **task: See ``Regressor``.
    """

    target_mean: Tensor
    target_std: Tensor

    def __init__(self, num_classes: int = 1, **task: Any) -> None:
        super().__init__(**task)
        self.register_buffer("target_mean", torch.zeros(()))
        self.register_buffer("target_std", torch.ones(()))
        self.test_rows = Rows()  # prediction and truth

    def setup(self, stage: str) -> None:
        super().setup(stage)
        if stage == "fit":
            self.target_mean.fill_(self.data_attribute("target_mean", 0.0))
            self.target_std.fill_(self.data_attribute("target_std", 1.0))

    def on_train_start(self) -> None:
        super().on_train_start()
        know_texts(self)

    def forward(self, *inputs: Tensor) -> Tensor:
        return super().forward(*inputs) * self.target_std + self.target_mean

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> dict[str, Tensor]:
        found = super().test_step(batch, batch_idx)
        self.test_rows.update(torch.stack([found["prediction"].float().flatten(), batch[1].float()], 1))
        return found

    def on_test_epoch_end(self) -> None:
        super().on_test_epoch_end()
        prediction, truth = self.test_rows.compute().unbind(1)
        self.test_rows.reset()
        constant = min(len(prediction.unique()), len(truth.unique())) < 2
        if constant:
            note("test/pearson and test/spearman need test data and predictions that differ: they are given as 0")
        for name, correlation in (("pearson", pearson_corrcoef), ("spearman", spearman_corrcoef)):
            value = prediction.new_zeros(()) if constant else correlation(prediction, truth)
            self.log(f"test/{name}", value, sync_dist=False)
