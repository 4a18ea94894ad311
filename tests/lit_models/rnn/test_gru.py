"""The GRU as a language model: the battery, by hand and by torch."""

from typing import Any

import pytest
import torch
from torch import Tensor

from lit_models.rnn.gru import GRULayer, LitGRU
from tests.battery import ADAM, LanguageModelBattery

SMALL: dict[str, Any] = {"vocab_size": 9, "hidden_size": 12, "embedding_size": 5, "optimizer": ADAM}


class TestLitGRU(LanguageModelBattery):
    parameters = 9 * 5 + 3 * 12 * (5 + 12 + 2) + 12 * 9 + 9
    overfit_loss = 0.3

    def model(self) -> LitGRU:
        return LitGRU(implementation="hand", **SMALL)

    def batch(self) -> tuple[Tensor, Tensor]:
        text = torch.arange(28).reshape(4, 7) ** 2 % 9
        return text[:, :-1], text[:, 1:]


def test_by_hand_and_by_torch_have_equal_logits() -> None:
    hand, fast = (LitGRU(implementation=kind, num_layers=2, **SMALL).double() for kind in ("hand", "torch"))
    names = dict(fast.net.named_parameters())
    for name, p in hand.net.named_parameters():
        level, _, weight = name.removeprefix("body.layers.").partition(".")
        p.data.copy_(names[f"body.layers.{weight}_l{level}" if name.startswith("body") else name])
    tokens = torch.randint(9, (3, 5))
    torch.testing.assert_close(hand(tokens), fast(tokens))


@pytest.mark.parametrize("kind", ["hand", "torch"])
def test_carried_in_two_pieces_equals_one(kind: Any) -> None:
    model = LitGRU(implementation=kind, carry_state=True, **SMALL).eval()
    tokens = torch.randint(9, (2, 8))
    pieces = [model.logits(tokens[:, :3], "val"), model.logits(tokens[:, 3:], "val")]
    torch.testing.assert_close(torch.cat(pieces, 1), model(tokens))


def test_the_books_reset_gate_is_another_function_than_torchs() -> None:
    layers = [GRULayer(3, 4, reset=reset).double() for reset in ("after", "before")]
    layers[1].load_state_dict(layers[0].state_dict())
    x = torch.randn(2, 5, 3, dtype=torch.float64)
    torch.testing.assert_close(layers[0](x[:, :1])[0], layers[0](x[:, :1], x.new_zeros(2, 4))[0])
    assert not torch.allclose(layers[0](x)[0], layers[1](x)[0])


def test_the_books_gru_step_by_its_formulas() -> None:
    layer = GRULayer(3, 4, reset="before").double()
    x, h = torch.randn(1, 3, dtype=torch.float64), torch.randn(1, 4, dtype=torch.float64)
    w_r, w_z, w_n = layer.weight_ih.chunk(3)
    u_r, u_z, u_n = layer.weight_hh.chunk(3)
    b = (layer.bias_ih + layer.bias_hh).chunk(3)
    r = torch.sigmoid(x @ w_r.T + h @ u_r.T + b[0])
    z = torch.sigmoid(x @ w_z.T + h @ u_z.T + b[1])
    candidate = torch.tanh(x @ w_n.T + (r * h) @ u_n.T + b[2])
    torch.testing.assert_close(layer(x[:, None], h)[0][:, 0], z * h + (1 - z) * candidate)


def test_the_books_form_is_by_hand_alone() -> None:
    with pytest.raises(ValueError, match="implementation: hand"):
        LitGRU(reset="before", **SMALL)
