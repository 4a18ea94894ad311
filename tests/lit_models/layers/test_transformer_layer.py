"""One layer: where the normalization is, what is added to what."""

from functools import partial

import pytest
import torch
from torch import nn

from lit_models.layers.attention import length_mask
from lit_models.layers.feed_forward import FeedForward
from lit_models.layers.multi_head import MultiHeadAttention
from lit_models.layers.transformer_layer import TransformerLayer


def make(pre_norm: bool, memory: bool = False, dropout: float = 0.0) -> TransformerLayer:
    torch.manual_seed(0)
    other = MultiHeadAttention(8, 2) if memory else None
    norm = partial(nn.LayerNorm, 8)
    return TransformerLayer(MultiHeadAttention(8, 2), FeedForward(8, 16), norm, other, pre_norm, dropout)


@pytest.mark.parametrize("pre_norm", [True, False])
def test_is_its_formula(pre_norm: bool) -> None:
    layer, x, memory = make(pre_norm, memory=True), torch.randn(2, 5, 8), torch.randn(2, 3, 8)
    for k, norm in enumerate((layer.attention_norm, layer.memory_norm, layer.feed_forward_norm)):
        nn.init.constant_(norm.weight, k + 1.0)  # type: ignore[arg-type]
    mask, memory_mask = length_mask(torch.tensor([5, 2]), 5), length_mask(torch.tensor([1, 3]), 3)
    parts = [
        (lambda y: layer.attention(y, mask=mask), layer.attention_norm),
        (lambda y: layer.cross_attention(y, memory, memory_mask), layer.memory_norm),
        (layer.feed_forward, layer.feed_forward_norm),
    ]
    expected = x
    for part, norm in parts:
        expected = expected + part(norm(expected)) if pre_norm else norm(expected + part(expected))
    torch.testing.assert_close(layer(x, mask, memory, memory_mask), expected)


def test_after_the_norm_every_token_has_the_same_scale() -> None:
    after = make(pre_norm=False)(torch.randn(2, 5, 8))
    torch.testing.assert_close(after.var(-1, correction=0), torch.ones(2, 5), atol=1e-3, rtol=0)


def test_dropped_parts_leave_the_token_as_it_was() -> None:
    layer, x = make(pre_norm=True, dropout=1.0), torch.randn(2, 5, 8)
    assert torch.equal(layer.train()(x), x)
    assert not torch.equal(layer.eval()(x), x)
