"""BERT with a dense layer on each token: which words of a sentence are names, and of what kind.

Devlin et al. 2019, 5.3. D2L 16.6, which describes it and has no code. A word's tag is that of its first sub-word; the
others count neither in the loss nor in a score.

    dive fit bert/tagger                  names of countries, languages, currencies, days in 13 languages, offline
    dive fit bert/tagger --data ConllFile --data.path FILE.conll         your own sentences

The numbers they reach are in RESULTS.md.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchmetrics import MeanMetric, SumMetric

from lit_models.bert.heads import BertHead
from lit_models.functional.spans import f1, span_counts
from lit_models.layers.precision import at_least_float32
from lit_models.tasks.task import Task
from lit_models.tasks.trains import trains

IGNORED = -100  # the tag of a token that does not count


class BertTagger(BertHead):
    """tokens (B, T) -> logits of each token's tag (B, T, num_classes). ``pooling`` is ``none``: there is no pooler.

    Args:
        vocab_size, num_classes, hidden_size, num_layers, num_heads, ffn_size, max_length, dropout, pad_id, sep_id: See
            ``BertHead``.
        init_std, init_positions, pooling, frozen, lora_rank, lora_alpha: See ``BertHead``.
    """

    def forward(self, tokens: Tensor) -> Tensor:
        return self.classifier(self.features(tokens))


@trains(BertTagger)
class LitBertTagger(Task):
    """``BertTagger`` trained by cross-entropy. Batch: tokens (B, T), tags (B, T), -100 where none counts.

    Logs ``train/loss``, and of validation and test ``loss``, ``acc`` (of words) and ``f1`` (of spans: both ends and the
    kind right, over all sentences together), by the names of the datamodule's tags (``class_names``).

    Args:
        pooling: As of ``BertHead``: each token has its own vector.
        **task: See ``Task``.
    """

    output_means = "Logits of each token's tag (class_names): a word's is that of its first token."

    def __init__(self, pooling: str = "none", **task: Any) -> None:
        super().__init__(**task)
        self.means = nn.ModuleDict({f"{s}_{name}": MeanMetric() for s in ("val", "test") for name in ("loss", "acc")})
        self.sums = nn.ModuleDict({f"{s}_{k}": SumMetric() for s in ("val", "test") for k in range(3)})

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        tokens, tags = batch
        logits = at_least_float32(self(tokens))
        count = (tags != IGNORED).sum()
        loss = F.cross_entropy(logits.flatten(0, 1), tags.flatten(), ignore_index=IGNORED, reduction="sum")
        loss = loss / count.clamp(min=1)
        self.record_train_loss(loss, count.to(loss.dtype))  # as exact as the loss
        return loss

    def _evaluate(self, batch: tuple[Tensor, Tensor], stage: str) -> dict[str, Tensor]:
        tokens, tags = batch
        logits = self(tokens).float()
        guess, counts = logits.argmax(2), tags != IGNORED
        number = int(counts.sum())
        if number:
            loss = F.cross_entropy(logits[counts], tags[counts])
            self.means[f"{stage}_loss"].update(loss, number)  # type: ignore[operator]
            right = (guess == tags)[counts].float().mean()
            self.means[f"{stage}_acc"].update(right, number)  # type: ignore[operator]
        names: list[str] = self.data_attribute("class_names") or [str(i) for i in range(logits.shape[2])]
        total = torch.zeros(3)
        for row, true, kept in zip(guess.tolist(), tags.tolist(), counts.tolist(), strict=True):
            words = [(names[t], names[g]) for t, g, k in zip(true, row, kept, strict=True) if k]
            total += torch.tensor(span_counts([t for t, _ in words], [g for _, g in words]))
        for k in range(3):
            self.sums[f"{stage}_{k}"].update(total[k].to(self.device))  # type: ignore[operator]
        return {"tags": guess}

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> dict[str, Tensor]:
        return self._evaluate(batch, "val")

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> dict[str, Tensor]:
        return self._evaluate(batch, "test")

    def _log(self, stage: str) -> None:
        counts: list[float] = []
        for k in range(3):
            metric: Any = self.sums[f"{stage}_{k}"]
            counts.append(float(metric.compute()))
            metric.reset()
        for name in ("loss", "acc"):
            self.log(f"{stage}/{name}", self.means[f"{stage}_{name}"])  # type: ignore[arg-type]
        self.log(f"{stage}/f1", f1(*counts), prog_bar=stage == "val", sync_dist=False)

    def on_validation_epoch_end(self) -> None:
        self._log("val")

    def on_test_epoch_end(self) -> None:
        self._log("test")

    def predict_step(self, batch: Any, batch_idx: int) -> dict[str, Tensor]:
        """Returns ``target`` (B, T): each token's tag; the datamodule has the words."""
        tokens = batch if isinstance(batch, Tensor) else batch[0]
        return {"target": self(tokens).argmax(2)}
