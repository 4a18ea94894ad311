"""Positions of tokens, without which attention ignores their order: sinusoidal, learned and rotary.

Vaswani et al. 2017, 3.5; Su et al. 2021, "RoFormer". D2L 11.6.
Departs from the book: the table is a buffer, so that it moves with the module, and ``offset`` is the position of
the first token. The book's decoder adds position 0 to every token that it generates one at a time (D2L 11.7).
"""

import torch
from torch import Tensor, nn


def angles(size: int, length: int, base: float = 10_000.0) -> Tensor:
    """position / base^(2 i / size) for i = 0 ... size / 2 - 1 -> (length, size / 2), in double precision.

    Raises:
        ValueError: ``size`` is odd: each angle needs a pair.
    """
    if size % 2:
        raise ValueError(f"positions in pairs need an even size, not {size}")
    frequencies = base ** (-torch.arange(0, size, 2, dtype=torch.float64) / size)
    return torch.arange(length, dtype=torch.float64)[:, None] * frequencies


class SinusoidalPositions(nn.Module):
    """Adds sin and cos of the position at geometrically spaced wavelengths. (B, T, hidden_size) -> the same.

    A shift by k positions rotates each pair (sin, cos) by a fixed angle: a linear map gives relative positions.

    Args:
        hidden_size: Features of a token, an even number.
        max_length: Length of the table at the start; it grows when a sequence is longer.
        halves: All sines before all cosines, as Marian and tensor2tensor lay them out; else sine and cosine alternate.
        base: 10,000 in the paper.
    """

    table: Tensor

    def __init__(self, hidden_size: int, max_length: int = 1000, halves: bool = False, base: float = 10_000.0) -> None:
        super().__init__()
        self.hidden_size, self.halves, self.base = hidden_size, halves, base
        self.register_buffer("table", torch.empty(0, hidden_size), persistent=False)
        self._extend(max_length)

    def _extend(self, length: int) -> None:
        angle = angles(self.hidden_size, length, self.base)
        pairs = torch.stack([angle.sin(), angle.cos()], -1)  # (length, hidden_size / 2, 2)
        table = (pairs.transpose(1, 2) if self.halves else pairs).flatten(1)
        self.table = table.to(dtype=self.table.dtype, device=self.table.device)

    def forward(self, x: Tensor, offset: int = 0) -> Tensor:
        end = offset + x.shape[1]
        if end > len(self.table):
            self._extend(2 * end)
        return x + self.table[offset:end].to(x.dtype)


class LearnedPositions(nn.Module):
    """Adds a learned vector for each position. (B, T, hidden_size) -> the same.

    Args:
        hidden_size: Features of a token.
        max_length: Longest sequence; there are no vectors for later positions.
        std: Standard deviation of the start: 0.02 as GPT-2 and BERT, 1.0 as the book's vision transformer.
    """

    def __init__(self, hidden_size: int, max_length: int, std: float = 0.02) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(1, max_length, hidden_size).normal_(std=std))

    def forward(self, x: Tensor, offset: int = 0) -> Tensor:
        return x + self.weight[:, offset : offset + x.shape[1]]


class RotaryPositions(nn.Module):
    """Rotates pairs of features of queries and keys by an angle proportional to the position: q . k then depends on the
    distance only. (B, H, T, head_size) -> the same.

    Feature i is paired with feature i + head_size / 2, as in Llama's published weights.

    Args:
        head_size: Features of a head, an even number.
        max_length: Length of the tables at the start; they grow when a sequence is longer.
        base: 10,000 in the paper; larger for longer contexts.
    """

    cos: Tensor
    sin: Tensor

    def __init__(self, head_size: int, max_length: int, base: float = 10_000.0) -> None:
        super().__init__()
        self.head_size, self.base = head_size, base
        for name in ("cos", "sin"):
            self.register_buffer(name, torch.empty(0, head_size), persistent=False)
        self._extend(max_length)

    def _extend(self, length: int) -> None:
        angle = angles(self.head_size, length, self.base)
        kind = {"dtype": self.cos.dtype, "device": self.cos.device}
        self.cos = torch.cat([angle.cos(), angle.cos()], 1).to(**kind)  # type: ignore[call-overload]
        self.sin = torch.cat([-angle.sin(), angle.sin()], 1).to(**kind)  # type: ignore[call-overload]

    def forward(self, x: Tensor, offset: int | Tensor = 0) -> Tensor:
        """``offset`` is the position of the first token: of all rows, or of each (B,)."""
        end = (int(offset.max()) if isinstance(offset, Tensor) else offset) + x.shape[2]
        if end > len(self.cos):
            self._extend(2 * end)
        swapped = x.roll(x.shape[-1] // 2, -1)  # (x2, x1) for (x1, x2)
        if isinstance(offset, Tensor):
            places = (offset[:, None] + torch.arange(x.shape[2], device=offset.device))[:, None]  # (B, 1, T)
            return x * self.cos[places].to(x.dtype) + swapped * self.sin[places].to(x.dtype)
        return x * self.cos[offset:end].to(x.dtype) + swapped * self.sin[offset:end].to(x.dtype)
