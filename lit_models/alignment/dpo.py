"""Direct preference optimization: a model learns which of two answers is preferred, without a reward model.

Rafailov et al. 2023. Not in D2L; CS25; Hugging Face course, chapter 12. The loss is logistic regression on the
difference of two log ratios to the start, which stays frozen and in evaluation mode (``lit_models/tasks/aligned.py``).

    dive fit alignment/dpo                                            planted preferences, offline
    dive fit alignment/dpo --data PreferenceFile --data.path mine.jsonl
    dive fit alignment/dpo --data.flipped 0.5                         nobody agrees: nothing to learn

The numbers they reach are in RESULTS.md.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torchmetrics import MeanMetric

from lit_models.attention.gpt import GPT
from lit_models.functional.alignment_losses import dpo_loss, kl_of_logits
from lit_models.layers.precision import at_least_float32
from lit_models.tasks.aligned import Aligned
from lit_models.tasks.trains import trains

Batch = tuple[Tensor, Tensor, Tensor, Tensor]
MEASURES = ("loss", "acc", "margin", "exact", "kl", "chosen")


@trains(GPT)
class LitDPO(Aligned):
    """GPT aligned by pairs. Batch: chosen tokens and targets, rejected tokens and targets, each (B, T).

    Logs of each split ``loss``; ``acc``, the fraction of pairs whose margin is positive; ``margin``; ``exact``, the
    fraction of prompts that a greedy policy answers by the chosen text; ``kl``, the KL to the start in nats on the
    chosen answers; ``chosen``, by how many nats log p of the chosen answers has changed, which may well be negative.

    Args:
        beta: Weight of the KL to the start: the smaller, the farther the policy may move.
        **task: See ``Aligned``.
    """

    net: GPT

    def __init__(self, beta: float = 0.1, **task: Any) -> None:
        super().__init__(**task)
        self.beta = beta
        names = [f"{split}_{name}" for split in ("val", "test") for name in MEASURES]
        self.measures: Any = nn.ModuleDict({name: MeanMetric() for name in names})

    def pairs(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Losses (B,) and margins (B,)."""
        tokens, targets = torch.cat(batch[::2]), torch.cat(batch[1::2])
        policy = self.log_probs(tokens, targets).sum(1).chunk(2)  # chosen, rejected
        with torch.no_grad():
            reference = self.log_probs(tokens, targets, reference=True).sum(1).chunk(2)
        return dpo_loss(policy, reference, self.beta)  # type: ignore[arg-type]

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:  # type: ignore[override]
        loss = self.pairs(batch)[0].mean()
        self.record_train_loss(loss, len(batch[0]))
        return loss

    def measure(self, batch: Batch, split: str) -> None:
        """Adds a batch to the measures of a split."""
        tokens, targets = batch[:2]
        loss, margin = self.pairs(batch)
        logits, before = (at_least_float32(net(tokens)) for net in (self.net, self.reference))
        answer = targets != self.pad_id
        right = ((logits.argmax(-1) == targets) | ~answer).all(1).float()
        change = self.log_probs(tokens, targets) - self.log_probs(tokens, targets, reference=True)
        kl = kl_of_logits(logits, before, answer)
        found = (loss, (margin > 0).float(), margin, right, kl, change.sum(1))
        for name, values in zip(MEASURES, found, strict=True):
            self.measures[f"{split}_{name}"].update(values)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:  # type: ignore[override]
        self.measure(batch, "val")

    def test_step(self, batch: Batch, batch_idx: int) -> None:  # type: ignore[override]
        self.measure(batch, "test")

    def predict_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:  # type: ignore[override]
        """Returns ``margin`` (B,): positive where the model agrees with the preference."""
        return {"margin": self.pairs(batch)[1]}

    def on_validation_epoch_end(self) -> None:
        self.log_measures("val")

    def on_test_epoch_end(self) -> None:
        self.log_measures("test")

    def log_measures(self, split: str) -> None:
        for name in MEASURES:
            self.log(f"{split}/{name}", self.measures[f"{split}_{name}"], prog_bar=name == "acc")
