"""Marian, M2M-100 and mBART: positions, and what a variant has. `dive verify` compares them with transformers."""

import math

import pytest
import torch

from common.messages import UserError
from lit_models.translation.bart import VARIANTS, Bart, LaterPositions, ShiftedPositions


def test_the_wavelengths_of_m2m_100_go_from_one_to_ten_thousand_and_positions_begin_at_two() -> None:
    found = ShiftedPositions(8)(torch.zeros(1, 3, 8))[0]
    rates = [10_000 ** (-i / 3) for i in range(4)]
    expected = [[f(p * r) for f in (math.sin, math.cos) for r in rates] for p in (2, 3, 4)]
    torch.testing.assert_close(found, torch.tensor(expected), atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(ShiftedPositions(8)(torch.zeros(1, 1, 8), offset=2)[0], found[2:])


def test_a_text_longer_than_the_learned_positions_is_one_line() -> None:
    assert LaterPositions(8, 5)(torch.zeros(1, 5, 8)).shape == (1, 5, 8)
    with pytest.raises(UserError, match="6 tokens are more than the network's 5 positions"):
        LaterPositions(8, 5)(torch.zeros(1, 5, 8), offset=1)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_step_equals_all_at_once_and_the_bias_of_the_logits_is_not_trained(variant: str) -> None:
    net = Bart(13, 8, 2, 12, 2, 1, variant=variant, dropout=0.0).double().eval()
    source, length, target = torch.tensor([[5, 6, 7, 2]]), torch.tensor([3]), torch.tensor([[2, 5, 6, 7]])
    memory, state, steps = net.encode(source, length), None, []
    for t in range(4):
        logits, state = net.decode(target[:, t : t + 1], memory, state)
        steps.append(logits)
    torch.testing.assert_close(torch.cat(steps, 1), net(source, length, target))
    assert ("logits_bias" in dict(net.named_buffers())) == VARIANTS[variant].logits_bias
    assert "logits_bias" not in dict(net.named_parameters())
