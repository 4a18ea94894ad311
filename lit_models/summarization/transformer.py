"""The transformer as a summarizer: a name is the document's first, second, third unknown word.

Vaswani et al. 2017 for the network (``lit_models/attention/transformer.py``); Hermann et al. 2015, "Teaching machines
to read and comprehend", for words that have a number in their document only. Beside the pointer-generator: there is no
distribution over places. A word beyond the vocabulary is read and written as entry V + k, the k-th such word of the
document, so that a name that training does not have is no other token than one that it has.

    dive fit summarization/transformer     headlines of documents in nine languages, offline
    dive generate summarization/transformer --prompt "Nchi inaitwa Tuvalu. Siku ni Jumatatu, 5 Machi 2018." --beam 4

The numbers it reaches are in RESULTS.md.
"""

from typing import Any

import torch
from torch import Tensor, nn

from common.messages import refuse_negative
from lit_models.attention.transformer import Memory, Transformer
from lit_models.functional import copying
from lit_models.functional.beam import Hypothesis
from lit_models.layers.kv_cache import DecoderState
from lit_models.summarization.summarizer import Summarizer
from lit_models.tasks.trains import trains


class NumberedTransformer(nn.Module):
    """source (B, S), its lengths (B,) and target_in (B, T) -> logits (B, T, V + max_copied).

    Args:
        source_vocab_size, target_vocab_size: V, equal: one vocabulary.
        max_copied: Different words beyond the vocabulary that a document may have; 0: they are ``<unk>``.
        hidden_size, num_layers, num_heads, ffn_size, dropout, pre_norm: See ``Transformer``.

    Raises:
        ValueError: Two sizes of the vocabulary.
        UserError: ``max_copied`` is negative.
    """

    forward_methods = ("encode", "decode")

    def __init__(
        self,
        source_vocab_size: int,
        target_vocab_size: int,
        max_copied: int = 16,
        hidden_size: int = 64,
        num_layers: int = 2,
        num_heads: int = 4,
        ffn_size: int = 128,
        dropout: float = 0.0,
        pre_norm: bool = True,
    ) -> None:
        super().__init__()
        if source_vocab_size != target_vocab_size:
            raise ValueError(f"copying needs one vocabulary, not {source_vocab_size} and {target_vocab_size} words")
        refuse_negative(max_copied=max_copied)
        self.vocab_size, self.max_copied = target_vocab_size, max_copied
        size = target_vocab_size + max_copied
        self.transformer = Transformer(
            size, size, hidden_size, num_layers, num_heads, ffn_size, dropout, pre_norm, tied="all"
        )

    def places(self, source: Tensor, source_length: Tensor) -> Tensor:
        """The entry (B, S) of each word of a source."""
        return copying.places(source, source_length, self.vocab_size, self.max_copied)

    def encode(self, source: Tensor, source_length: Tensor) -> Memory:
        return self.transformer.encode(self.places(source, source_length), source_length)

    def decode(
        self, target_in: Tensor, memory: Memory, state: DecoderState | None = None
    ) -> tuple[Tensor, DecoderState]:
        """Continues with entries (B, T): see ``Transformer.decode``."""
        return self.transformer.decode(target_in, memory, state)

    def forward(self, source: Tensor, source_length: Tensor, target_in: Tensor) -> Tensor:
        entries = self.places(source, source_length)
        written = copying.as_places(target_in, source, entries, self.vocab_size)
        return self.transformer(entries, source_length, written)


@trains(NumberedTransformer)
class LitTransformerSummarizer(Summarizer):
    """``NumberedTransformer`` trained to summarize.

    Args:
        **task: See ``Summarizer``.
    """

    output_means = "Logits of each target's next word: of the vocabulary, then of the source's words beyond it."

    def __init__(self, **task: Any) -> None:
        super().__init__(**task)

    def mean_loss(self, batch: tuple[Tensor, ...], label_smoothing: float = 0.0) -> tuple[Tensor, Tensor]:
        """The true words as entries."""
        source, length, target_in, target = batch
        net: Any = self.net
        true = copying.as_places(target, source, net.places(source, length), net.vocab_size)
        return super().mean_loss((source, length, target_in, true), label_smoothing)

    def generate_tokens(self, source: Tensor, source_length: Tensor, max_length: int = 0) -> Tensor:
        written = super().generate_tokens(source, source_length, max_length)
        return written if self.beam_width > 1 else self._ids(written, source, source_length)

    def hypotheses(
        self, source: Tensor, source_length: Tensor, width: int, num_best: int = 1, max_length: int = 0
    ) -> list[list[Hypothesis]]:
        found = super().hypotheses(source, source_length, width, num_best, max_length)
        for i, n_best in enumerate(found):
            for k, best in enumerate(n_best):
                row = torch.tensor([best.tokens], device=source.device)
                ids = self._ids(row, source[i : i + 1], source_length[i : i + 1])[0].tolist()
                n_best[k] = Hypothesis(ids, best.score, best.log_probability)
        return found

    def _ids(self, written: Tensor, source: Tensor, source_length: Tensor) -> Tensor:
        net: Any = self.net
        return copying.as_ids(written, source, net.places(source, source_length), net.vocab_size)
