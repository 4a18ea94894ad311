"""The network around the recurrent layers."""

import pytest
import torch

from lit_models.rnn.language_model import RecurrentLM
from lit_models.rnn.stack import TorchStack


def test_one_hot_vectors_are_rows_of_the_input_weights() -> None:
    net = RecurrentLM(TorchStack("rnn", 7, 4), 7, 4)
    rnn = net.body.layers
    tokens = torch.tensor([[2, 5]])
    h = torch.tanh(rnn.weight_ih_l0[:, 2] + rnn.bias_ih_l0 + rnn.bias_hh_l0)  # type: ignore[union-attr, operator, index]
    torch.testing.assert_close(net(tokens)[0, 0], net.head(h))


def test_tied_weights_are_one_matrix() -> None:
    net = RecurrentLM(TorchStack("gru", 4, 4), 7, 4, embed_size=4, tied=True)
    assert net.head.weight is net.embedding.weight  # type: ignore[union-attr]
    with pytest.raises(ValueError, match="tied"):
        RecurrentLM(TorchStack("gru", 3, 4), 7, 4, embed_size=3, tied=True)


def test_decoding_token_by_token_equals_reading_all() -> None:
    net = RecurrentLM(TorchStack("lstm", 3, 4, 2), 7, 4, embed_size=3).eval()
    tokens, state, steps = torch.randint(7, (2, 6)), None, []
    for t in range(6):
        logits, state = net.decode(tokens[:, t : t + 1], state)
        steps.append(logits)
    torch.testing.assert_close(torch.cat(steps, 1), net(tokens))


def test_dropout_is_of_the_token_vectors_and_of_the_outputs() -> None:
    """All of them, here: the body then reads zeros, and the last layer too."""
    net = RecurrentLM(TorchStack("gru", 3, 4), vocab_size=7, hidden_size=4, embed_size=3, dropout=1.0)
    read = []
    net.body.register_forward_pre_hook(lambda _, inputs: read.append(inputs[0]))
    tokens = torch.randint(7, (2, 6))
    torch.testing.assert_close(net.train()(tokens), net.head.bias.expand(2, 6, 7))
    net.eval()(tokens)
    assert not read[0].any() and bool(read[1].any())
