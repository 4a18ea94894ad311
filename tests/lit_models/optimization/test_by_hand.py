"""The base: groups have their own numbers, which are checked; generators and a single tensor are groups too."""

import pytest
import torch
from torch import nn

from common.messages import UserError
from lit_models.optimization.by_hand import check_range, decayed
from lit_models.optimization.sgd import SGD


def test_each_group_has_its_own_rate_and_is_checked() -> None:
    a, b = (nn.Parameter(torch.ones(2)) for _ in range(2))
    optimizer = SGD([{"params": (p for p in [a])}, {"params": b, "lr": 0.5}], lr=0.1)
    (a.sum() + b.sum()).backward()
    optimizer.step()
    torch.testing.assert_close((a.detach(), b.detach()), (torch.full((2,), 0.9), torch.full((2,), 0.5)))
    with pytest.raises(UserError, match="lr is -2"):
        SGD([{"params": [a], "lr": -2}])


@pytest.mark.parametrize(("key", "value", "fits"), [
    ("betas", (0.9, 1.0), False),
    ("betas", (0.0, 0.999), True),
    ("lr", float("nan"), False),
    ("lr", float("inf"), False),
    ("toward", 1.0, True),
    ("momentum", 1.0, False),
    ("weight_decay", -1e-9, False),
    ("anything", -5, True),
])  # fmt: skip
def test_ranges(key: str, value: float, fits: bool) -> None:
    if fits:
        check_range("X", key, value)
    else:
        with pytest.raises(UserError, match=f"X: {key} is"):
            check_range("X", key, value)


def test_the_gradients_at_hand_are_left_as_they_are() -> None:
    p = nn.Parameter(torch.ones(2))
    p.grad = torch.full((2,), 3.0)
    grads = decayed([p.grad], [p], 0.1)
    assert torch.equal(p.grad, torch.full((2,), 3.0)) and torch.allclose(grads[0], torch.full((2,), 3.1))
    SGD([p], lr=0.1, weight_decay=0.1, maximize=True, momentum=0.9).step()
    assert torch.equal(p.grad, torch.full((2,), 3.0))
