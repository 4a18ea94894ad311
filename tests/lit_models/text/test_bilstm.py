"""The bidirectional LSTM: the battery, each text by its length, the bag of words without layers."""

from typing import Any

import pytest
import torch
from torch import Tensor

from lit_models.text.bilstm import BiLSTM, LitBiLSTM, reverse_texts
from tests.battery import ADAM, ClassifierBattery

H, E = 5, 8


class TestLitBiLSTM(ClassifierBattery):
    parameters = 20 * E + 2 * 4 * H * (E + H + 2) + 2 * 4 * H * (2 * H + H + 2) + 4 * H * 8 + 8

    def model(self) -> LitBiLSTM:
        return LitBiLSTM(vocab_size=20, num_classes=8, seq_len=7, embed_size=E, hidden_size=H, optimizer=ADAM)

    def batch(self) -> tuple[Tensor, Tensor]:
        return torch.randint(1, 20, (8, 7)), torch.arange(8)


def small(**arguments: Any) -> BiLSTM:
    torch.manual_seed(0)
    return BiLSTM(20, 2, **({"embed_size": E, "hidden_size": H} | arguments)).eval().double()


def test_texts_are_turned_around_and_their_padding_stays() -> None:
    x = torch.tensor([[1, 2, 3, 0], [4, 5, 6, 7], [8, 0, 0, 0]])[..., None]
    found = reverse_texts(x, torch.tensor([3, 4, 1]))[..., 0]
    assert found.tolist() == [[3, 2, 1, 0], [7, 6, 5, 4], [8, 0, 0, 0]]


@pytest.mark.parametrize("num_layers", [0, 1, 3])
def test_padding_changes_neither_answers_nor_gradients(num_layers: int) -> None:
    net, found = small(num_layers=num_layers), []
    tokens = torch.tensor([[3, 4, 5, 6], [7, 8, 0, 0], [9, 0, 0, 0]])
    for rows in (tokens, torch.nn.functional.pad(tokens, (0, 5))):
        net.zero_grad()
        logits = net(rows)
        logits.square().sum().backward()
        found.append([logits, *(p.grad.clone() for p in net.parameters() if p.grad is not None)])
    torch.testing.assert_close(found[0], found[1])


def test_a_row_of_padding_has_an_answer() -> None:
    assert small()(torch.zeros(1, 3, dtype=torch.long)).isfinite().all()


def test_order_matters_to_the_layers_and_not_to_a_bag_of_words() -> None:
    one, other = torch.tensor([[3, 4, 5, 6]]), torch.tensor([[6, 4, 3, 5]])
    bag, layers = small(num_layers=0), small()
    torch.testing.assert_close(bag(one), bag(other))
    assert not torch.allclose(layers(one), layers(other))
