"""Needles: the battery of the network with ALiBi, and the mixers of the recipe."""

import torch
from torch import Tensor

from lit_models.long_context.mamba import Mamba
from lit_models.long_context.needle import LitNeedle, long_network
from tests.battery import ADAM, LanguageModelBattery


class TestLitNeedle(LanguageModelBattery):
    # embedding (tied), four projections, three matrices of 16 * 42, three norms
    parameters = 7 * 16 + 4 * 16 * 16 + 3 * 16 * 42 + 3 * 16
    overfit_loss = 0.4  # the first token of a row says nothing about the row's second

    def model(self) -> LitNeedle:
        return LitNeedle(
            vocab_size=7, seq_len=6, hidden_size=16, num_layers=1, num_heads=2, position="alibi", optimizer=ADAM
        )

    def batch(self) -> tuple[Tensor, Tensor]:
        text = torch.arange(24).reshape(4, 6) % 7
        return text, (text + 1) % 7


def test_the_mixer_may_be_mamba() -> None:
    assert isinstance(long_network(7, mixer="mamba"), Mamba)
    assert long_network(7, mixer="linear")(torch.zeros(1, 3, dtype=torch.long)).shape == (1, 3, 7)
