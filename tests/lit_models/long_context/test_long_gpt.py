"""LongGPT: each position and mixer, token by token and beyond the trained length."""

from typing import get_args

import pytest
import torch

from common.messages import UserError
from lit_models.long_context.long_gpt import LongGPT, Position


def net(**settings: object) -> LongGPT:
    torch.manual_seed(0)
    return LongGPT(11, 8, 24, 16, 2, 2, **settings).double().eval()  # type: ignore[arg-type]


@pytest.mark.parametrize("position", get_args(Position))
def test_token_by_token_is_the_whole_text(position: str) -> None:
    model, tokens = net(position=position, factor=3.0), torch.randint(11, (2, 20))
    first, state = model.decode(tokens[:, :12], None)
    steps = [first]
    for part in tokens[:, 12:].split(1, 1):
        logits, state = model.decode(part, state)
        steps.append(logits)
    torch.testing.assert_close(torch.cat(steps, 1), model(tokens))


def test_training_and_evaluation_compute_the_same() -> None:
    for settings in ({}, {"mixer": "linear"}, {"window": 4, "sinks": 1}):
        model, tokens = net(**settings), torch.randint(11, (2, 20))
        torch.testing.assert_close(model.train()(tokens), model.eval()(tokens))


def test_learned_positions_end_and_others_do_not() -> None:
    tokens = torch.randint(11, (1, 25))
    with pytest.raises(UserError, match="25 tokens are more than the 24 learned positions"):
        net(position="learned")(tokens)
    assert net(position="yarn")(tokens).shape == (1, 25, 11)
    assert (net(position="learned").context, net(position="yarn").context) == (24, 0)


def test_positions_are_the_only_difference() -> None:
    tokens = torch.randint(11, (1, 8))
    torch.testing.assert_close(net(position="yarn")(tokens), net(position="rotary")(tokens))
    assert not torch.allclose(net(position="yarn")(tokens), net(position="none")(tokens))
    long = torch.randint(11, (1, 20))
    assert not torch.allclose(net(position="yarn")(long), net(position="rotary")(long))
