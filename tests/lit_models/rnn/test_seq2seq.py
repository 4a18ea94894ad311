"""The GRU encoder and decoder: the battery, and the context at the last real token."""

from typing import Any

import pytest
import torch
from torch import Tensor

from lit_models.rnn.seq2seq import LitSeq2Seq, Seq2SeqGRU
from tests.battery import ADAM, Seq2SeqBattery
from tests.lit_models.tasks.test_seq2seq import small_batch

SMALL: dict[str, Any] = {
    "source_vocab_size": 9, "target_vocab_size": 9, "embed_size": 8, "hidden_size": 12, "max_length": 8,
    "dropout": 0.0, "optimizer": ADAM,
}  # fmt: skip


class TestLitSeq2Seq(Seq2SeqBattery):
    gru = 3 * 12 * (8 + 12 + 2) + 3 * 12 * (12 + 12 + 2)  # two layers
    parameters = 9 * 8 + gru + 9 * 8 + gru + 3 * 12 * 12 + 12 * 9 + 9  # the decoder also reads the context

    def model(self) -> LitSeq2Seq:
        return LitSeq2Seq(**SMALL)

    def batch(self) -> tuple[Tensor, ...]:
        return small_batch()


def test_the_book_reads_its_context_behind_the_padding() -> None:
    net = Seq2SeqGRU(9, 9, 8, 12, dropout=0.0).eval()
    source, length, *_ = small_batch()
    wide = torch.nn.functional.pad(source, (0, 3))
    torch.testing.assert_close(net.encode(wide, length), net.encode(source, length))
    net.context = "padding"
    assert not torch.allclose(net.encode(wide, length), net.encode(source, length))


def test_without_context_the_source_is_not_read() -> None:
    net = Seq2SeqGRU(9, 9, 8, 12, dropout=0.0, context="none").eval()
    source, length, target_in, _ = small_batch()
    torch.testing.assert_close(net(source, length, target_in), net(source.flip(0), length.flip(0), target_in))


def test_the_context_is_the_state_after_the_last_real_token() -> None:
    net = Seq2SeqGRU(9, 9, 8, 12, dropout=0.0).eval()
    source, length, *_ = small_batch()
    for row in range(4):
        alone = net.encode(source[row : row + 1, : length[row]], length[row : row + 1])
        torch.testing.assert_close(net.encode(source, length)[row : row + 1], alone)


@pytest.mark.parametrize("width", [1, 4])
def test_writes_in_batches_what_it_writes_alone(width: int) -> None:
    model = LitSeq2Seq(**SMALL, beam_width=width).eval()
    source, length, *_ = small_batch()
    together = model.generate_tokens(source, length, 6)
    for row in range(4):
        alone = model.generate_tokens(source[row : row + 1, : length[row]], length[row : row + 1], 6)[0].tolist()
        assert [i for i in together[row].tolist() if i] == [i for i in alone if i]


@pytest.mark.parametrize(("layer", "read"), [(0, False), (1, True)])
def test_the_decoder_reads_the_encoders_top_state_at_every_step(layer: int, read: bool) -> None:
    """And no other: from a state of its own on, the states below say nothing."""
    net = Seq2SeqGRU(9, 9, embed_size=8, hidden_size=12, num_layers=2, dropout=0.0).eval()
    source, length, target_in, _ = small_batch()
    memory = net.encode(source, length)
    state = net.decode(target_in[:, :1], memory)[1]
    other = memory.clone()
    other[:, layer] += 1
    for t in range(1, target_in.shape[1]):
        token = target_in[:, t : t + 1]
        same = torch.equal(net.decode(token, memory, state)[0], net.decode(token, other, state)[0])
        assert same != read
