"""RWKV-7: first values of its vectors, its decay, and the values of layer 0 in the others."""

import math
from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from lit_models.rwkv.rwkv7 import ChannelMix7, TimeMix7, rank, ranks7
from lit_models.rwkv.skeleton import Sizes
from tests.lit_models.rwkv.networks import small

SIZES = Sizes(9, 6, 2, 3, 8, {"w": 2, "a": 2, "v": 2, "g": 2}, layer=1)  # depth 1, height 1/2


def test_first_values_of_the_vectors() -> None:
    att = TimeMix7(SIZES)
    power, linear = torch.arange(6) / 6, torch.arange(6) / 5 - 0.5
    zigzag = torch.tensor([-1.0, 0.0, 1.0, -1.0, 0.0, 1.0])
    expected = {
        **{f"x_{part}": 1 - power ** (p / 2) for part, p in zip("rwkvag", (0.2, 0.9, 0.7, 0.7, 0.9, 0.2), strict=True)},
        "w0": -6 + 6 * (linear + 0.5) ** 2 + 0.5 + 2.5 * zigzag,
        "a0": -0.19 + 0.3 * zigzag + 0.4 * linear,
        "v0": 0.73 - 0.4 * linear,
        "k_k": 0.71 - 0.1 * linear,
        "k_a": torch.full((6,), 1.02),
        "r_k": torch.full((6,), -0.04),
    }
    for name, values in expected.items():
        torch.testing.assert_close(getattr(att, name).detach().flatten(), values, msg=name)
    assert not any(getattr(att, f"{part}1").any() for part in "wavg")
    for part in "wavg":
        second = getattr(att, f"{part}2").detach()
        torch.testing.assert_close(second @ second.T, 0.01 * torch.eye(2))
    torch.testing.assert_close(ChannelMix7(SIZES).x_k.detach().flatten(), 1 - power ** (0.5**4))


def test_ranks_are_multiples_of_32_near_the_square_root() -> None:
    assert ranks7(768) == {"w": 64, "a": 64, "v": 32, "g": 128}
    assert rank(64, 2.5) == 32 and rank(4096, 5) == 320


def test_the_decay_is_between_its_bounds_and_as_the_package_writes_it() -> None:
    att, more = small(7, 1).blocks[0].att, 20 * torch.randn(3, 16).double()
    found = att.log_decay(more)
    torch.testing.assert_close(found, (-math.exp(-0.5) * torch.sigmoid(att.w0 + more)))
    assert float(found.detach().min()) > -0.6066 and float(found.detach().max()) <= 0


def test_layer_0_has_no_parameters_of_the_value_residual_but_keeps_them_for_files() -> None:
    net = small(7)
    names = {name for name, _ in net.named_parameters()}
    assert {f"blocks.1.att.v{i}" for i in range(3)} <= names and not {f"blocks.0.att.v{i}" for i in range(3)} & names
    assert {f"blocks.0.att.v{i}" for i in range(3)} <= set(net.state_dict())


def test_the_values_of_layer_0_reach_the_others() -> None:
    att, x = small(7).blocks[1].att, torch.randn(1, 3, 16).double()
    state = list(att.initial(1, x))
    first = torch.randn(1, 3, 16).double()
    assert not torch.allclose(att(x, x[:, 0], state, first)[0], att(x, x[:, 0], state, first + 1)[0])


@pytest.mark.parametrize(("logit", "decay"), [(-50.0, 1.0), (50.0, math.exp(-math.exp(-0.5)))])
def test_negative_eigenvalues_turn_an_old_value_that_otherwise_is_removed(logit: float, decay: float) -> None:
    """At rate 1 and value 0, with decay w: w S (I - 2 kk kk') in place of S (w I - kk kk'). Neither grows."""
    for turns in (False, True):
        att = TimeMix7(replace(SIZES, negative_eigenvalues=turns)).double()
        with torch.no_grad():
            att.a0.fill_(50)
            att.w0.fill_(logit)
            att.value.weight.zero_()
        x, state = torch.randn(1, 1, 6).double(), torch.randn(1, 2, 3, 3).double()
        last = torch.zeros(1, 6).double()
        (after,) = att(x, last, [state], torch.zeros(1, 1, 6).double())[1]
        key = att.key(x - x * att.x_k) * att.k_k  # the past is zero
        kk = F.normalize(key.view(1, 2, 3, 1), dim=2)
        part = (state @ kk) @ kk.mT
        torch.testing.assert_close(after, decay * (state - 2 * part) if turns else decay * state - part)
        assert float(after.detach().norm()) <= float(state.norm()) + 1e-9
