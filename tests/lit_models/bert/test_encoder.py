"""The encoder: segments, padding, positions, attention weights, initial values."""

from typing import Any

import pytest
import torch

from lit_models.bert.encoder import Bert, mean_pooled


def small(**changes: Any) -> Bert:
    torch.manual_seed(0)
    given: dict[str, Any] = {"vocab_size": 20, "hidden_size": 8, "dropout": 0.0, "sep_id": 3}
    return Bert(**(given | changes)).double().eval()


def test_segment_one_begins_after_the_first_separator_and_padding_is_zero() -> None:
    tokens = torch.tensor([[2, 5, 3, 6, 7, 3, 0], [2, 5, 6, 3, 0, 0, 0]])
    assert small().segments(tokens).tolist() == [[0, 0, 0, 1, 1, 1, 0], [0] * 7]


def test_padding_changes_nothing() -> None:
    net, tokens = small(), torch.tensor([[2, 5, 6, 3], [2, 7, 3, 0]])
    for one, other in zip(net(tokens), net(torch.nn.functional.pad(tokens, (0, 5))), strict=True):
        torch.testing.assert_close(other[:, :4] if one.ndim == 3 else other, one)


def test_order_matters_and_every_token_sees_the_whole_text() -> None:
    net, tokens = small(), torch.tensor([[2, 5, 6, 7, 3]])
    other = torch.tensor([[2, 5, 6, 8, 3]])
    assert not torch.allclose(net(tokens)[0][0, 1], net(other)[0][0, 1])
    assert not torch.allclose(net(tokens)[1], net(tokens.flip(1))[1])


def test_attention_weights_on_request_are_those_of_the_fused_kernel() -> None:
    net, tokens = small(), torch.tensor([[2, 5, 6, 3, 0]])
    states, _ = net(tokens)
    for layer in net.encoder.layer:
        layer.attention.self.need_weights = True  # type: ignore[union-attr]
    torch.testing.assert_close(net(tokens)[0], states)
    weights = net.encoder.layer[0].attention.self.weights  # type: ignore[union-attr]
    torch.testing.assert_close(weights.sum(-1), torch.ones_like(weights[..., 0]))
    assert not weights[..., 4].any()


def test_positions_that_begin_as_sinusoids_have_the_deviation_of_the_others() -> None:
    net = small(hidden_size=64, init_std=0.1, init_positions="sinusoids")
    table = net.embeddings.position_embeddings.weight.detach()
    assert abs(float(table.square().mean().sqrt()) - 0.1) < 1e-6 and table.shape == (512, 64)
    torch.testing.assert_close((table[5] * table[9]).sum(), (table[105] * table[109]).sum())  # of the distance alone


def test_without_a_pooler_the_first_state_is_the_second_output() -> None:
    states, pooled = small(pooler=False)(torch.tensor([[2, 5, 3]]))
    assert torch.equal(pooled, states[:, 0])


def test_initial_weights_have_deviation_002_and_padding_is_zero() -> None:
    net = Bert(2000, 64)
    assert abs(float(net.embeddings.word_embeddings.weight[1:].std()) - 0.02) < 0.001
    assert not net.embeddings.word_embeddings.weight[0].any()


def test_heads_must_divide_the_features() -> None:
    with pytest.raises(ValueError, match="is not a multiple of num_heads"):
        small(num_heads=3)


def test_mean_is_over_real_tokens() -> None:
    states = torch.arange(12.0).reshape(1, 4, 3)
    found = mean_pooled(states, torch.tensor([[True, True, False, False]]))
    assert found.tolist() == [[1.5, 2.5, 3.5]]
