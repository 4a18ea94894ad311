"""RWKV-4: first values of its vectors, and its state."""

import math

import torch

from lit_models.rwkv.rwkv4 import TimeMix4
from lit_models.rwkv.skeleton import Sizes


def test_first_values_of_the_vectors() -> None:
    last = TimeMix4(Sizes(9, 4, 2, 1, 8, layer=1))  # depth 1, height 1/2
    expected = {
        "time_decay": [-5 + 8 * (n / 3) ** 2 for n in range(4)],
        "time_first": [math.log(0.3) + 0.5 * ((n + 1) % 3 - 1) for n in range(4)],
        "time_mix_k": [(n / 4) ** 0.5 for n in range(4)],
        "time_mix_v": [(n / 4) ** 0.5 + 0.3 for n in range(4)],
        "time_mix_r": [(n / 4) ** 0.25 for n in range(4)],
    }
    for name, values in expected.items():
        torch.testing.assert_close(getattr(last, name).detach().flatten(), torch.tensor(values, dtype=torch.float32))


def test_the_state_of_an_empty_past_weighs_nothing() -> None:
    a, b, p = TimeMix4(Sizes(9, 4, 2, 1, 8)).initial(3, torch.zeros(1))
    assert not a.any() and not b.any() and bool((p == -1e30).all()) and p.shape == (3, 4)
