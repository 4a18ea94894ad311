"""The LSTM as a language model: the battery, by hand and by torch."""

from typing import Any

import pytest
import torch
from torch import Tensor

from lit_models.rnn.lstm import LitLSTM
from tests.battery import ADAM, LanguageModelBattery

SMALL: dict[str, Any] = {"vocab_size": 9, "hidden_size": 12, "embedding_size": 5, "optimizer": ADAM}


class TestLitLSTM(LanguageModelBattery):
    parameters = 9 * 5 + 4 * 12 * (5 + 12 + 2) + 12 * 9 + 9
    overfit_loss = 0.3

    def model(self) -> LitLSTM:
        return LitLSTM(implementation="hand", **SMALL)

    def batch(self) -> tuple[Tensor, Tensor]:
        text = torch.arange(28).reshape(4, 7) ** 2 % 9
        return text[:, :-1], text[:, 1:]


def test_by_hand_and_by_torch_have_equal_logits() -> None:
    hand, fast = (LitLSTM(implementation=kind, num_layers=2, **SMALL).double() for kind in ("hand", "torch"))
    names = dict(fast.net.named_parameters())
    for name, p in hand.net.named_parameters():
        level, _, weight = name.removeprefix("body.layers.").partition(".")
        p.data.copy_(names[f"body.layers.{weight}_l{level}" if name.startswith("body") else name])
    tokens = torch.randint(9, (3, 5))
    torch.testing.assert_close(hand(tokens), fast(tokens))


@pytest.mark.parametrize("kind", ["hand", "torch"])
def test_carried_in_two_pieces_equals_one(kind: Any) -> None:
    model = LitLSTM(implementation=kind, carry_state=True, **SMALL).eval()
    tokens = torch.randint(9, (2, 8))
    pieces = [model.logits(tokens[:, :3], "val"), model.logits(tokens[:, 3:], "val")]
    torch.testing.assert_close(torch.cat(pieces, 1), model(tokens))


@pytest.mark.parametrize("kind", ["hand", "torch"])
def test_forget_bias_is_added_to_the_forget_gate_alone(kind: Any) -> None:
    with_bias, without = [], []
    for value, found in ((1.0, with_bias), (0.0, without)):
        torch.manual_seed(0)
        model = LitLSTM(implementation=kind, forget_bias=value, **SMALL)
        found += [p for name, p in model.net.body.named_parameters() if "bias_ih" in name]
    difference = (with_bias[0] - without[0]).chunk(4)
    assert [round(part.mean().item(), 5) for part in difference] == [0, 1, 0, 0]
