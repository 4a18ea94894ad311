"""Attention: at each step the decoder attends to the whole source. D2L 11.4.

Bahdanau, Cho and Bengio 2015, "Neural machine translation by jointly learning to align and translate". As in the book
the encoder reads in one direction and the query is the decoder's top state before the step.

    dive fit rnn/bahdanau                dates, times and amounts in seven languages, offline; alignment.png
    dive fit rnn/bahdanau_fra_eng        the book's recipe
    dive generate rnn/bahdanau --prompt "<sw> Monday, March 5, 2018" --beam 4 --n_best 3

The numbers they reach are in RESULTS.md.
"""

import torch
from torch import Tensor, nn

from lit_models.layers.attention import AdditiveAttention
from lit_models.rnn.seq2seq import Encoder, initialize
from lit_models.tasks.seq2seq import Seq2Seq
from lit_models.tasks.trains import trains

Memory = tuple[Tensor, Tensor, Tensor, Tensor]


class BahdanauGRU(nn.Module):
    """source (B, S), its lengths (B,) and target_in (B, T) -> logits (B, T, target_vocab_size).

    Args:
        source_vocab_size, target_vocab_size, embed_size, hidden_size, num_layers, dropout: See ``Seq2SeqGRU``.
        attention: False gives every real source token the same weight.
    """

    gathered_at_once = True  # see lit_models/tasks/processes.py: shard

    def __init__(
        self,
        source_vocab_size: int,
        target_vocab_size: int,
        embed_size: int = 256,
        hidden_size: int = 256,
        num_layers: int = 2,
        dropout: float = 0.2,
        attention: bool = True,
    ) -> None:
        super().__init__()
        self.look = attention
        self.encoder = Encoder(source_vocab_size, embed_size, hidden_size, num_layers, dropout)
        self.attention = AdditiveAttention(hidden_size, hidden_size, hidden_size).requires_grad_(attention)
        self.embedding = nn.Embedding(target_vocab_size, embed_size, padding_idx=0)
        self.rnn = nn.GRU(
            embed_size + hidden_size,
            hidden_size,
            num_layers,
            dropout=dropout if num_layers > 1 else 0.0,
            batch_first=True,
        )
        self.head = nn.Linear(hidden_size, target_vocab_size)
        initialize(self)

    def encode(self, source: Tensor, source_length: Tensor) -> Memory:
        """Outputs (B, S, H), the same as keys, the mask (B, S) of real tokens, and states (B, layers, H)."""
        outputs, state = self.encoder(source, source_length)
        mask = torch.arange(source.shape[1], device=source.device) < source_length[:, None]
        return outputs, self.attention.key(outputs), mask, state.transpose(0, 1)

    def attend(self, target_in: Tensor, memory: Memory, state: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Logits (B, T, V), the state (B, layers, H) after the last token, and the attention weights (B, T, S)."""
        outputs, keys, mask, first = memory
        h = (first if state is None else state).transpose(0, 1).contiguous()  # (layers, B, H)
        x = self.embedding(target_in)  # (B, T, E)
        even = (mask / mask.sum(1, keepdim=True).clamp(min=1)).to(outputs.dtype)[:, None]  # (B, 1, S)
        tops, weights = [], []
        for t in range(target_in.shape[1]):
            if self.look:
                context, weight = self.attention.attend(h[-1][:, None], keys, outputs, mask[:, None])
            else:
                context, weight = even @ outputs, even
            y, h = self.rnn(torch.cat([x[:, t : t + 1], context], dim=2), h)  # context (B, 1, H)
            tops.append(y)
            weights.append(weight)
        return self.head(torch.cat(tops, dim=1)), h.transpose(0, 1), torch.cat(weights, dim=1)

    def decode(self, target_in: Tensor, memory: Memory, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Logits (B, T, V) and the state after the last token."""
        return self.attend(target_in, memory, state)[:2]

    def forward(self, source: Tensor, source_length: Tensor, target_in: Tensor) -> Tensor:
        return self.decode(target_in, self.encode(source, source_length))[0]


@trains(BahdanauGRU)
class LitBahdanau(Seq2Seq):
    """The GRU encoder and decoder with attention, trained to translate."""

    def alignment(self, source: Tensor, source_length: Tensor) -> tuple[Tensor, Tensor]:
        """The generated ids (B, T) for sources (B, S), and the attention weights of each generated token (B, T, S)."""
        with torch.no_grad():
            ids, target_in, memory = self.generate_with_inputs(source, source_length)
            weights = self.net.attend(target_in, memory)[2]  # type: ignore[operator]
        return ids, weights
