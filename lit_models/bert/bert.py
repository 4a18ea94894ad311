"""BERT: an encoder that is trained to fill in words, and to tell whether two sentences follow one another.

Devlin et al. 2019, "BERT: pre-training of deep bidirectional transformers". D2L 15.8 to 15.10.
Departs from the book: the words to predict are drawn anew in each step, and only they count in the loss (the book's
mask is a no-op, since its loss is a mean already); the output matrix is tied to the embeddings, with GELU before it;
the rate has a warm-up, without which the second loss stays above ln 2, as the book's does.

    dive fit bert/bert                  sentences of a grammar, whose best possible loss is known, offline

The numbers they reach are in RESULTS.md.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchmetrics import MeanMetric

from lit_models.bert.encoder import EPSILON, Dense, initialize
from lit_models.bert.masking import choose, corrupt
from lit_models.bert.weights import BertNet
from lit_models.layers.precision import at_least_float32
from lit_models.tasks.task import Task
from lit_models.tasks.trains import trains


class Transform(Dense):
    """A dense layer, GELU, LayerNorm.

    Args:
        hidden_size: Features of input and output.
    """

    def __init__(self, hidden_size: int) -> None:
        super().__init__(hidden_size, hidden_size, nn.GELU())
        self.LayerNorm = nn.LayerNorm(hidden_size, eps=EPSILON)

    def forward(self, x: Tensor) -> Tensor:
        return self.LayerNorm(super().forward(x))


class Predictions(nn.Module):
    """States (..., D) -> logits (..., V), by the matrix of the word embeddings.

    Args:
        embedding: Of the words: its matrix is the output's too.
    """

    def __init__(self, embedding: nn.Embedding) -> None:
        super().__init__()
        vocab_size, hidden_size = embedding.weight.shape
        self.transform = Transform(hidden_size)
        self.decoder = nn.Linear(hidden_size, vocab_size)
        self.apply(initialize)
        self.decoder.weight = embedding.weight
        self.bias = self.decoder.bias

    def forward(self, states: Tensor) -> Tensor:
        return self.decoder(self.transform(states))


class BertPretraining(BertNet):
    """tokens (B, T) -> logits of each token (B, T, V), and of a true next sentence (0) or another one (1) (B, 2).

    Args:
        vocab_size, hidden_size, num_layers, num_heads, ffn_size, max_length, dropout, pad_id, sep_id: See ``Bert``.
    """

    gathered_at_once, forward_methods = True, ("score",)  # tied matrices, and a method beside forward

    def add_head(self, hidden_size: int) -> None:
        self.cls = nn.ModuleDict(
            {
                "predictions": Predictions(self.bert.embeddings.word_embeddings),
                "seq_relationship": nn.Linear(hidden_size, 2),
            }
        )
        initialize(self.cls["seq_relationship"])

    def score(self, tokens: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (P, V) at the P ``places`` (B, T) that are True only, and (B, 2): most of the work is saved."""
        states, pooled = self.bert(tokens)
        return self.cls["predictions"](states[places]), self.cls["seq_relationship"](pooled)

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        states, pooled = self.bert(tokens)
        return self.cls["predictions"](states), self.cls["seq_relationship"](pooled)


