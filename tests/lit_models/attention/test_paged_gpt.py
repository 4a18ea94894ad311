"""Texts that are generated together are those that are generated alone, whenever they come and whatever the memory."""

from typing import Literal

import pytest
import torch

from common.messages import RunError
from lit_models.attention.gpt import GPT
from lit_models.attention.paged_gpt import PagedGPT

PROMPTS = ([3, 1, 4, 1, 5, 9, 2], [6], [5, 3, 5, 8], [9, 7, 9, 3, 2, 3, 8, 4, 6, 2])
LENGTHS = (14, 12, 3, 9)


def network(variant: Literal["gpt2", "llama"], window: int = 0) -> GPT:
    torch.manual_seed(0)
    net = GPT(17, seq_len=32, hidden_size=16, num_layers=2, num_heads=4, num_kv_heads=2, variant=variant, window=window)
    with torch.no_grad():
        for p in net.parameters():
            p.add_(0.3 * torch.randn_like(p))
    return net.double().eval()


def alone(net: GPT, tokens: list[int], count: int) -> list[int]:
    """The most probable continuation by the network, which reads the whole text anew for each token."""
    text = list(tokens)
    with torch.no_grad():
        for _ in range(count):
            text.append(int(net(torch.tensor([text]))[0, -1].argmax()))
    return text[len(tokens) :]


def together(server: PagedGPT, late: int = 0) -> list[list[int]]:
    """The texts of ``PROMPTS``; the last ``late`` of them come two steps after the others."""
    found: dict[int, list[int]] = {}
    for k, (tokens, count) in enumerate(zip(PROMPTS, LENGTHS, strict=True)):
        if k == len(PROMPTS) - late:
            for _ in range(2):
                for number, token in server.step().items():
                    found.setdefault(number, []).append(token)
        server.add(tokens, count)
    while server.busy:
        for number, token in server.step().items():
            found.setdefault(number, []).append(token)
    return [found[number] for number in sorted(found)]


@pytest.mark.parametrize(("variant", "window"), [("gpt2", 0), ("llama", 0), ("llama", 4)])
def test_texts_of_different_lengths_are_those_that_are_generated_alone(
    variant: Literal["gpt2", "llama"], window: int
) -> None:
    net = network(variant, window)
    wanted = [alone(net, tokens, count) for tokens, count in zip(PROMPTS, LENGTHS, strict=True)]
    server = PagedGPT(net, blocks=32, size=4)
    assert together(server, late=2) == wanted and len(server.pool.free) == 32


def test_a_full_pool_makes_the_newest_text_wait_and_changes_no_text() -> None:
    net, waited = network("llama"), []
    wanted = [alone(net, tokens, count) for tokens, count in zip(PROMPTS, LENGTHS, strict=True)]
    server = PagedGPT(net, blocks=11, size=2)
    give_way = server.give_way
    server.give_way = lambda: (waited.append(server.running[-1].number), give_way())[1]  # type: ignore[method-assign]
    assert together(server) == wanted and waited and len(server.pool.free) == 11


def test_a_text_ends_with_its_last_token_and_others_go_on() -> None:
    net = network("gpt2")
    server = PagedGPT(net)
    first = alone(net, [3, 1], 4)
    server.add([3, 1], 4, stop=first[1])
    server.add([2], 4)
    found: dict[int, list[int]] = {1: [], 2: []}
    while server.busy:
        for number, token in server.step().items():
            found[number].append(token)
    assert found == {1: first[: first.index(first[1]) + 1], 2: alone(net, [2], 4)}


def test_a_text_that_can_never_fit_is_refused() -> None:
    server = PagedGPT(network("llama"), blocks=2, size=4)
    with pytest.raises(RunError, match="more than the 2 blocks of 4"):
        server.add([1, 2], 8)
    with pytest.raises(RunError, match="context of 32"):
        PagedGPT(network("llama")).add([1], 40)
