"""GPT: the battery for both forms, and the facts of its own file."""

from typing import Any, Literal

import pytest
import torch
from torch import Tensor, nn

from common.messages import UserError
from lit_models.attention.gpt import GPT, LitGPT
from lit_models.functional.beam import beam_search
from lit_models.functional.decoding import generate
from tests.battery import ADAM, LanguageModelBattery


class TestLitGPT(LanguageModelBattery):
    # embedding 7 * 16 (tied), positions 6 * 16, layer 12 * 256 + biases 9 * 16 + norms 4 * 16, last norm 32
    parameters = 112 + 96 + (12 * 256 + 9 * 16 + 64) + 32
    longest = 6
    overfit_loss = 0.4  # the first token of a row says nothing about the row's second
    settings: dict[str, Any] = {}

    def model(self) -> LitGPT:
        return LitGPT(
            vocab_size=7,
            seq_len=6,
            hidden_size=16,
            num_layers=1,
            num_heads=2,
            dropout=0.0,
            optimizer=ADAM,
            **self.settings,
        )

    def batch(self) -> tuple[Tensor, Tensor]:
        text = torch.arange(24).reshape(4, 6) % 7
        return text, (text + 1) % 7


class TestModern(TestLitGPT):
    # embedding, projections 16 * (16 + 2 * 8 + 16), three matrices of 16 * 64, three norms
    parameters = 112 + 16 * 48 + 3 * 16 * 64 + 3 * 16
    settings = {"variant": "llama", "num_kv_heads": 1}


def small(**settings: Any) -> GPT:
    torch.manual_seed(0)
    return GPT(11, 12, 16, 2, 4, dropout=0.0, **settings).double().eval()


def step(net: GPT) -> Any:
    def one(tokens: Tensor, state: Any) -> tuple[Tensor, Any]:
        logits, state = net.decode(tokens[:, None], state)
        return logits[:, -1].log_softmax(-1), state

    return one


VARIANTS = {"gpt2": {}, "llama": {"variant": "llama", "num_kv_heads": 2}, "window": {"variant": "llama", "window": 3}}


@pytest.mark.parametrize("variant", VARIANTS)
def test_decoding_with_the_cache_equals_the_whole(variant: str) -> None:
    net, tokens = small(**VARIANTS[variant]), torch.randint(11, (3, 10))
    parts, state = [], None
    for piece in tokens.split([4, 1, 1, 1, 3], 1):
        logits, state = net.decode(piece, state)
        parts.append(logits)
    torch.testing.assert_close(torch.cat(parts, 1), net(tokens))


@pytest.mark.parametrize("variant", VARIANTS)
def test_greedy_writing_equals_writing_without_a_cache(variant: str) -> None:
    net, prompt = small(**VARIANTS[variant]), torch.randint(11, (2, 3))
    text = prompt
    for _ in range(8):
        text = torch.cat([text, net(text)[:, -1:].argmax(-1)], 1)
    _, state = net.decode(prompt[:, :-1], None)
    assert torch.equal(generate(step(net), prompt[:, -1], state, 8), text[:, 3:])


def test_a_beam_finds_at_least_what_greedy_finds() -> None:
    net, prompt = small(), torch.randint(1, 11, (2, 3))
    _, state = net.decode(prompt[:, :-1], None)
    one = beam_search(step(net), prompt[:, -1], state, 1, 6, eos_id=0, length_penalty=0.0)
    _, state = net.decode(prompt[:, :-1], None)
    four = beam_search(step(net), prompt[:, -1], state, 4, 6, eos_id=0, length_penalty=0.0)
    assert all(b[0].log_probability >= a[0].log_probability - 1e-9 for a, b in zip(one, four, strict=True))


