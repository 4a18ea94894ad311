"""The pointer-generator: the battery, its distribution, words beyond the vocabulary, coverage."""

from typing import Any

import pytest
import torch
from torch import Tensor

from common.messages import UserError
from lit_models.summarization.pointer_generator import LitPointerGenerator, PointerGenerator
from tests.battery import ADAM, Seq2SeqBattery
from tests.lit_models.tasks.test_seq2seq import small_batch

V, K = 9, 3
SMALL: dict[str, Any] = {
    "source_vocab_size": V,
    "target_vocab_size": V,
    "embed_size": 8,
    "hidden_size": 12,
    "max_copied": K,
    "max_length": 8,
    "optimizer": ADAM,
}


def batch() -> tuple[Tensor, ...]:
    """``small_batch`` with words beyond the vocabulary in some rows, which the targets have too."""
    source, length, target_in, target = (t.clone() for t in small_batch())
    source[2, 1] = source[2, 3] = 21
    source[2, 0], target_in[2, 1], target[2, 0], target[2, 2] = 40, 40, 40, 21
    return source, length, target_in, target


class TestLitPointerGenerator(Seq2SeqBattery):
    encoder = 2 * (4 * 6 * 8 + 4 * 6 * 6 + 2 * 4 * 6)
    attention = 12 * 12 + 12 * 12 + 12 + 12 + 12
    decoder = (20 * 8 + 8) + (48 * 8 + 48 * 12 + 2 * 48)
    parameters = V * 8 + encoder + attention + decoder + (24 + 8 + 1) + (24 * V + V)
    overfit_steps = 130

    def model(self) -> LitPointerGenerator:
        return LitPointerGenerator(**SMALL)

    def batch(self) -> tuple[Tensor, ...]:
        return batch()


@pytest.mark.parametrize("copying", [True, False])
def test_the_distribution_sums_to_one_and_has_what_the_source_has(copying: bool) -> None:
    net = PointerGenerator(V, V, 8, 12, K, copying=copying).eval()
    source, length, target_in, _ = batch()
    p = net(source, length, target_in).exp()
    assert p.shape == (4, 4, V + K)
    torch.testing.assert_close(p.sum(2), torch.ones(4, 4))
    assert bool((p[2, :, V : V + 2] > 1e-9).all()) == copying  # of two words; no other row has any
    assert float(p[2, :, V + 2 :].max()) < 1e-9 and float(p[:2, :, V:].max()) < 1e-9


def test_entries_and_ids_of_words_beyond_the_vocabulary() -> None:
    net = PointerGenerator(V, V, 8, 12, max_copied=2)
    source = torch.tensor([[50, 4, 60, 50, 70, 2], [70, 2, 60, 60, 60, 60]])  # the second ends after two
    places = net.places(source, torch.tensor([6, 2]))
    assert places.tolist() == [[9, 4, 10, 9, 3, 2], [9, 2, 3, 3, 3, 3]]
    ids = torch.tensor([[60, 50, 70, 99, 4, 0], [70, 50, 60, 0, 0, 0]])
    entries = net.as_places(ids, source, places)
    assert entries.tolist() == [[10, 9, 3, 3, 4, 0], [9, 3, 3, 0, 0, 0]]
    assert net.as_ids(entries, source, places).tolist() == [[60, 50, 3, 3, 4, 0], [70, 3, 3, 0, 0, 0]]
    net.copying = False
    assert net.as_places(ids, source, places)[0].tolist() == [3, 3, 3, 3, 4, 0]


@pytest.mark.parametrize("beam", [1, 3])
def test_outputs_have_the_ids_of_the_source_and_its_numbers_change_nothing(beam: int) -> None:
    model = LitPointerGenerator(**SMALL, beam_width=beam).eval()
    model.net.pointer.bias.data.fill_(-9.0)  # type: ignore[union-attr,operator]  # copies
    source, length, *_ = batch()
    ids = model.generate_tokens(source, length)
    assert {int(i) for i in ids[2]} <= {*source[2].tolist(), 0} and int(ids.max()) >= V
    other = torch.where(source == 40, 77, torch.where(source == 21, 55, source))
    again = model.generate_tokens(other, length)
    assert torch.equal(torch.where(ids == 40, 77, torch.where(ids == 21, 55, ids)), again)


def test_the_coverage_loss_is_of_places_that_were_looked_at_before_and_in_training_only() -> None:
    model = LitPointerGenerator(**SMALL, coverage_weight=2.0)
    nll, twice, count = model.losses(batch())
    assert int(count) == 13 and 0 < float(twice) < 1
    torch.testing.assert_close(model.train().mean_loss(batch())[0], nll + 2 * twice)
    torch.testing.assert_close(model.eval().mean_loss(batch())[0], nll)
    one_word = tuple(t[:, :1] if i > 1 else t for i, t in enumerate(batch()))
    assert float(model.losses(one_word)[1]) == 0  # nothing was looked at before
    without = LitPointerGenerator(**SMALL, coverage=False).train()
    torch.testing.assert_close(without.mean_loss(batch())[0], without.losses(batch())[0])
    assert not without.net.covered.requires_grad


def test_padding_of_targets_costs_nothing() -> None:
    model, (source, length, *targets) = LitPointerGenerator(**SMALL), batch()
    longer = [torch.nn.functional.pad(target, (0, 3)) for target in targets]
    torch.testing.assert_close(model.losses((source, length, *longer)), model.losses((source, length, *targets)))


def test_what_is_copied_is_attention_times_the_gate() -> None:
    model = LitPointerGenerator(**SMALL).eval()
    source, length, *_ = batch()
    ids, copied = model.alignment(source, length)
    assert copied.shape == (*ids.shape, source.shape[1])
    total = copied.sum(2)
    assert bool(((total > 0) & (total < 1)).all()) and not copied[1, :, int(length[1]) :].any()


def test_two_vocabularies_are_refused() -> None:
    with pytest.raises(ValueError, match="copying needs one vocabulary, not 9 and 8 words"):
        PointerGenerator(9, 8)
    with pytest.raises(UserError, match=r"model\.max_copied is -1: give a number of at least 0"):
        PointerGenerator(9, 9, max_copied=-1)