@trains(BertPretraining)
class LitBert(Task):
    """BERT's pre-training. Batch: tokens (B, T), next (B,): 0 the true next sentence, 1 another one, -1 no pair.

    Logs ``train/loss``, the sum of both losses, and of validation and test ``loss``, ``masked`` (the loss of the
    predicted words, in nats), ``masked_acc`` and, for pairs, ``next_acc``. Where the datamodule knows the best possible
    predictions (``masked_log_probs``), ``excess`` is the difference of ``masked`` from theirs on the same words.
    Evaluation draws the same words each time.

    Args:
        vocab_size: Number of tokens.
        pad_id, sep_id: Ids of padding and of the end of a sentence.
        cls_id, mask_id: Ids of the first token and of the mask.
        fraction: Of the tokens to predict.
        whole_words: A word's tokens are chosen together; the datamodule says which continue one (``continues``).
        **task: See ``Task``.
    """

    output_means = "Logits of each token, and of a true (0) or another (1) next sentence."

    def __init__(
        self,
        vocab_size: int,
        pad_id: int = 0,
        sep_id: int = 3,
        cls_id: int = 2,
        mask_id: int = 4,
        fraction: float = 0.15,
        whole_words: bool = False,
        **task: Any,
    ) -> None:
        super().__init__(**task)
        self.mask_id, self.fraction, self.whole_words = mask_id, fraction, whole_words
        special = torch.zeros(vocab_size, dtype=torch.bool)
        special[[pad_id, sep_id, cls_id, mask_id]] = True
        self.register_buffer("special", special, persistent=False)
        self.register_buffer("continues", torch.zeros_like(special))
        names = ("masked", "next", "masked_acc", "next_acc", "excess")
        self.metrics = nn.ModuleDict({f"{s}_{name}": MeanMetric() for s in ("val", "test") for name in names})

    special: Tensor  # (V,)
    continues: Tensor  # (V,)

    def setup(self, stage: str) -> None:
        continues: Tensor | None = self.data_attribute("continues")
        if continues is not None:
            self.continues = continues.to(self.device)

    def masked(self, tokens: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """What the model sees, and which tokens it must predict, both (B, T)."""
        continues = self.continues if self.whole_words else None
        chosen = choose(tokens, self.special, self.fraction, continues, generator)
        return corrupt(tokens, chosen, self.mask_id, self.special, generator), chosen

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        tokens, follows = batch
        seen, chosen = self.masked(tokens)
        words, pair = self.net.score(seen, chosen)  # type: ignore[operator]
        loss = F.cross_entropy(at_least_float32(words), tokens[chosen])
        if bool((follows >= 0).all()):
            loss = loss + F.cross_entropy(at_least_float32(pair), follows)
        else:
            loss = loss + 0.0 * pair.sum()  # every parameter has a gradient in every process
        self.record_train_loss(loss, chosen.sum())
        return loss

    def _evaluate(self, batch: tuple[Tensor, Tensor], batch_idx: int, stage: str) -> None:
        tokens, follows = batch
        generator = torch.Generator().manual_seed(batch_idx)
        special, continues = self.special.cpu(), self.continues.cpu() if self.whole_words else None
        chosen = choose(tokens.cpu(), special, self.fraction, continues, generator)
        seen = corrupt(tokens.cpu(), chosen, self.mask_id, special, generator)
        words, pair = self.net.score(seen.to(tokens.device), chosen.to(tokens.device))  # type: ignore[operator]
        words, truth = words.float(), tokens[chosen.to(tokens.device)]
        self._update(stage, "masked", F.cross_entropy(words, truth), len(truth))
        self._update(stage, "masked_acc", (words.argmax(1) == truth).float().mean(), len(truth))
        if bool((follows >= 0).all()):
            self._update(stage, "next", F.cross_entropy(pair.float(), follows), len(follows))
            self._update(stage, "next_acc", (pair.argmax(1) == follows).float().mean(), len(follows))
        known: Any = self.data_attribute("masked_log_probs")
        if known is not None:
            best = known(seen, chosen)[chosen].gather(1, truth.cpu()[:, None]).float()
            excess = F.cross_entropy(words, truth) + best.mean().to(words.device)
            self._update(stage, "excess", excess, len(truth))

    def _update(self, stage: str, name: str, value: Tensor, count: int) -> None:
        self.metrics[f"{stage}_{name}"].update(value, count)  # type: ignore[operator]

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        self._evaluate(batch, batch_idx, "val")

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        self._evaluate(batch, batch_idx, "test")

    def _log(self, stage: str) -> None:
        found: dict[str, Any] = {}
        for name in ("masked", "next", "masked_acc", "next_acc", "excess"):
            metric: Any = self.metrics[f"{stage}_{name}"]
            if metric.update_called:
                found[name] = metric.compute()
            metric.reset()
        found["loss"] = found["masked"] + found.get("next", 0.0)
        found.pop("next", None)
        self.log_dict({f"{stage}/{name}": value for name, value in found.items()}, sync_dist=False)

    def on_validation_epoch_end(self) -> None:
        self._log("val")

    def on_test_epoch_end(self) -> None:
        self._log("test")

    def predict_step(self, batch: Any, batch_idx: int) -> dict[str, Tensor]:
        """Returns ``token`` (B, T): the most probable token at each place."""
        tokens = batch if isinstance(batch, Tensor) else batch[0]
        return {"token": self(tokens)[0].argmax(-1)}