def test_a_window_limits_what_a_token_sees() -> None:
    net = small(variant="llama", window=2)  # two layers: the token before, and the one before that
    tokens = torch.randint(10, (1, 8))
    other = tokens.clone()
    other[0, 0] += 1
    changed = (net(tokens) - net(other)).abs().amax((0, 2)) > 1e-12
    assert changed.tolist() == [True, True, True] + [False] * 5


def test_learned_positions_end_with_the_context_and_rotary_ones_do_not() -> None:
    tokens = torch.randint(11, (1, 13))
    with pytest.raises(UserError, match="context of 12"):
        small()(tokens)
    assert small(variant="llama")(tokens).shape == (1, 13, 11)


@pytest.mark.parametrize("settings", [{}, {"variant": "llama"}, {"variant": "llama", "window": 13}])
def test_a_text_longer_than_the_context_goes_on_from_its_last_half(settings: Any) -> None:
    """Also with rotary positions, which know farther distances than those of the training."""
    net, tokens = small(**settings), torch.randint(11, (2, 20))
    assert net.context == 12
    state, parts = None, []
    for t in range(20):
        logits, state = net.decode(tokens[:, t : t + 1], state)
        parts.append(logits)
    torch.testing.assert_close(torch.cat(parts[:12], 1), net(tokens[:, :12]))
    anew = net(tokens[:, 6:18])  # the context of 12 was full: the last 6, and what came after
    torch.testing.assert_close(torch.cat(parts[12:18], 1), anew[:, 6:])
    torch.testing.assert_close(parts[18], net(tokens[:, 12:19])[:, -1:])


def test_a_prompt_longer_than_the_context_is_followed_by_its_last_half() -> None:
    net, tokens = small(variant="llama"), torch.randint(11, (2, 17))
    _, state = net.decode(tokens[:, :16], None)
    torch.testing.assert_close(net.decode(tokens[:, 16:], state)[0], net(tokens[:, 10:])[:, -1:])


def test_a_window_within_the_context_has_no_end() -> None:
    net, tokens = small(variant="llama", window=3), torch.randint(11, (2, 30))
    assert net.context == 0
    state, parts = None, []
    for t in range(30):
        logits, state = net.decode(tokens[:, t : t + 1], state)
        parts.append(logits)
    torch.testing.assert_close(torch.cat(parts, 1), net(tokens))


def test_cost_of_the_window_does_not_grow() -> None:
    net, state = small(variant="llama", window=4), None
    for _ in range(20):
        _, state = net.decode(torch.ones(1, 1, dtype=torch.long), state)
        assert state.own[0].pairs.shape[2] == 4
    assert state.length == 20


@pytest.mark.parametrize("variant", ["gpt2", "llama"])
@pytest.mark.parametrize("rows", [1, 3])
def test_the_copy_for_decoding_has_the_same_numbers(variant: Literal["gpt2", "llama"], rows: int) -> None:
    net, tokens = small(variant=variant).float(), torch.randint(11, (rows, 5))
    state = {name: value.clone() for name, value in net.state_dict().items()}
    copy = net.for_decoding()
    assert not any(isinstance(module, nn.Linear) for module in copy.modules())
    torch.testing.assert_close(copy.decode(tokens[:, :1], None)[0], net(tokens[:, :1]))
    torch.testing.assert_close(copy(tokens), net(tokens))
    assert all(torch.equal(value, net.state_dict()[name]) for name, value in state.items())


def test_only_single_precision_is_packed() -> None:
    assert any(isinstance(module, nn.Linear) for module in small().for_decoding().modules())


def test_what_writes_into_the_stream_begins_smaller() -> None:
    torch.manual_seed(0)
    net = GPT(50, 16, 128, num_layers=8)
    layer = net.layers[0]
    assert abs(float(layer.attention.qkv.weight.detach().std()) - 0.02) < 1e-3
    assert abs(float(layer.feed_forward.outer.weight.detach().std()) - 0.02 / 4) < 3e-4  # 2 parts in 8 layers
    assert net.head.weight is net.embedding.weight
