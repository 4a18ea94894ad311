"""The start: learned texts, the given network and random numbers unchanged, LoRA's matrices as they were."""

from functools import partial

import pytest
import torch

from common.messages import UserError
from lit_models.attention.gpt import GPT
from lit_models.layers.lora import add_lora
from lit_models.tasks.start import demonstrations_of, train_start

ROWS = torch.arange(12).view(2, 6) % 5, torch.arange(1, 13).view(2, 6) % 5


def network() -> GPT:
    torch.manual_seed(0)
    return GPT(5, 6, 8, 1, 2, variant="llama")


def test_the_start_has_learned_and_everything_else_is_as_before() -> None:
    net = network()
    add_lora(net, 2, 4.0, ("qkv",))
    before = {name: value.clone() for name, value in net.state_dict().items()}
    random = torch.get_rng_state()
    state = train_start(net, ROWS, 30, 0.05, -1)
    assert torch.equal(random, torch.get_rng_state())
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    moved = {name for name, value in state.items() if not torch.equal(value, before[name])}
    assert moved == {name for name in before if "lora" not in name}
    loss = partial(torch.nn.functional.cross_entropy, target=ROWS[1].flatten())
    first = float(loss(net(ROWS[0]).flatten(0, 1)).detach())
    net.load_state_dict(state)
    assert float(loss(net(ROWS[0]).flatten(0, 1)).detach()) < 0.5 * first


def test_data_without_demonstrations_is_one_line() -> None:
    with pytest.raises(UserError, match=r"no texts to start from: give --model.weights FILE"):
        demonstrations_of(None)
