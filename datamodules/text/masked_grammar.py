"""Sentences of a grammar in which the probability of every masked word is known exactly.

A sentence is a Markov chain over words: each word has ``fanout`` successors, with given probabilities. What a masked
language model sees is the chain through a noisy channel, word by word: untouched, masked, replaced or kept. The
probability of each word given all that is seen follows by the forward-backward algorithm (Rabiner 1989), so that the
loss of the best possible model is known, and a trained one can be compared with it.
"""

from typing import Any

import torch
from torch import Tensor

from common.messages import UserError
from datamodules.base import TensorDataModule

PAD, UNKNOWN, CLS, SEP, MASK = range(5)
SPECIALS = 5


class MaskedGrammar(TensorDataModule):
    """Batches (tokens (B, T), -1 (B,)): ``[CLS] w1 ... wn [SEP]``, T = seq_len, of a fixed length.

    Args:
        vocab_size: Five special tokens and the words.
        seq_len: T.
        fanout: Successors of each word.
        train_size, val_size, test_size: Sentences.
        fraction: Of tokens to predict: the model's.
        **loader: See ``TensorDataModule``.
    """

    links = ("vocab_size", "seq_len", "fraction")
    input_means = "words by their numbers, [CLS] first and [SEP] last"

    def __init__(
        self,
        vocab_size: int = 37,
        seq_len: int = 18,
        fanout: int = 3,
        train_size: int = 12_000,
        val_size: int = 500,
        test_size: int = 1500,
        fraction: float = 0.15,
        **loader: Any,
    ) -> None:
        super().__init__(**loader)
        words = vocab_size - SPECIALS
        if words < fanout or fanout < 1 or seq_len < 3:
            raise UserError(
                f"data.vocab_size {vocab_size}, data.fanout {fanout}, data.seq_len {seq_len}: a grammar needs more "
                "words than successors, and a sentence one word between [CLS] and [SEP]"
            )
        self.vocab_size, self.seq_len, self.fraction = vocab_size, seq_len, fraction
        self.sizes = {"train": train_size, "val": val_size, "test": test_size}
        generator = torch.Generator().manual_seed(0)
        self.transition = torch.zeros(words, words, dtype=torch.float64)
        for row in self.transition:
            next_words = torch.randperm(words, generator=generator)[:fanout]
            row[next_words] = torch.rand(fanout, generator=generator, dtype=torch.float64) + 0.2
        self.transition /= self.transition.sum(1, keepdim=True)

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        splits: dict[str, tuple[Tensor, ...]] = {}
        for seed, (name, size) in enumerate(self.sizes.items()):
            splits[name] = (self.sentences(size, seed), torch.full((size,), -1))
        splits["predict"] = (splits["test"][0][:16],)
        return splits

    def sentences(self, count: int, seed: int) -> Tensor:
        """``count`` sentences (count, T) int32; the first word is any, with equal probability."""
        generator = torch.Generator().manual_seed(seed + 1)
        words = [torch.randint(len(self.transition), (count,), generator=generator)]
        for _ in range(self.seq_len - 3):
            words.append(torch.multinomial(self.transition[words[-1]], 1, generator=generator)[:, 0])
        rows = torch.stack(words, 1) + SPECIALS
        ends = [torch.full((count, 1), token) for token in (CLS, SEP)]
        return torch.cat([ends[0], rows, ends[1]], 1).int()

    def transform(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return tuple(x.long() for x in batch)

    def masked_log_probs(self, seen: Tensor, chosen: Tensor) -> Tensor:
        """log P(word at t | all that is seen, that t is to be predicted) for each place: (B, T, vocab_size) float64.

        Args:
            seen: What the model sees (B, T).
            chosen: Which places are to be predicted (B, T). A reader of ``seen`` knows it of the place that is asked
                only: elsewhere a word that is there may be a replaced one.
        """
        words, size = self.transition.shape[0], self.vocab_size
        inner = seen[:, 1:-1]
        shown = torch.zeros(*inner.shape, words, dtype=torch.float64)
        ordinary = inner >= SPECIALS
        shown[ordinary] = torch.nn.functional.one_hot(inner[ordinary] - SPECIALS, words).double()
        masked = (inner == MASK).double()[..., None]
        asked = 0.8 * masked + (1 - masked) * (0.1 * shown + 0.1 / (words + 1))  # [UNK] is a possible replacement too
        emission = self.fraction * asked + (1 - self.fraction) * shown
        before, after = torch.ones_like(emission) / words, torch.ones_like(emission)
        for t in range(1, inner.shape[1]):
            message = (before[:, t - 1] * emission[:, t - 1]) @ self.transition
            before[:, t] = message / message.sum(1, keepdim=True)
            back = (after[:, -t] * emission[:, -t]) @ self.transition.T
            after[:, -t - 1] = back / back.sum(1, keepdim=True)
        posterior = before * after * asked
        found = torch.full((*seen.shape, size), -torch.inf, dtype=torch.float64)
        found[:, 1:-1, SPECIALS:] = (posterior / posterior.sum(-1, keepdim=True)).log()
        return found

    def baselines(self) -> dict[str, dict[str, Any]]:
        """The loss of the words' frequencies."""
        frequency = torch.bincount(self.splits["train"][0][:, 1:-1].flatten().long() - SPECIALS).double()
        frequency = frequency / frequency.sum()
        loss = float(-(frequency * frequency.clamp(min=1e-12).log()).sum())
        return {"chance": {"what": "the frequencies of the words", "metrics": {"test/masked": loss}}}
