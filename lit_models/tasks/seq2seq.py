"""Sequence to sequence. Batch: ``(source, source_length, target_in, target_out)``.

source (B, S), target_in and target_out (B, T) are int64, source_length (B,) counts a source's real tokens. target_in
begins with ``bos_id``, target_out ends with ``eos_id``, both are padded with ``pad_id``; padding counts nowhere.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torchmetrics import MeanMetric

from lit_models.functional.beam import Hypothesis, beam_search
from lit_models.functional.bleu import corpus_bleu
from lit_models.functional.decoding import OUT, Step, generate
from lit_models.functional.state import reorder
from lit_models.tasks.task import Task


class Seq2Seq(Task):
    """Trains ``self.net(source, source_length, target_in) -> logits (B, T, V)`` by cross-entropy in nats.

    The next token is always told the true ones before it (teacher forcing). To write, the network has two parts:
    ``net.encode(source, source_length) -> memory`` and ``net.decode(target_in, memory, state) -> (logits, state)``,
    where state None is the beginning; every tensor of memory and state has the batch first.

    Logs ``train/loss``, ``val/loss``, ``val/perplexity``; of what it writes to the test sources: ``test/bleu``
    (sacreBLEU, 0 to 100) and ``test/exact`` (share of outputs that are right to the letter); and ``test/loss``,
    ``test/perplexity``. The texts come from the datamodule: ``decode_target(ids) -> list[str]`` turns ids (B, L) into
    sentences, and ``references["test"]`` has the true ones. Without a datamodule, ids are compared.

    Args:
        pad_id, bos_id, eos_id: The special tokens.
        max_length: Most tokens of an output.
        beam_width: Beams while writing; 1 is greedy.
        length_penalty: See ``beam_search``.
        label_smoothing: Share of the target spread over all tokens, in training alone (Vaswani et al. 2017: 0.1).
        **task: See ``Task``.
    """

    def __init__(
        self,
        pad_id: int = 0,
        bos_id: int = 1,
        eos_id: int = 2,
        max_length: int = 64,
        beam_width: int = 1,
        length_penalty: float = 0.75,
        label_smoothing: float = 0.0,
        **task: Any,
    ) -> None:
        super().__init__(**task)
        self.pad_id, self.bos_id, self.eos_id, self.max_length = pad_id, bos_id, eos_id, max_length
        self.beam_width, self.length_penalty, self.label_smoothing = beam_width, length_penalty, label_smoothing
        self.val_loss, self.test_loss = MeanMetric(), MeanMetric()
        self.written: list[tuple[str, str]] = []  # (output, reference) of this rank's test rows

    def mean_loss(self, batch: tuple[Tensor, ...], label_smoothing: float = 0.0) -> tuple[Tensor, Tensor]:
        """The mean over a batch's real target tokens, and their number."""
        *inputs, target = batch
        logits = self(*inputs).flatten(0, 1).float()  # (B * T, V)
        total = F.cross_entropy(
            logits, target.flatten(), ignore_index=self.pad_id, reduction="sum", label_smoothing=label_smoothing
        )
        count = (target != self.pad_id).sum()
        return total / count.clamp(min=1), count

    def training_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> Tensor:
        loss, count = self.mean_loss(batch, self.label_smoothing)
        self.record_train_loss(loss, count)
        return loss * (count / self.mean_count(count))

    def validation_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> None:
        self.val_loss.update(*self.mean_loss(batch))

    def on_validation_epoch_end(self) -> None:
        self.log("val/loss", self.val_loss)
        self.log("val/perplexity", self.val_loss.compute().exp(), prog_bar=True)

    # -- writing ------------------------------------------------------------------------------------------------------

    def step_function(self, memory: Any) -> Step:
        """``step(tokens (B,), state) -> (log-probabilities (B, V), state)`` for ``functional.decoding`` and ``beam``.

        Padding and the beginning are never written.
        """

        def step(tokens: Tensor, state: Any) -> tuple[Tensor, Any]:
            logits, state = self.net.decode(tokens[:, None], memory, state)  # type: ignore[operator]
            never = torch.tensor([self.pad_id, self.bos_id], device=logits.device)
            return logits[:, -1].float().index_fill(1, never, OUT).log_softmax(1), state

        return step

    def write(self, source: Tensor, source_length: Tensor, max_length: int = 0) -> Tensor:
        """The outputs (B, L) to sources (B, S), ``pad_id`` after the end; by beam search where ``beam_width`` > 1."""
        if self.beam_width > 1:
            best = [
                n_best[0].tokens for n_best in self.hypotheses(source, source_length, self.beam_width, 1, max_length)
            ]
            rows = [torch.tensor(tokens, device=source.device) for tokens in best]
            return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=self.pad_id)
        with torch.no_grad():
            memory = self.net.encode(source, source_length)  # type: ignore[operator]
        ids = generate(
            self.step_function(memory),
            source.new_full((len(source),), self.bos_id),
            None,
            max_length or self.max_length,
            stop=[self.eos_id],
        )
        ended = (ids == self.eos_id).cumsum(1) - (ids == self.eos_id).long() > 0  # after the first end
        return ids.masked_fill(ended, self.pad_id)

    def hypotheses(
        self, source: Tensor, source_length: Tensor, width: int, num_best: int = 1, max_length: int = 0
    ) -> list[list[Hypothesis]]:
        """The ``num_best`` best outputs to each source, by a beam of ``width``."""
        with torch.no_grad():
            memory = self.net.encode(source, source_length)  # type: ignore[operator]
        beams = torch.arange(len(source), device=source.device).repeat_interleave(width)
        return beam_search(
            self.step_function(reorder(memory, beams)),  # the beams of a source share its memory: repeated once
            source.new_full((len(source),), self.bos_id),
            None,
            width,
            max_length or self.max_length,
            self.eos_id,
            self.length_penalty,
            num_best,
        )

    def predict_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> dict[str, Tensor]:
        """Returns ``target`` (B, max_length): what it writes to each source, padded."""
        ids = self.write(batch[0], batch[1])
        return {"target": F.pad(ids, (0, self.max_length - ids.shape[1]), value=self.pad_id)}

    # -- test ---------------------------------------------------------------------------------------------------------

    def on_test_epoch_start(self) -> None:
        self.written = []

    def texts(self, ids: Tensor) -> list[str]:
        """Sentences out of ids (B, L)."""
        decode = getattr(getattr(self.trainer, "datamodule", None), "decode_target", None)
        if decode is not None:
            return list(decode(ids))
        special = {self.pad_id, self.bos_id, self.eos_id}
        return [" ".join(str(i) for i in row if i not in special) for row in ids.tolist()]

    def test_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> dict[str, Tensor]:
        self.test_loss.update(*self.mean_loss(batch))
        ids = self.write(batch[0], batch[1])
        true: Sequence[str] | None = getattr(getattr(self.trainer, "datamodule", None), "references", {}).get("test")
        if true is None:
            references = self.texts(batch[3])
        else:  # the datamodule deals its rows out to the ranks in turn
            rank, world = self.trainer.global_rank, self.trainer.world_size
            references = [true[rank + world * (len(self.written) + i)] for i in range(len(ids))]
        self.written += zip(self.texts(ids), references, strict=True)
        return {"target": ids}

    def on_test_epoch_end(self) -> None:
        self.log("test/loss", self.test_loss)
        self.log("test/perplexity", self.test_loss.compute().exp())
        ranks: list[Any] = [self.written]
        if self.trainer.world_size > 1:
            ranks = [None] * self.trainer.world_size
            torch.distributed.all_gather_object(ranks, self.written)
        pairs = [pair for rank in ranks for pair in rank]
        outputs, references = [list(side) for side in zip(*pairs, strict=True)]
        bleu, signature = corpus_bleu(outputs, references)
        if self.trainer.is_global_zero:
            print(f"sacreBLEU {bleu:.2f} {signature}")
        self.log("test/bleu", bleu, sync_dist=True)
        exact = sum(output == reference for output, reference in pairs) / len(pairs)
        self.log("test/exact", exact, sync_dist=True)
