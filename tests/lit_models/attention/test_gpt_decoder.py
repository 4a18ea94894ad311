"""The flat step writes what the network says, to the rounding of its arithmetic."""

from typing import Any

import pytest
import torch
from torch import Tensor

from lit_models.attention.gpt import GPT
from lit_models.attention.gpt_decoder import GPTDecoder
from lit_models.functional.beam import beam_search

VARIANTS: dict[str, dict[str, Any]] = {
    "gpt2": {},
    "llama": {"variant": "llama", "num_kv_heads": 2},
    "window": {"variant": "llama", "window": 3},
}


def small(**settings: Any) -> GPT:
    torch.manual_seed(0)
    return GPT(11, 12, 16, 2, 4, dropout=0.1, **settings).eval()


def written(writer: GPTDecoder, tokens: Tensor, prompt: int) -> Tensor:
    """Logits (B, T, V): the prompt at once, then token by token."""
    logits, state = writer.decode(tokens[:, :prompt], None)
    parts = [logits]
    for t in range(prompt, tokens.shape[1]):
        logits, state = writer.decode(tokens[:, t : t + 1], state)
        parts.append(logits)
    return torch.cat(parts, 1)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["packed", "plain"])
def test_steps_equal_the_network(variant: str, rows: int, dtype: torch.dtype) -> None:
    net, tokens = small(**VARIANTS[variant]).to(dtype), torch.randint(11, (rows, 11))
    writer = GPTDecoder(net)
    torch.testing.assert_close(written(writer, tokens, 3), net(tokens))
    torch.testing.assert_close(writer(tokens), net(tokens))
    other = tokens.clone()
    other[:, 4] = (other[:, 4] + 1) % 11
    assert not torch.allclose(written(writer, other, 3)[:, 5:6], net(tokens)[:, 5:6])  # the cache is read


@pytest.mark.parametrize("variant", ["gpt2", "llama"])
def test_a_text_longer_than_the_context_goes_on_as_the_network_does(variant: str) -> None:
    net, tokens = small(**VARIANTS[variant]).double(), torch.randint(11, (2, 30))
    state, wanted = None, []
    for t in range(30):
        logits, state = net.decode(tokens[:, t : t + 1], state)
        wanted.append(logits)
    torch.testing.assert_close(written(GPTDecoder(net), tokens, 1), torch.cat(wanted, 1))


def test_beams_keep_their_own_past() -> None:
    net, prompt = small().double(), torch.randint(1, 11, (2, 3))

    def best(decoder: GPT | GPTDecoder) -> list[list[int]]:
        def step(last: Tensor, state: Any) -> tuple[Tensor, Any]:
            logits, state = decoder.decode(last[:, None], state)
            return logits[:, -1].log_softmax(-1), state

        _, state = decoder.decode(prompt[:, :-1], None)
        return [found[0].tokens for found in beam_search(step, prompt[:, -1], state, 4, 6, eos_id=0)]

    assert best(GPTDecoder(net)) == best(net)


def test_the_network_is_copied() -> None:
    net, tokens = small(), torch.randint(11, (1, 6))
    writer, before = GPTDecoder(net), net(tokens)
    torch.nn.init.zeros_(net.layers[0].attention.qkv.weight)
    torch.testing.assert_close(written(writer, tokens, 1), before)
    assert not torch.allclose(net(tokens), before)
