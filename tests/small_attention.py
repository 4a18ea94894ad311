"""A language model with attention, small enough for any test."""

import torch
from torch import Tensor

from lit_models.attention.gpt import LitGPT
from tests.battery import ADAM


class SmallAttention(LitGPT):
    """Two layers of two heads over six tokens."""

    def __init__(self) -> None:
        super().__init__(
            vocab_size=11, seq_len=6, hidden_size=8, num_layers=2, num_heads=2, dropout=0.0, optimizer=ADAM
        )


def tokens() -> Tensor:
    return torch.arange(12).reshape(2, 6) % 11
