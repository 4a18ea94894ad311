"""Encoder and decoder: one GRU encodes a sentence as a vector, another generates from it. D2L 10.7.

Cho et al. 2014, Sutskever et al. 2014. Departs from the book: the context is the encoder's state after a source's last
real token; the book ignores the lengths and takes it at a padding step. Generation stops at the end token (the book
cuts afterwards).

    dive fit rnn/seq2seq                 reverse a sequence of letters, offline
    dive fit rnn/seq2seq_fra_eng         the book's recipe
    dive generate rnn/seq2seq --prompt "c a b d"

The numbers they reach are in RESULTS.md.
"""

from typing import Literal

import torch
from torch import Tensor, nn

from lit_models.tasks.seq2seq import Seq2Seq
from lit_models.tasks.trains import trains


class Encoder(nn.Module):
    """Reads sources (B, S) into outputs (B, S, H) and states (layers, B, H) after each source's last real token.

    Args:
        vocab_size: Tokens of the source vocabulary.
        embed_size: Width of the embedding.
        hidden_size: H.
        num_layers: Number of GRU layers.
        dropout: Probability between the layers.
    """

    def __init__(self, vocab_size: int, embed_size: int, hidden_size: int, num_layers: int, dropout: float) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_size, padding_idx=0)
        dropout = dropout if num_layers > 1 else 0.0
        self.rnn = nn.GRU(embed_size, hidden_size, num_layers, dropout=dropout, batch_first=True)

    def forward(self, source: Tensor, length: Tensor) -> tuple[Tensor, Tensor]:
        x = self.embedding(source)  # (B, S, E)
        packed = nn.utils.rnn.pack_padded_sequence(x, length.cpu(), batch_first=True, enforce_sorted=False)
        outputs, state = self.rnn(packed)
        return nn.utils.rnn.pad_packed_sequence(outputs, batch_first=True, total_length=source.shape[1])[0], state


class Seq2SeqGRU(nn.Module):
    """source (B, S), its lengths (B,) and target_in (B, T) -> logits (B, T, target_vocab_size).

    Args:
        source_vocab_size, target_vocab_size: Tokens of each side; 0 is padding.
        embed_size: Width of the token vectors.
        hidden_size: Width of each GRU.
        num_layers: Layers of each GRU.
        dropout: Between the layers.
        context: ``last`` is the state after a source's last real token, ``padding`` the state after its padding, as in
            the book; with ``none`` the decoder does not get any information on the source.
    """

    def __init__(
        self,
        source_vocab_size: int,
        target_vocab_size: int,
        embed_size: int = 256,
        hidden_size: int = 256,
        num_layers: int = 2,
        dropout: float = 0.2,
        context: Literal["last", "padding", "none"] = "last",
    ) -> None:
        super().__init__()
        self.context = context
        self.encoder = Encoder(source_vocab_size, embed_size, hidden_size, num_layers, dropout)
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

    def encode(self, source: Tensor, source_length: Tensor) -> Tensor:
        """The states (B, layers, H) that the decoder begins with; the top one is its context at every step."""
        if self.context == "padding":
            source_length = torch.full_like(source_length, source.shape[1])
        states = self.encoder(source, source_length)[1].transpose(0, 1)
        return torch.zeros_like(states) if self.context == "none" else states

    def decode(self, target_in: Tensor, memory: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Logits (B, T, V) and the state (B, layers, H) after the last token."""
        before = memory if state is None else state
        context = memory[:, -1:].expand(-1, target_in.shape[1], -1)  # (B, T, H)
        x = torch.cat([self.embedding(target_in), context], dim=2)
        y, after = self.rnn(x, before.transpose(0, 1).contiguous())
        return self.head(y), after.transpose(0, 1)

    def forward(self, source: Tensor, source_length: Tensor, target_in: Tensor) -> Tensor:
        return self.decode(target_in, self.encode(source, source_length))[0]


def initialize(net: nn.Module) -> None:
    """Xavier for the weights of GRUs and linear layers, as in the book."""
    for module in net.modules():
        if isinstance(module, nn.GRU | nn.Linear):
            for name, parameter in module.named_parameters(recurse=False):
                if "weight" in name:
                    nn.init.xavier_uniform_(parameter)


@trains(Seq2SeqGRU)
class LitSeq2Seq(Seq2Seq):
    """The GRU encoder and decoder, trained to translate."""
