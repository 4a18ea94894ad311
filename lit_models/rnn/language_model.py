"""A language model, tokens to scores of the next token, on any stack of recurrent layers. D2L 9.5."""

from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F


class RecurrentLM(nn.Module):
    """tokens (B, T) -> logits (B, T, vocab_size).

    Args:
        body: A ``Stack`` or ``TorchStack``.
        vocab_size: V.
        hidden_size: Width of the body's outputs.
        embed_size: Width of the token vectors; 0 feeds one-hot vectors.
        dropout: Fraction of the token vectors and of the last outputs that is dropped, if there are token vectors.
        tied: Token vectors and output weights are one matrix (Press and Wolf 2017); the widths must be equal.
    """

    def __init__(
        self,
        body: nn.Module,
        vocab_size: int,
        hidden_size: int,
        embed_size: int = 0,
        dropout: float = 0.0,
        tied: bool = False,
    ) -> None:
        super().__init__()
        self.vocab_size = vocab_size
        self.embedding = nn.Embedding(vocab_size, embed_size) if embed_size else None
        self.dropout = nn.Dropout(dropout if embed_size else 0.0)
        self.body = body
        self.head = nn.Linear(hidden_size, vocab_size)
        if self.embedding is not None:
            nn.init.uniform_(self.embedding.weight, -0.1, 0.1)  # Zaremba et al. 2014, medium
        if tied:
            if self.embedding is None or embed_size != hidden_size:
                raise ValueError(f"tied needs embed_size {embed_size} equal to hidden_size {hidden_size}")
            self.head.weight = self.embedding.weight

    def decode(self, tokens: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """Continues from a state (None is the beginning): logits (B, T, V) and the state after the last token."""
        if self.embedding is None:
            x = F.one_hot(tokens, self.vocab_size).to(self.head.weight.dtype)  # (B, T, V)
        else:
            x = self.dropout(self.embedding(tokens))  # (B, T, embed_size)
        y, state = self.body(x, state)  # (B, T, H)
        return self.head(self.dropout(y)), state

    def forward(self, tokens: Tensor) -> Tensor:
        return self.decode(tokens)[0]
