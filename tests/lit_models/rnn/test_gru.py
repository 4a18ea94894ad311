"""The GRU as a language model: the battery, by hand and by torch."""

import pytest
import torch

from lit_models.rnn.gru import GRULayer, LitGRU
from tests.lit_models.rnn.recurrent import SMALL, RecurrentBattery


class TestLitGRU(RecurrentBattery):
    kind = LitGRU
    gates = 3


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
