"""Routing: weights, capacity in the order of the sequence, losses at their known values."""

import torch

from lit_models.functional.routing import balance_loss, capacity_of, frequencies, purity, route, z_loss


def logits() -> torch.Tensor:
    return torch.randn(2, 12, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_one_expert_is_weighed_by_its_probability_and_two_sum_to_one() -> None:
    scores = logits()
    one, two = route(scores, 1), route(scores, 2)
    torch.testing.assert_close(one.weights[..., 0], scores.softmax(-1).max(-1).values)
    torch.testing.assert_close(two.weights.sum(-1), torch.ones(2, 12, dtype=torch.float64))
    assert torch.equal(two.experts[..., :1], one.experts)


def test_an_expert_takes_the_first_tokens_of_each_sequence_up_to_its_capacity() -> None:
    routing = route(logits(), 2, capacity=3)
    for row in range(2):
        for expert in range(4):
            asked = (routing.experts[row] == expert).any(-1).nonzero()[:, 0].tolist()
            kept = ((routing.experts[row] == expert) & routing.kept[row]).any(-1).nonzero()[:, 0].tolist()
            assert kept == asked[:3]
    assert not bool(routing.kept.all()) and bool(route(logits(), 2).kept.all())


def test_a_later_token_takes_no_place_of_an_earlier_one() -> None:
    """Also not by its first choice from an earlier token's second, as in GShard's order."""
    scores, other = logits(), logits()
    other[:, 6:] = other[:, 6:].flip(-1)
    one, two = route(scores, 2, capacity=4), route(other, 2, capacity=4)
    assert torch.equal(one.kept[:, :6], two.kept[:, :6]) and not torch.equal(one.kept, two.kept)


def test_capacity_is_the_rounded_multiple_of_an_even_share() -> None:
    assert capacity_of(10, 4, 1, 1.25) == 4 and capacity_of(8, 4, 2, 1.0) == 4 and capacity_of(10, 4, 1, 0.0) == 0


def test_balance_is_k_for_even_use_and_grows_to_the_number_of_experts() -> None:
    even = torch.eye(4, dtype=torch.float64).mul(1e-6).repeat(2, 3, 1)  # each expert chosen by a quarter
    torch.testing.assert_close(balance_loss(route(even, 1)), torch.tensor(1.0, dtype=torch.float64))
    one = torch.tensor([50.0, 0, 0, 0]).expand(2, 12, 4)
    torch.testing.assert_close(balance_loss(route(one, 1)), torch.tensor(4.0))
    torch.testing.assert_close(z_loss(route(torch.zeros(1, 2, 4), 1)), torch.tensor(4.0).log().square())


def test_with_the_frequencies_of_the_whole_the_parts_have_its_gradient() -> None:
    whole, halves = logits().requires_grad_(), [part.requires_grad_() for part in logits().split(1)]
    balance_loss(route(whole, 2)).backward()
    of_all = frequencies(route(logits(), 2))
    for part in halves:
        (balance_loss(route(part, 2), of_all) / 2).backward()
    assert whole.grad is not None
    torch.testing.assert_close(torch.cat([part.grad for part in halves]), whole.grad)  # type: ignore[misc]
    wrong = balance_loss(route(halves[0], 2))  # with its own frequencies
    assert not torch.allclose(torch.autograd.grad(wrong, halves[0])[0] / 2, whole.grad[:1])


def test_purity_is_one_where_experts_are_divided_and_chance_where_they_are_not() -> None:
    assert float(purity(torch.tensor([[9.0, 0, 1], [0, 4, 0]]))) == 1
    assert float(purity(torch.full((4, 4), 5.0))) == 0.25
    rare = torch.tensor([[900.0, 100.0], [1.0, 9.0]])  # groups count alike
    assert round(float(purity(rare)), 4) == 0.9


def test_scores_in_half_precision_are_weighed_in_single_precision() -> None:
    half = logits().bfloat16()
    found, exact = route(half, 2), route(half.float(), 2)
    assert found.logits.dtype == found.weights.dtype == torch.float32
    assert torch.equal(found.weights, exact.weights) and torch.equal(found.experts, exact.experts)
