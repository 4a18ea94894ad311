"""A chat's choices: ChatRWKV's penalties, the two orders, bans."""

import pytest
import torch

from lit_models.functional.chat_sampling import ChatSampling, Counts, choose, probabilities

PLAIN = {"presence": 0.0, "frequency": 0.0, "top_p": 1.0}


def test_penalties_are_those_of_the_formula() -> None:
    counts = Counts(4, free=frozenset({3}))
    for token in (1, 1, 2, 3):
        counts.add(token, 0.5)
    # token 1 was said four and three steps of decay ago: (0.5 + 1) * 0.25; 3 is free, but present
    found = counts.penalize(torch.zeros(4), presence=1.0, frequency=2.0)
    torch.testing.assert_close(found, -torch.tensor([0, 1 + 2 * 0.375, 1 + 2 * 0.5, 1.0]))


def test_the_order_of_temperature_and_top_p() -> None:
    scores = torch.log(torch.tensor([0.5, 0.3, 0.15, 0.05]))
    last = probabilities(scores, ChatSampling(temperature=2.0, **PLAIN | {"top_p": 0.7}, temperature_last=True))
    first = probabilities(scores, ChatSampling(temperature=2.0, **PLAIN | {"top_p": 0.7}))
    kept = torch.tensor([0.5, 0.3, 0, 0]).sqrt()
    torch.testing.assert_close(last, kept / kept.sum())  # p^(1/T) of what top-p left
    flat = torch.tensor([0.5, 0.3, 0.15, 0]).sqrt()  # flatter: three tokens are needed for 0.7
    torch.testing.assert_close(first, flat / flat.sum())


def test_upstreams_distribution_is_ours_with_the_temperature_last() -> None:
    """As ``sample_logits`` of the rwkv package computes it, before it draws."""
    scores = torch.randn(50, generator=torch.Generator().manual_seed(0)) * 3
    p = scores.softmax(0)
    ordered = p.sort(descending=True).values
    cut = ordered[(ordered.cumsum(0) >= 0.7).nonzero()[0]]
    expected = torch.where(p < cut, 0.0, p) ** (1 / 1.7)
    found = probabilities(scores, ChatSampling(temperature=1.7, **PLAIN | {"top_p": 0.7}, temperature_last=True))
    torch.testing.assert_close(found, expected / expected.sum())


def test_banned_tokens_are_never_chosen_and_zero_is_greedy() -> None:
    scores = torch.tensor([3.0, 2.0, 1.0])
    assert probabilities(scores, ChatSampling(**PLAIN, ban=(0,)))[0] == 0
    assert choose(scores, ChatSampling(temperature=0, ban=(0,)), Counts(3), torch.Generator()) == 1


def test_equal_seeds_choose_equally() -> None:
    options, scores = ChatSampling(**PLAIN), torch.zeros(1000)
    found = [choose(scores, options, Counts(1000), torch.Generator().manual_seed(7)) for _ in range(2)]
    assert found[0] == found[1]


@pytest.mark.parametrize(("name", "value"), [("top_p", 0.0), ("temperature", -1.0), ("penalty_decay", 1.5)])
def test_an_option_out_of_range_is_named(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=name):
        ChatSampling(**{name: value})
