"""Multi-head attention: heads, groups, masks, caches, windows."""

import pytest
import torch
from torch import nn

from lit_models.layers.attention import length_mask
from lit_models.layers.kv_cache import KVCache
from lit_models.layers.multi_head import MultiHeadAttention
from lit_models.layers.positions import RotaryPositions


def make(**settings: object) -> MultiHeadAttention:
    torch.manual_seed(0)
    return MultiHeadAttention(16, 4, **settings).double().eval()  # type: ignore[arg-type]


def tokens(length: int = 9) -> torch.Tensor:
    return torch.randn(2, length, 16, dtype=torch.float64)


def rotary() -> RotaryPositions:
    return RotaryPositions(4, 32).double()


@pytest.mark.parametrize("groups", [0, 2, 1])
@pytest.mark.parametrize("window", [0, 3])
def test_kept_weights_and_the_fused_kernel_agree(groups: int, window: int) -> None:
    attention = make(num_kv_heads=groups, causal=True, window=window, rotary=rotary())
    x = tokens()
    fused = attention(x)
    attention.need_weights = True
    torch.testing.assert_close(attention(x), fused)
    assert attention.weights is not None and attention.weights.shape == (2, 4, 9, 9)
    seen = (attention.weights > 0).sum(-1)[0, 0].tolist()
    assert seen == [min(t + 1, window or 9) for t in range(9)]


@pytest.mark.parametrize("groups", [0, 2, 1])
@pytest.mark.parametrize("window", [0, 3, 20])
@pytest.mark.parametrize("first", [1, 2, 5])
def test_one_token_at_a_time_equals_all_at_once(groups: int, window: int, first: int) -> None:
    attention = make(num_kv_heads=groups, causal=True, window=window, rotary=rotary())
    x, cache = tokens(), KVCache(window)
    parts = [attention(x[:, :first], cache=cache)]
    parts += [attention(x[:, t : t + 1], cache=cache) for t in range(first, 7)]
    parts.append(attention(x[:, 7:], cache=cache))  # two at once on top of a past
    torch.testing.assert_close(torch.cat(parts, 1), attention(x))


def test_a_memory_is_projected_once() -> None:
    attention, x, memory, cache = make(), tokens(3), tokens(5), KVCache(capacity=1)
    mask = length_mask(torch.tensor([5, 2]), 5)
    whole = attention(x, memory, mask)
    first = attention(x[:, :1], memory, mask, cache)
    rest = attention(x[:, 1:], torch.zeros_like(memory), mask, cache)  # what is cached is not looked at again
    torch.testing.assert_close(torch.cat([first, rest], 1), whole)


def test_equals_torch_with_its_weights() -> None:
    theirs = nn.MultiheadAttention(16, 4, batch_first=True).double().eval()
    nn.init.normal_(theirs.in_proj_bias)
    ours = make(bias=True)
    ours.qkv.load_state_dict({"weight": theirs.in_proj_weight, "bias": theirs.in_proj_bias})
    ours.output.load_state_dict(theirs.out_proj.state_dict())
    x, memory, length = tokens(), tokens(5), torch.tensor([3, 5])
    padding = torch.arange(5) >= length[:, None]
    torch.testing.assert_close(
        ours(x, memory, length_mask(length, 5)), theirs(x, memory, memory, key_padding_mask=padding)[0]
    )


def test_queries_and_keys_are_turned_by_their_positions_and_values_are_not() -> None:
    attention, x = make(causal=True, rotary=rotary()), tokens()
    query, key, value = attention.qkv(x).view(2, 9, 3, 4, 4).permute(2, 0, 3, 1, 4)  # each (B, H, T, d)
    angle = torch.arange(9)[:, None] * torch.tensor([1.0, 0.01], dtype=torch.float64)  # 10,000^(-i / 2)
    turn = torch.polar(torch.ones_like(angle), angle)
    q, k = (torch.complex(t[..., :2], t[..., 2:]) * turn for t in (query, key))
    scores = (q[:, :, :, None] * k[:, :, None].conj()).sum(-1).real / 2
    weights = scores.masked_fill(torch.ones(9, 9).triu(1).bool(), float("-inf")).softmax(-1)
    expected = attention.output((weights @ value).transpose(1, 2).reshape(x.shape))
    torch.testing.assert_close(attention(x), expected, rtol=1e-6, atol=1e-6)  # the tables are made in single precision


@pytest.mark.parametrize("need_weights", [False, True])
def test_neither_padding_nor_the_future_is_looked_at(need_weights: bool) -> None:
    attention, x, mask = make(causal=True), tokens(), length_mask(torch.tensor([9, 4]), 9)
    attention.need_weights = need_weights
    changed = x.clone()
    changed[1, 4:] += 1
    before, after = attention(x, mask=mask), attention(changed, mask=mask)
    torch.testing.assert_close(before[1, :4], after[1, :4])
    late = x.clone()
    late[:, 5:] += 1
    torch.testing.assert_close(before[:, :5], attention(late, mask=mask)[:, :5])
    attention.need_weights = True
    attention(x, mask=mask)
    assert attention.weights is not None and (attention.weights[1, 0] > 0).sum(1).tolist() == [1, 2, 3, *[4] * 6]


@pytest.mark.parametrize("need_weights", [False, True])
def test_weights_are_dropped_in_training_alone(need_weights: bool) -> None:
    plain, attention, x = make(), make(dropout=0.5), tokens()
    attention.need_weights = need_weights
    torch.testing.assert_close(attention(x), plain(x))
    attention.train()
    assert not torch.allclose(attention(x), attention(x))


def test_each_projection_starts_by_its_own_size_and_biases_at_zero() -> None:
    attention = make(bias=True)
    bound = (6 / (16 + 16)) ** 0.5
    for weight in (*attention.qkv.weight.split(16), attention.output.weight):
        assert 0.9 * bound < float(weight.detach().abs().max()) <= bound
    assert not attention.qkv.bias.any() and not attention.output.bias.any()


def test_shared_keys_and_values_save_parameters() -> None:
    count = {g: sum(p.numel() for p in make(num_kv_heads=g).parameters()) for g in (4, 2, 1)}
    assert count == {4: 1024, 2: 16 * (16 + 16) + 256, 1: 16 * (16 + 8) + 256}


def test_heads_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="is not a multiple of num_heads"):
        MultiHeadAttention(10, 4)
    with pytest.raises(ValueError, match="num_kv_heads"):
        MultiHeadAttention(16, 4, num_kv_heads=3)


def test_heads_may_have_another_size_than_their_part_of_the_features() -> None:
    layer, x = make(head_size=6, causal=True), tokens()
    assert layer.qkv.out_features == 3 * 24 and layer.output.in_features == 24 and layer(x).shape == x.shape
    query, key, value = layer.qkv(x).view(2, 9, 12, 6).transpose(1, 2).split(4, 1)
    mean = nn.functional.scaled_dot_product_attention(query, key, value, is_causal=True)
    torch.testing.assert_close(layer(x), layer.output(mean.transpose(1, 2).flatten(2)))
    cache = KVCache()
    torch.testing.assert_close(torch.cat([layer(x[:, t : t + 1], cache=cache) for t in range(9)], 1), layer(x))
