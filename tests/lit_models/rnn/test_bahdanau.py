"""Attention over the source: the battery, and where it may look."""

from typing import Any

import pytest
import torch
from torch import Tensor

from lit_models.rnn.bahdanau import LitBahdanau
from tests.battery import Seq2SeqBattery
from tests.lit_models.rnn.test_seq2seq import SMALL
from tests.lit_models.tasks.test_seq2seq import small_batch


class TestLitBahdanau(Seq2SeqBattery):
    gru = 3 * 12 * (8 + 12 + 2) + 3 * 12 * (12 + 12 + 2)
    parameters = 9 * 8 + gru + 9 * 8 + gru + 3 * 12 * 12 + 12 * 9 + 9 + 2 * 12 * 12 + 12

    def model(self) -> LitBahdanau:
        return LitBahdanau(**SMALL)

    def batch(self) -> tuple[Tensor, ...]:
        return small_batch()


@pytest.mark.parametrize("attention", [True, False])
def test_a_row_over_an_empty_source_is_zeros_and_no_nan(attention: bool) -> None:
    net: Any = LitBahdanau(**SMALL, attention=attention).net
    source, length, target_in, _ = small_batch()
    outputs, keys, mask, state = net.encode(source, length)
    mask[1] = False
    logits, _, weights = net.attend(target_in, (outputs, keys, mask, state))
    assert not weights[1].any() and weights[0].any()
    logits.sum().backward()
    assert all(p.grad.isfinite().all() for p in net.parameters() if p.grad is not None)


def test_weights_without_attention_are_not_trained() -> None:
    """So that processes wait for no gradient of theirs."""
    net = LitBahdanau(**SMALL, attention=False).net
    assert not any(p.requires_grad for name, p in net.named_parameters() if name.startswith("attention."))


def test_attention_never_looks_at_padding_and_sums_to_one() -> None:
    model = LitBahdanau(**SMALL).eval()
    source, length, *_ = small_batch()
    ids, weights = model.alignment(source, length)
    assert weights.shape == (*ids.shape, source.shape[1])
    torch.testing.assert_close(weights.sum(2), torch.ones(ids.shape))
    for row in range(4):
        assert not weights[row, :, length[row] :].any()


def test_without_attention_every_source_token_weighs_the_same() -> None:
    model = LitBahdanau(**SMALL, attention=False).eval()
    source, length, *_ = small_batch()
    weights = model.alignment(source, length)[1]
    torch.testing.assert_close(weights[0, 0, :3], torch.full((3,), 1 / 3))


@pytest.mark.parametrize(("layer", "asks"), [(0, False), (1, True)])
def test_the_query_is_the_decoders_top_state_before_the_step(layer: int, asks: bool) -> None:
    net = LitBahdanau(**SMALL).eval().net
    source, length, target_in, _ = small_batch()
    memory = net.encode(source, length)  # type: ignore[operator]
    _, state, _ = net.attend(target_in[:, :1], memory)  # type: ignore[operator]
    other = state.clone()
    other[:, layer] += 1
    weights = [net.attend(target_in[:, 1:2], memory, s)[2] for s in (state, other)]  # type: ignore[operator]
    assert torch.allclose(*weights) != asks
