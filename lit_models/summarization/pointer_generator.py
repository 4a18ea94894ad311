"""The pointer-generator with coverage: a summary's next word is generated, or copied from the document.

See, Liu and Manning 2017, "Get to the point". A word that is in no vocabulary (a name of the test) cannot be generated,
but it can be copied: the distribution is over the vocabulary and the document's own words together,

    P(w) = p_gen P_vocabulary(w) + (1 - p_gen) (attention to the places where w stands)

and sums to one. Coverage, the sum of the attention so far, is an input of the attention; looking twice at a place
costs.

Departs from the paper: coverage is there from the first step, not added at the end of training; no dense layer between
decoder and vocabulary; a document has at most ``max_copied`` different words beyond the vocabulary, more are ``<unk>``.

    dive fit summarization/pointer_generator     headlines of documents in nine languages, offline; alignment.png
    dive fit summarization/documents             the other direction: documents of several sentences from tables
    dive generate summarization/pointer_generator --prompt "Nchi inaitwa Tuvalu. Siku ni Jumatatu, 5 Machi 2018."

The numbers they reach are in RESULTS.md.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from common.messages import refuse_negative
from lit_models.functional import copying
from lit_models.functional.beam import Hypothesis
from lit_models.layers.attention import masked_softmax
from lit_models.layers.precision import at_least_float32, full_precision
from lit_models.summarization.summarizer import Summarizer
from lit_models.tasks.trains import trains

Memory = tuple[Tensor, ...]  # outputs, keys, mask, first state and cell, places
State = tuple[Tensor, ...]  # state, cell, context, coverage
LEAST = 1e-30  # probability whose logarithm is taken where there is none


class PointerGenerator(nn.Module):
    """source (B, S), its lengths (B,) and target_in (B, T) -> log P (B, T, V + max_copied).

    Entry V + k of the output is the k-th different word of the document that is beyond the vocabulary:
    ``functional/copying.py`` goes from ids to these entries and back.

    Args:
        source_vocab_size, target_vocab_size: V, equal: one vocabulary.
        embed_size: Width of the word vectors.
        hidden_size: H of the decoder; the encoder has half as much in each direction.
        max_copied: Different words beyond the vocabulary that a document may have.
        dropout: Of the word vectors.
        copying: False: all words are generated, and those beyond the vocabulary are ``<unk>``.
        coverage: False: the attention does not know what it looked at before.

    Raises:
        ValueError: Two sizes of the vocabulary, or an odd ``hidden_size``.
        UserError: ``max_copied`` is negative.
    """

    gathered_at_once = True  # see lit_models/tasks/processes.py: shard
    forward_methods = ("encode", "attend", "decode", "copied")

    def __init__(
        self,
        source_vocab_size: int,
        target_vocab_size: int,
        embed_size: int = 128,
        hidden_size: int = 256,
        max_copied: int = 32,
        dropout: float = 0.0,
        copying: bool = True,
        coverage: bool = True,
    ) -> None:
        super().__init__()
        if source_vocab_size != target_vocab_size or hidden_size % 2:
            raise ValueError(
                f"copying needs one vocabulary, not {source_vocab_size} and {target_vocab_size} words, and an even "
                f"hidden_size, not {hidden_size}"
            )
        refuse_negative(max_copied=max_copied)
        self.vocab_size, self.max_copied = target_vocab_size, max_copied
        self.copying, self.use_coverage = copying, coverage
        self.embedding = nn.Embedding(target_vocab_size, embed_size, padding_idx=0)
        self.dropout = nn.Dropout(dropout)
        self.encoder = nn.LSTM(embed_size, hidden_size // 2, batch_first=True, bidirectional=True)
        self.key = nn.Linear(hidden_size, hidden_size, bias=False)
        self.query = nn.Linear(hidden_size, hidden_size)
        self.covered = nn.Parameter(torch.zeros(hidden_size)).requires_grad_(coverage)
        self.score = nn.Linear(hidden_size, 1, bias=False)
        self.reduce = nn.Linear(embed_size + hidden_size, embed_size)
        self.decoder = nn.LSTMCell(embed_size, hidden_size)
        self.pointer = nn.Linear(2 * hidden_size + embed_size, 1).requires_grad_(copying)
        self.head = nn.Linear(2 * hidden_size, target_vocab_size)

    # -- words beyond the vocabulary ----------------------------------------------------------------------------------

    def known(self, tokens: Tensor) -> Tensor:
        """Ids with ``<unk>`` for words beyond the vocabulary: what an embedding can read."""
        return copying.known(tokens, self.vocab_size)

    def places(self, source: Tensor, source_length: Tensor) -> Tensor:
        """The entry of the output (B, S) that each word of a source is."""
        return copying.places(source, source_length, self.vocab_size, self.max_copied)

    def as_places(self, tokens: Tensor, source: Tensor, places: Tensor) -> Tensor:
        """A target's ids (B, T) as entries of the output; ``<unk>`` for a word that cannot be copied."""
        if not self.copying:
            return self.known(tokens)
        return copying.as_places(tokens, source, places, self.vocab_size)

    def as_ids(self, entries: Tensor, source: Tensor, places: Tensor) -> Tensor:
        """The other way: entries of the output (B, T) as ids."""
        return copying.as_ids(entries, source, places, self.vocab_size)

    # -- encoder and decoder ------------------------------------------------------------------------------------------

    def encode(self, source: Tensor, source_length: Tensor) -> Memory:
        """Outputs (B, S, H), keys (B, S, H), the mask of real words (B, S), state and cell (B, H), places (B, S)."""
        x = self.dropout(self.embedding(self.known(source)))
        packed = nn.utils.rnn.pack_padded_sequence(x, source_length.cpu(), batch_first=True, enforce_sorted=False)
        outputs, last = self.encoder(packed)
        outputs, _ = nn.utils.rnn.pad_packed_sequence(outputs, batch_first=True, total_length=source.shape[1])
        h, c = (part.transpose(0, 1).flatten(1) for part in last)  # both directions side by side
        mask = torch.arange(source.shape[1], device=source.device) < source_length[:, None]
        return outputs, self.key(outputs), mask, h, c, self.places(source, source_length)

    def look(
        self, target_in: Tensor, memory: Memory, state: State | None = None
    ) -> tuple[Tensor, Tensor, Tensor, State]:
        """(state, context, input) of each step (B, T, 2 H + E), the attention (B, T, S), the coverage before it
        (B, T, S), and the state behind the last word.
        """
        outputs, keys, mask, h, c, _ = memory
        context, coverage = torch.zeros_like(h), torch.zeros_like(outputs[..., 0])
        if state is not None:
            h, c, context, coverage = state
        words = self.dropout(self.embedding(self.known(target_in)))  # (B, T, E)
        features, attentions, coverages = [], [], []
        for t in range(target_in.shape[1]):
            x = self.reduce(torch.cat([words[:, t], context], 1))
            h, c = self.decoder(x, (h, c))
            energy = keys + self.query(h)[:, None]
            if self.use_coverage:
                energy = energy + coverage[..., None] * self.covered
            weights = masked_softmax(self.score(energy.tanh()).squeeze(2), mask)  # (B, S)
            context = (weights[:, None] @ outputs).squeeze(1)
            features.append(torch.cat([h, context, x], 1))
            attentions.append(weights)
            coverages.append(coverage)
            coverage = coverage + weights
        return (
            torch.stack(features, 1),
            torch.stack(attentions, 1),
            torch.stack(coverages, 1),
            (h, c, context, coverage),
        )

    def attend(self, target_in: Tensor, memory: Memory) -> tuple[Tensor, Tensor, Tensor]:
        """log P (B, T, V + max_copied) from the beginning, the attention and the coverage before it (B, T, S)."""
        features, attention, coverage, _ = self.look(target_in, memory)
        return self.distribution(features, attention, memory[-1]), attention, coverage

    def copied(self, target_in: Tensor, memory: Memory) -> Tensor:
        """How much of each word's probability is copied from each place (B, T, S): (1 - p_gen) times the attention."""
        features, attention, *_ = self.look(target_in, memory)
        return (1 - self.pointer(features).sigmoid()) * attention if self.copying else torch.zeros_like(attention)

    def distribution(self, features: Tensor, attention: Tensor, places: Tensor) -> Tensor:
        """log P (B, T, V + max_copied) from (state, context, input) (B, T, 2 H + E) and the attention (B, T, S)."""
        logits = self.head(features[..., : self.head.in_features])
        gate = self.pointer(features)
        with full_precision(logits):
            generated = F.pad(at_least_float32(logits).softmax(2), (0, self.max_copied))
            if self.copying:
                p_gen = at_least_float32(gate).sigmoid()
                where = places[:, None].expand_as(attention)
                copied = torch.zeros_like(generated).scatter_add(2, where, at_least_float32(attention))
                generated = p_gen * generated + (1 - p_gen) * copied
            return generated.clamp(min=LEAST).log()

    def decode(self, target_in: Tensor, memory: Memory, state: State | None = None) -> tuple[Tensor, State]:
        """log P (B, T, V + max_copied) and the state after the last word."""
        features, attention, _, state = self.look(target_in, memory, state)
        return self.distribution(features, attention, memory[-1]), state

    def forward(self, source: Tensor, source_length: Tensor, target_in: Tensor) -> Tensor:
        return self.decode(target_in, self.encode(source, source_length))[0]


