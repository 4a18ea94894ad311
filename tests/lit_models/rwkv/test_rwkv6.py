"""RWKV-6: first values of its vectors, and a decay that depends on the token."""

import torch

from lit_models.rwkv.rwkv6 import TimeMix6
from lit_models.rwkv.skeleton import Sizes
from tests.lit_models.rwkv.networks import small

SIZES = Sizes(9, 6, 2, 3, 8, {"mix": 2, "decay": 4}, layer=1)  # depth 1, height 1/2


def test_first_values_of_the_vectors() -> None:
    att = TimeMix6(SIZES)
    power = torch.arange(6) / 6
    expected = {
        **{f"time_maa_{part}": 1 - power**0.5 for part in "xwk"},
        "time_maa_v": 1 - power**0.5 - 0.3,
        **{f"time_maa_{part}": 1 - power**0.25 for part in "rg"},
        "time_decay": -6 + 5 * (torch.arange(6) / 5) ** 2,
    }
    for name, values in expected.items():
        torch.testing.assert_close(getattr(att, name).detach().flatten(), values)
    assert not att.time_maa_w1.any() and not att.time_decay_w1.any()
    assert 0 < float(att.time_maa_w2.abs().max()) <= 0.01


def test_maa_weighs_the_past() -> None:
    """With weights of zero nothing of the token before is seen, with ones nothing of the token itself."""
    net = small(6, 1)
    att = net.blocks[0].att
    with torch.no_grad():
        att.time_maa_w1.zero_()
        for part in "xwkvrg":
            getattr(att, f"time_maa_{part}").zero_()
    x, last, state = (
        torch.randn(1, 1, 16).double(),
        torch.randn(1, 16).double(),
        list(att.initial(1, torch.zeros(1).double())),
    )
    same = att(x, last, state, None)[0]
    torch.testing.assert_close(att(x, last + 1, state, None)[0], same)
    with torch.no_grad():
        for part in "wkvrg":
            getattr(att, f"time_maa_{part}").fill_(1)
    torch.testing.assert_close(att(x, last, state, None)[0], att(x + 1, last, state, None)[0])
