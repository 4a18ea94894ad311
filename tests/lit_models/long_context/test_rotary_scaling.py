"""Rotary scaling: which pairs are divided by what, and that distances stay distances."""

import math

import pytest
import torch

from lit_models.layers.positions import RotaryPositions
from lit_models.long_context.rotary_scaling import ScaledRotary, Scaling, frequencies, scaled_frequencies


def test_each_scaling_divides_the_pairs_that_its_paper_says() -> None:
    plain = frequencies(32)
    ratio = {kind: plain / scaled_frequencies(32, 1e4, kind, 4.0, 256)[0] for kind in ("linear", "ntk", "yarn")}
    torch.testing.assert_close(ratio["linear"], torch.full((16,), 4.0).double())
    torch.testing.assert_close(ratio["ntk"][[0, -1]], torch.tensor([1.0, 4.0]).double())
    turns = 256 * plain / (2 * math.pi)
    assert ratio["yarn"][turns > 32].tolist() == [1.0] * int((turns > 32).sum())
    torch.testing.assert_close(ratio["yarn"][turns < 0.8], torch.full_like(turns[turns < 0.8], 4.0))
    assert bool((ratio["yarn"].diff() >= 0).all())
    assert bool((ratio["yarn"][(turns < 31)] > 1).all()) and bool((ratio["yarn"][turns > 1.2] < 4).all())


def test_the_temperature_is_yarns_alone() -> None:
    scales = {kind: scaled_frequencies(32, 1e4, kind, 8.0, 256)[1] for kind in ("none", "linear", "ntk", "yarn")}
    assert scales == {"none": 1, "linear": 1, "ntk": 1, "yarn": pytest.approx(0.1 * math.log(8) + 1)}
    assert scaled_frequencies(32, 1e4, "yarn", 1.0, 256)[1] == 1


def test_a_text_of_the_trained_length_is_read_as_in_training() -> None:
    x = torch.randn(1, 2, 12, 8).double()
    scaled = ScaledRotary(8, 12, "yarn")(x, torch.arange(12), 12, 12)
    torch.testing.assert_close(scaled, RotaryPositions(8, 12)(x), atol=1e-6, rtol=1e-6)  # its table is float32


@pytest.mark.parametrize("scaling", ["none", "linear", "ntk", "yarn"])
def test_scores_depend_on_the_distance_only(scaling: Scaling) -> None:
    rotary, (q, k) = ScaledRotary(8, 12, scaling), torch.randn(2, 1, 1, 1, 8).double()
    scores = [
        (rotary(q, torch.tensor([i]), 40, 40) * rotary(k, torch.tensor([i - 5]), 40, 40)).sum() for i in (5, 13, 39)
    ]
    torch.testing.assert_close(torch.stack(scores), scores[0].expand(3))


def test_the_factor_follows_the_text_unless_it_is_given() -> None:
    x, places = torch.ones(1, 1, 1, 8), torch.tensor([3])
    growing, fixed = ScaledRotary(8, 12, "linear"), ScaledRotary(8, 12, "linear", 2.0)
    torch.testing.assert_close(growing(x, places, 24, 24), fixed(x, places, 12, 12))
    assert not torch.allclose(growing(x, places, 48, 48), fixed(x, places, 48, 48))
