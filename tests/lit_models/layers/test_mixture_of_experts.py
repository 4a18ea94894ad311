"""The layer: one expert is a dense layer, what is dropped, every expert has a gradient, the recorded routing."""

from functools import partial

import pytest
import torch
from torch import nn

from common.messages import UserError
from lit_models.layers.feed_forward import FeedForward
from lit_models.layers.mixture_of_experts import MixtureOfExperts, recorded


def layer(num_experts: int = 4, top_k: int = 1, capacity_factor: float = 0.0) -> MixtureOfExperts:
    torch.manual_seed(0)
    return MixtureOfExperts(8, num_experts, partial(FeedForward, 8, 16), top_k, capacity_factor).double()


X = torch.randn(2, 10, 8, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def test_one_expert_is_the_dense_layer_in_values_and_gradients() -> None:
    one = layer(1)
    dense = one.experts[0]
    one(X).sin().sum().backward()
    ours = [p.grad for p in dense.parameters()]
    dense.zero_grad()
    dense(X).sin().sum().backward()
    torch.testing.assert_close(one(X), dense(X))
    torch.testing.assert_close(ours, [p.grad for p in dense.parameters()])


@pytest.mark.parametrize("top_k", [1, 2, 4])
def test_output_is_the_weighted_sum_of_all_experts_with_the_others_at_zero(top_k: int) -> None:
    mixture = layer(top_k=top_k)
    p = mixture.router(X).softmax(-1)
    smallest = p.topk(top_k, -1).values[..., -1:]
    p = torch.where(p >= smallest, p, 0)
    p = p / p.sum(-1, keepdim=True) if top_k > 1 else p
    expected = sum(p[..., i, None] * expert(X) for i, expert in enumerate(mixture.experts))
    torch.testing.assert_close(mixture(X), expected)


def test_dropped_tokens_have_no_output_in_training_and_are_served_in_evaluation() -> None:
    mixture = layer(capacity_factor=0.5)
    with recorded(mixture) as routings:
        trained, served = mixture(X), mixture.eval()(X)
    empty = trained.abs().sum(-1) == 0
    assert torch.equal(empty, ~routings[0].kept[..., 0]) and 0 < int(empty.sum()) < 20
    assert not bool((served.abs().sum(-1) == 0).any())
    torch.testing.assert_close(trained[~empty], served[~empty])


def test_every_expert_has_a_gradient_though_no_token_chose_it() -> None:
    mixture = layer()
    nn.init.zeros_(mixture.router.weight)  # all tokens go to one
    mixture(X).sum().backward()
    used = [float(expert.outer.weight.grad.abs().sum()) > 0 for expert in mixture.experts]  # type: ignore[union-attr]
    assert sum(used) == 1


def test_the_router_is_not_rounded_to_half_precision() -> None:
    mixture, x = layer().float(), X.float()
    with recorded(mixture) as found:
        mixture(x)
        with torch.autocast("cpu", torch.bfloat16):
            mixture(x)
            rounded = mixture.router(x).float()
    assert torch.equal(found[0].logits, found[1].logits)
    assert not torch.equal(found[0].logits, rounded)


def test_a_recording_ends_with_its_context() -> None:
    mixture = layer()
    with recorded(mixture) as routings:
        mixture(X)
    mixture(X)
    assert len(routings) == 1 and routings[0].experts.shape == (2, 10, 1)


def test_more_experts_for_a_token_than_there_are_is_one_line() -> None:
    with pytest.raises(UserError, match=r"experts_per_token is 3: give 1 to model.num_experts, which is 2"):
        layer(2, 3)
