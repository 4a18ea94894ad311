"""RWKV-5.2: first values of its vectors, its normalization, and the trained first state."""

import torch

from lit_models.rwkv.rwkv5 import EPSILON, TimeMix5, normalized
from lit_models.rwkv.skeleton import Sizes

SIZES = Sizes(9, 6, 2, 3, 8, layer=1)  # depth 1, height 1/2


def test_first_values_of_the_vectors() -> None:
    att = TimeMix5(SIZES)
    expected = {
        "time_decay": [-6 + 5 * (n / 5) ** 2 for n in range(6)],
        "time_faaaa": [1 - n / 5 + 0.1 * ((n + 1) % 3 - 1) for n in range(6)],
        "time_mix_k": [(n / 6) ** 0.5 for n in range(6)],
        "time_mix_v": [(n / 6) ** 0.5 + 0.3 for n in range(6)],
        "time_mix_g": [(n / 6) ** 0.25 for n in range(6)],
    }
    for name, values in expected.items():
        torch.testing.assert_close(getattr(att, name).detach().flatten(), torch.tensor(values, dtype=torch.float32))


def test_the_normalization_is_that_of_an_eighth_with_the_usual_epsilon() -> None:
    att, y = TimeMix5(SIZES), 0.05 * torch.randn(2, 4, 2, 3)
    eighth = torch.nn.functional.group_norm((y / 8).flatten(0, 1).flatten(1), 2, eps=1e-5).view(2, 4, 6)
    assert EPSILON == 64 * 1e-5
    torch.testing.assert_close(normalized(att.ln_x, y), eighth)


def test_a_stored_first_state_is_value_by_key() -> None:
    att = TimeMix5(Sizes(9, 6, 2, 3, 8, state_tuning=True))
    att.time_state.data.copy_(torch.randn(2, 3, 3))
    (state,) = att.initial(4, torch.zeros(1))
    assert torch.equal(state[3], att.time_state.transpose(1, 2))
