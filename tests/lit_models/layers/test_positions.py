"""Positions: sinusoidal, learned, rotary."""

import math

import pytest
import torch

from lit_models.layers.positions import LearnedPositions, RotaryPositions, SinusoidalPositions, angles


def test_sinusoids_are_the_papers() -> None:
    table = SinusoidalPositions(6, 10)(torch.zeros(1, 10, 6))[0]
    for t in (0, 3, 9):
        for i in range(3):
            angle = t / 10_000 ** (2 * i / 6)
            assert math.isclose(table[t, 2 * i], math.sin(angle), abs_tol=1e-6)
            assert math.isclose(table[t, 2 * i + 1], math.cos(angle), abs_tol=1e-6)


def test_halves_hold_the_same_numbers_in_another_order() -> None:
    pairs, halves = (SinusoidalPositions(6, 10, halves=h).table for h in (False, True))
    assert torch.equal(torch.cat([pairs[:, 0::2], pairs[:, 1::2]], 1), halves)


def test_a_shift_is_a_rotation_that_does_not_depend_on_the_place() -> None:
    table = SinusoidalPositions(8, 50).double().table
    angle = angles(8, 6)[5]  # a shift by five
    sin, cos = table[:, 0::2], table[:, 1::2]
    torch.testing.assert_close(sin[:-5] * angle.cos() + cos[:-5] * angle.sin(), sin[5:], atol=1e-6, rtol=0)


@pytest.mark.parametrize("kind", [SinusoidalPositions, LearnedPositions])
def test_an_offset_continues_where_the_sequence_stopped(kind: type) -> None:
    positions, x = kind(4, 9), torch.randn(2, 9, 4)
    parts = [positions(x[:, :3]), positions(x[:, 3:], offset=3)]
    assert torch.equal(torch.cat(parts, 1), positions(x))


def test_tables_grow_when_a_sequence_is_longer() -> None:
    assert torch.equal(
        SinusoidalPositions(4, 3)(torch.zeros(1, 20, 4)), SinusoidalPositions(4, 20)(torch.zeros(1, 20, 4))
    )
    x = torch.randn(1, 2, 20, 4)
    assert torch.equal(RotaryPositions(4, 3)(x), RotaryPositions(4, 20)(x))


def test_tables_are_no_part_of_a_checkpoint_and_move_with_the_module() -> None:
    positions = SinusoidalPositions(4).to(torch.bfloat16)
    assert not positions.state_dict() and positions.table.dtype == torch.bfloat16


def test_an_odd_size_is_refused() -> None:
    with pytest.raises(ValueError, match="even"):
        SinusoidalPositions(5)


def test_rotation_keeps_lengths_and_depends_on_distances_alone() -> None:
    rotary = RotaryPositions(8, 40).double()
    q, k = torch.randn(2, 1, 1, 1, 8, dtype=torch.float64)
    torch.testing.assert_close(rotary(q, 13).norm(), q.norm(), rtol=1e-6, atol=0)
    products = [(rotary(q, t + 4) * rotary(k, t)).sum() for t in (0, 7, 30)]
    torch.testing.assert_close(products[0], products[1], rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(products[0], products[2], rtol=1e-5, atol=1e-6)
    assert abs(float((rotary(q, 5) * rotary(k, 0)).sum() - products[0])) > 1e-3


@pytest.mark.parametrize("base", [10_000.0, 500.0])
def test_a_pair_is_turned_forwards_by_its_own_angle(base: float) -> None:
    turned = RotaryPositions(4, 10, base)(torch.tensor([1.0, 1.0, 0.0, 0.0]).expand(1, 1, 10, 4))[0, 0, 7]
    angle = [7.0, 7.0 / base**0.5]  # of the pairs (0, 2) and (1, 3)
    expected = torch.tensor([math.cos(a) for a in angle] + [math.sin(a) for a in angle])
    torch.testing.assert_close(turned, expected)


def test_learned_positions_start_with_the_deviation_asked_for() -> None:
    for std in (0.02, 1.0):
        assert float(LearnedPositions(64, 64, std).weight.detach().std()) == pytest.approx(std, rel=0.1)


def test_the_base_decides_the_longest_wavelength() -> None:
    table = SinusoidalPositions(4, 3, halves=True, base=100.0).table
    angle = torch.tensor([1.0, 0.1])
    torch.testing.assert_close(table[1], torch.cat([angle.sin(), angle.cos()]))
