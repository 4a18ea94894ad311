"""The LSTM as a language model: the battery, by hand and by torch."""

from typing import Any

import pytest
import torch

from lit_models.rnn.lstm import LitLSTM
from tests.lit_models.rnn.recurrent import SMALL, RecurrentBattery


class TestLitLSTM(RecurrentBattery):
    kind = LitLSTM
    gates = 4


@pytest.mark.parametrize("kind", ["hand", "torch"])
def test_forget_bias_is_added_to_the_forget_gate_alone(kind: Any) -> None:
    with_bias, without = [], []
    for value, found in ((1.0, with_bias), (0.0, without)):
        torch.manual_seed(0)
        model = LitLSTM(implementation=kind, forget_bias=value, **SMALL)
        found += [p for name, p in model.net.body.named_parameters() if "bias_ih" in name]
    difference = (with_bias[0] - without[0]).chunk(4)
    assert [round(part.mean().item(), 5) for part in difference] == [0, 1, 0, 0]
