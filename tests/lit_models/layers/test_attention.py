"""Masks, the two paths of dot-product attention, additive attention."""

import pytest
import torch
from torch import Tensor

from lit_models.layers.attention import (
    AdditiveAttention,
    causal_mask,
    dot_product_attention,
    fused_attention,
    length_mask,
    masked_softmax,
)


def triple(heads: int = 4, groups: int = 4, queries: int = 5, keys: int = 7) -> list[Tensor]:
    torch.manual_seed(0)
    shapes = [(2, heads, queries, 6), (2, groups, keys, 6), (2, groups, keys, 6)]
    return [torch.randn(s, dtype=torch.float64, requires_grad=True) for s in shapes]


def test_a_length_for_each_row_hides_what_is_behind_it() -> None:
    mask = length_mask(torch.tensor([2, 0, 3]), 3)
    assert mask.shape == (3, 1, 1, 3)
    assert mask[:, 0, 0].tolist() == [[True, True, False], [False] * 3, [True] * 3]


def test_a_length_for_each_query_too() -> None:
    mask = length_mask(torch.tensor([[1, 3], [2, 0]]), 3)
    assert mask.shape == (2, 1, 2, 3)
    assert mask[:, 0].sum(-1).tolist() == [[1, 3], [2, 0]]


def test_lengths_of_three_dimensions_are_refused() -> None:
    with pytest.raises(ValueError, match="lengths are"):
        length_mask(torch.zeros(1, 1, 1), 3)


def test_causal_mask_is_a_triangle_and_a_window_a_band() -> None:
    assert torch.equal(causal_mask(4, 4), torch.ones(4, 4).tril().bool())
    band = causal_mask(5, 5, window=2)
    assert band.sum(1).tolist() == [1, 2, 2, 2, 2] and bool(band.diagonal().all())


def test_causal_mask_of_the_last_queries_is_the_end_of_the_whole() -> None:
    assert torch.equal(causal_mask(2, 6, window=3), causal_mask(6, 6, window=3)[-2:])


def test_a_row_that_may_look_at_nothing_is_zeros_with_finite_gradients() -> None:
    scores = torch.randn(2, 3, dtype=torch.float64, requires_grad=True)
    weights = masked_softmax(scores, torch.tensor([[True, False, True], [False] * 3]))
    weights.square().sum().backward()
    assert weights[1].tolist() == [0, 0, 0] and weights[0, 1] == 0
    assert abs(float(weights[0].detach().sum()) - 1) < 1e-12
    assert bool(scores.grad.isfinite().all())  # type: ignore[union-attr]


MASKS = {
    "none": None,
    "lengths": length_mask(torch.tensor([4, 0]), 7),  # the second row may look at nothing
    "lengths of queries": length_mask(torch.tensor([[1, 2, 3, 0, 7], [7, 0, 2, 2, 1]]), 7),
    "causal": causal_mask(5, 7),
}


@pytest.mark.parametrize("groups", [4, 2, 1])
@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)
def test_written_out_and_fused_agree_in_values_and_gradients(mask: Tensor | None, groups: int) -> None:
    readable, fused = triple(groups=groups), triple(groups=groups)
    mean, weights = dot_product_attention(*readable, mask)
    other = fused_attention(*fused, mask)
    assert weights.shape == (2, 4, 5, 7)
    torch.testing.assert_close(mean, other, rtol=0, atol=1e-12)
    for output in (mean, other):
        output.sin().sum().backward()
    for a, b in zip(readable, fused, strict=True):
        torch.testing.assert_close(a.grad, b.grad, rtol=0, atol=1e-12)


@pytest.mark.parametrize("groups", [4, 2, 1])
def test_one_query_takes_the_short_way_and_agrees(groups: int) -> None:
    inputs = triple(groups=groups, queries=1)
    torch.testing.assert_close(fused_attention(*inputs), dot_product_attention(*inputs)[0], rtol=0, atol=1e-12)


def test_kernels_causal_mask_is_ours() -> None:
    inputs = triple(keys=5)
    mean = dot_product_attention(*inputs, causal_mask(5, 5))[0]
    torch.testing.assert_close(fused_attention(*inputs, causal=True), mean, rtol=0, atol=1e-12)


def test_dropped_weights_leave_the_mean_right_on_average() -> None:
    query, key, value = (t.detach() for t in triple())
    kept, _ = dot_product_attention(query, key, value)
    many = torch.stack([dot_product_attention(query, key, value, dropout=0.3)[0] for _ in range(2000)])
    assert float((many.mean(0) - kept).abs().max()) < 0.1
    assert not torch.equal(many[0], many[1])


def test_the_kernel_drops_weights_too_and_additive_attention_in_training() -> None:
    inputs = triple()
    assert not torch.equal(fused_attention(*inputs, dropout=0.3), fused_attention(*inputs, dropout=0.3))
    assert torch.equal(fused_attention(*inputs), fused_attention(*inputs))
    attend, x = AdditiveAttention(6, 6, 8, dropout=0.3).double(), inputs[0][:, 0]
    assert not torch.equal(attend(x, x, x)[0], attend(x, x, x)[0])
    assert torch.equal(attend.eval()(x, x, x)[0], attend(x, x, x)[0])


def test_additive_attention_is_its_formula() -> None:
    torch.manual_seed(0)
    attend = AdditiveAttention(3, 5, 8).double().eval()
    query, key, value = (torch.randn(s, dtype=torch.float64) for s in ((2, 4, 3), (2, 6, 5), (2, 6, 7)))
    mask = length_mask(torch.tensor([6, 2]), 6)[:, 0]
    mean, weights = attend(query, key, value, mask)
    w, u, v = (m.weight for m in (attend.query, attend.key, attend.score))
    for b, q in ((0, 1), (1, 3)):
        scores = torch.stack([v[0] @ torch.tanh(w @ query[b, q] + u @ key[b, k]) for k in range(6 if b == 0 else 2)])
        torch.testing.assert_close(weights[b, q, : len(scores)], scores.softmax(0))
        torch.testing.assert_close(mean[b, q], scores.softmax(0) @ value[b, : len(scores)])
    assert float(weights[1, :, 2:].abs().max()) == 0
    again = attend.attend(query, attend.key(key), value, mask)
    assert all(torch.equal(a, b) for a, b in zip(again, (mean, weights), strict=True))


def test_additive_attention_over_nothing_is_zero_and_its_gradient_too() -> None:
    attend, query, key = AdditiveAttention(3, 5, 8), torch.randn(2, 4, 3), torch.randn(2, 6, 5)
    mean, weights = attend(query, key, key, length_mask(torch.tensor([6, 0]), 6)[:, 0])
    assert not mean[1].any() and not weights[1].any() and mean[0].any()
    mean.sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in attend.parameters())