@trains(PointerGenerator)
class LitPointerGenerator(Summarizer):
    """The pointer-generator, trained by -log P of the true words and, weighted, the coverage loss.

    Args:
        coverage_weight: Of the coverage loss, the sum of min(attention, coverage) per word; the paper's 1.
        **task: See ``Summarizer``.
    """

    output_means = "log P of each target's next word: of the vocabulary, then of the source's words beyond it."

    def __init__(self, coverage_weight: float = 1.0, **task: Any) -> None:
        super().__init__(**task)
        refuse_negative(coverage_weight=coverage_weight)
        self.coverage_weight = coverage_weight

    def losses(self, batch: tuple[Tensor, ...], label_smoothing: float = 0.0) -> tuple[Tensor, Tensor, Tensor]:
        """Means over a batch's real words: -log P, and the coverage loss; and the number of words."""
        source, length, target_in, target = batch
        net: Any = self.net
        memory = net.encode(source, length)
        log_p, attention, coverage = net.attend(target_in, memory)
        real = target != self.pad_id
        count = real.sum()
        true = net.as_places(target, source, memory[-1])
        nll = F.cross_entropy(
            log_p.flatten(0, 1),
            true.flatten(),
            ignore_index=self.pad_id,
            reduction="sum",
            label_smoothing=label_smoothing,
        )
        twice = torch.minimum(at_least_float32(attention), coverage).sum(2)
        return nll / count.clamp(min=1), (twice * real).sum() / count.clamp(min=1), count

    def mean_loss(self, batch: tuple[Tensor, ...], label_smoothing: float = 0.0) -> tuple[Tensor, Tensor]:
        """In training with the coverage loss; in evaluation -log P, so that perplexity means what it says."""
        nll, twice, count = self.losses(batch, label_smoothing)
        weighs = self.training and self.coverage_weight > 0 and self.net.use_coverage
        return nll + self.coverage_weight * twice if weighs else nll, count

    def _ids(self, entries: Tensor, source: Tensor, source_length: Tensor) -> Tensor:
        net: Any = self.net
        return net.as_ids(entries, source, net.places(source, source_length))

    def generate_tokens(self, source: Tensor, source_length: Tensor, max_length: int = 0) -> Tensor:
        if self.beam_width > 1:  # by ``hypotheses``, which has ids already
            return super().generate_tokens(source, source_length, max_length)
        return self._ids(super().generate_tokens(source, source_length, max_length), source, source_length)

    def hypotheses(
        self, source: Tensor, source_length: Tensor, width: int, num_best: int = 1, max_length: int = 0
    ) -> list[list[Hypothesis]]:
        found = super().hypotheses(source, source_length, width, num_best, max_length)
        for i, n_best in enumerate(found):
            row = slice(i, i + 1)
            for k, best in enumerate(n_best):
                entries = torch.tensor([best.tokens], device=source.device)
                ids = self._ids(entries, source[row], source_length[row])[0].tolist()
                n_best[k] = Hypothesis(ids, best.score, best.log_probability)
        return found

    def alignment(self, source: Tensor, source_length: Tensor) -> tuple[Tensor, Tensor]:
        """The generated ids (B, T) for sources (B, S), and from where each was copied (B, T, S): (1 - p_gen) times the
        attention, which is empty where a word was generated.
        """
        net: Any = self.net
        with torch.no_grad():
            ids, target_in, memory = self.generate_with_inputs(source, source_length)
            return ids, net.copied(target_in, memory)
