"""Attention beyond the trained length: the window with sinks against a loop over an explicit cache."""

from typing import Any

import pytest
import torch
from torch import Tensor

from lit_models.layers.kv_cache import KVCache
from lit_models.long_context.long_attention import LongAttention, visible
from lit_models.long_context.rotary_scaling import ScaledRotary


def attention(position: str, **settings: Any) -> LongAttention:
    torch.manual_seed(0)
    rotary = ScaledRotary(4, 6) if position == "rotary" else None
    return LongAttention(8, 2, alibi=position == "alibi", rotary=rotary, **settings).double().eval()


def streamed(net: LongAttention, x: Tensor) -> Tensor:
    """Xiao et al. 2023, 3.2, a token at a time: the cache keeps sinks and window, and places are those in the cache."""
    q, k, v = net._heads(net.qkv(x)).chunk(3, 1)  # (B, H, T, d)
    means = []
    for t in range(x.shape[1]):
        kept = [j for j in range(t + 1) if j < net.sinks or j > t - net.window]
        places = torch.arange(len(kept))
        query, keys = q[:, :, t : t + 1], k[:, :, kept]
        if net.rotate is not None:
            query, keys = net.rotate(query, places[-1:], 6, 20), net.rotate(keys, places, 6, 20)
        scores = query @ keys.transpose(2, 3) / 2
        if net.alibi:
            scores = scores - net.slopes[:, None, None] * (places[-1] - places)
        means.append(scores.softmax(-1) @ v[:, :, kept])
    return net.output(torch.cat(means, 2).transpose(1, 2).reshape(x.shape))


@pytest.mark.parametrize("position", ["none", "rotary", "alibi"])
@pytest.mark.parametrize("sinks", [0, 2])
def test_window_and_sinks_are_attention_over_a_cache_that_drops_the_middle(position: str, sinks: int) -> None:
    net, x = attention(position, window=4, sinks=sinks), torch.randn(2, 15, 8).double()
    torch.testing.assert_close(net(x), streamed(net, x), atol=1e-6, rtol=1e-5)  # slopes are float32


@pytest.mark.parametrize("settings", [{}, {"window": 4, "sinks": 2}, {"window": 3}])
@pytest.mark.parametrize("position", ["none", "rotary", "alibi"])
def test_token_by_token_is_the_whole_text(position: str, settings: dict[str, int]) -> None:
    net, x, cache = attention(position, **settings), torch.randn(2, 11, 8).double(), KVCache()
    steps = torch.cat([net(part, cache=cache) for part in x.split([5, 1, 1, 2, 1, 1], 1)], 1)
    torch.testing.assert_close(steps, net(x))


def test_kept_weights_change_nothing() -> None:
    for position in ("rotary", "alibi"):
        net, x = attention(position, window=4), torch.randn(2, 11, 8).double()
        before, net.need_weights = net(x), True
        torch.testing.assert_close(net(x), before)
        assert net.weights is not None
        torch.testing.assert_close(net.weights.sum(-1), torch.ones(2, 2, 11).double())


def test_sinks_are_seen_by_all_and_the_future_by_none() -> None:
    seen = visible(6, 6, 2, 1, torch.device("cpu"))
    assert seen[5].tolist() == [True, False, False, False, True, True]
    assert not bool(seen.triu(1).any())
