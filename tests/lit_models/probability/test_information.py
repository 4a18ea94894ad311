"""Inequalities and identities of information, and what is not a distribution."""

import math

import pytest
import torch

from common.messages import UserError
from lit_models.probability.information import (
    conditional_entropy,
    cross_entropy,
    entropy,
    gaussian_kl,
    jensen_shannon,
    kl_divergence,
    mutual_information,
)

P = torch.tensor([0.5, 0.5, 0.0])
Q = torch.tensor([0.25, 0.25, 0.5])


def test_zero_times_the_logarithm_of_zero_is_zero_and_nothing_else_is_hidden() -> None:
    assert math.isclose(float(entropy(P)), math.log(2))
    assert float(kl_divergence(Q, P)) == math.inf
    assert math.isclose(float(kl_divergence(P, Q)), math.log(2))
    with pytest.raises(UserError):
        entropy(torch.tensor([0.5, float("nan")]).nan_to_num(2.0))


def test_the_uniform_distribution_has_the_largest_entropy() -> None:
    assert math.isclose(float(entropy(torch.full((8,), 1 / 8))), math.log(8))
    assert float(entropy(torch.rand(8).softmax(0))) < math.log(8)


def test_a_code_for_another_distribution_costs_the_divergence_more() -> None:
    assert math.isclose(float(cross_entropy(P, Q) - entropy(P)), float(kl_divergence(P, Q)))


def test_jensen_and_shannons_divergence_is_symmetric_and_at_most_log_2() -> None:
    assert math.isclose(float(jensen_shannon(P, Q)), float(jensen_shannon(Q, P)))
    apart = jensen_shannon(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0]))
    assert math.isclose(float(apart), math.log(2))


def test_mutual_information_is_what_knowing_x_takes_from_the_entropy_of_y() -> None:
    joint = torch.rand(3, 4, dtype=torch.float64)
    joint /= joint.sum()
    assert math.isclose(float(mutual_information(joint)), float(entropy(joint.sum(0)) - conditional_entropy(joint)))
    independent = joint.sum(1, keepdim=True) * joint.sum(0, keepdim=True)
    assert abs(float(mutual_information(independent))) < 1e-12


@pytest.mark.parametrize(
    ("p", "words"), [([-0.1, 1.1], "a probability is -0.1"), ([0.5, 0.4], "sum to 0.9, not to 1: divide them")]
)
def test_what_is_not_a_distribution_is_refused(p: list[float], words: str) -> None:
    with pytest.raises(UserError, match=words):
        entropy(torch.tensor(p))


def test_a_deviation_of_zero_is_refused() -> None:
    with pytest.raises(UserError, match="std_q has 0"):
        gaussian_kl(torch.zeros(1), torch.ones(1), torch.zeros(1), torch.zeros(1))
