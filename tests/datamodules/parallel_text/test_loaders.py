"""Batches by tokens, at a temperature and renewed: little padding, the same on all processes, resumed to the row."""

from itertools import chain
from typing import Any

import pytest
import torch
from torch import Tensor

from datamodules.parallel_text.loaders import TrainingLoader, TrimmedLoader, batch_sizes, by_length, padding, quotas


def texts(n: int = 1003, longest: int = 40) -> tuple[Tensor, ...]:
    """Rows of different lengths; the row's number stands in each source."""
    generator = torch.Generator().manual_seed(0)
    source = torch.randint(3, longest, (n,), generator=generator)
    target = (source + torch.randint(-2, 3, (n,), generator=generator)).clamp(2, longest)
    place = torch.arange(longest)
    ids = (torch.arange(n) + 4)[:, None].expand(n, longest)
    sources, targets = (ids.masked_fill(place >= length[:, None], 0).int() for length in (source, target))
    return sources, source.int(), targets, targets


def loader(**settings: Any) -> TrainingLoader:
    return TrainingLoader(texts(), **({"batch_size": 32, "by_tokens": True} | settings))


def numbers(batches: list[Any]) -> list[list[int]]:
    return [(batch[0][:, 0] - 4).tolist() for batch in batches]


def flat(batches: list[list[int]]) -> list[int]:
    return list(chain.from_iterable(batches))


def test_batches_by_tokens_have_little_padding_and_about_equally_many_tokens() -> None:
    by_rows = list(TrimmedLoader(texts(), 32, True))
    by_tokens = list(loader())
    assert padding(by_rows) > 0.3 and padding(by_tokens) < 0.1
    cost = torch.tensor([float(batch[0].numel() + batch[3].numel()) for batch in by_tokens])
    limit = 32 * float((texts()[1] + (texts()[3] != 0).sum(1)).double().mean())
    assert float(cost.max()) <= limit and float(cost.sort().values[2]) > 0.75 * limit
    assert len({len(batch[0]) for batch in by_tokens}) > 3 and abs(len(by_tokens) - len(by_rows)) < 8


def test_each_row_is_there_once_an_epoch_and_epochs_differ_but_not_in_their_number_of_batches() -> None:
    made = loader()
    first = numbers(list(made))
    made.set_epoch(1)
    second = numbers(list(made))
    assert sorted(flat(first)) == sorted(flat(second)) == list(range(1003))
    assert first != second and len(first) == len(second) == len(made)


@pytest.mark.parametrize("world", [2, 3])
def test_processes_have_the_rows_of_one_batch(world: int) -> None:
    """Of as many rows each; at most ``world - 1`` rows of an epoch are left over, and others the next time."""
    parts = [loader(rank=rank, world=world) for rank in range(world)]
    left = set()
    for epoch in range(4):
        for part in parts:
            part.set_epoch(epoch)
        found = [numbers(list(part)) for part in parts]
        assert len({len(part) for part in found}) == 1
        assert all(len({len(batch) for batch in step}) == 1 for step in zip(*found, strict=True))
        seen = flat(list(chain.from_iterable(found)))
        assert len(seen) == len(set(seen)) == 1003 - 1003 % world
        left |= set(range(1003)) - set(seen)
    assert len(left) > 1
    assert padding([batch for part in parts for batch in part]) < 0.1


def test_two_processes_with_half_the_rows_take_the_steps_of_one() -> None:
    one = numbers(list(loader(batch_size=64)))
    two = [numbers(list(loader(batch_size=32, rank=rank, world=2))) for rank in range(2)]
    whole = [sorted(a + b) for a, b in zip(*two, strict=True)]
    even = [sorted(batch) for batch in one if len(batch) % 2 == 0]  # of 1,003 rows one is left over
    assert len(even) == len(one) - 1 and len(whole) == len(one) and sum(batch in whole for batch in even) == len(even)


def test_a_run_that_is_resumed_within_an_epoch_has_the_batches_that_were_left() -> None:
    made = loader()
    made.set_epoch(3)
    whole = numbers(list(made))
    stopped = loader()
    stopped.set_epoch(3)
    stream = iter(stopped)
    seen = numbers([next(stream) for _ in range(5)])
    again = loader()
    again.load_state_dict(stopped.state_dict())
    assert seen + numbers(list(again)) == whole


def test_the_temperature_gives_a_small_language_more() -> None:
    assert quotas(torch.tensor([900, 100]), 1) == [900, 100]
    assert quotas(torch.tensor([900, 100]), 2) == [750, 250]
    assert quotas(torch.tensor([900, 100, 0]), 1e9) == [500, 500, 0]
    groups = (torch.arange(1003) >= 900).long()
    made = loader(groups=groups, temperature=5)
    wanted = quotas(groups.bincount(), 5)
    for epoch in range(2):
        made.set_epoch(epoch)
        rows = torch.tensor(flat(numbers(list(made))))
        assert groups[rows].bincount().tolist() == wanted and wanted[1] > 300
        assert len(rows) == 1003 and rows[rows >= 900].unique().numel() == 103  # each, some more often


def test_a_renewed_epoch_has_its_own_tensors() -> None:
    def renew(epoch: int) -> tuple[Tensor, ...]:
        return tuple(t + epoch * (t > 3) if k != 1 else t for k, t in enumerate(texts()))

    made = loader(renew=renew)
    made.set_epoch(7)
    assert min(int(batch[0][:, 0].min()) for batch in made) == 4 + 7
    made.one_order = True  # to overfit some batches: each epoch as the first
    assert min(int(batch[0][:, 0].min()) for batch in made) == 4


def test_the_order_goes_up_and_down() -> None:
    source, target = torch.tensor([2, 2, 3, 3]), torch.tensor([1, 5, 1, 5])
    assert by_length(source, target).tolist() == [2, 3, 1, 0]


def test_a_batch_takes_the_rows_that_fit() -> None:
    ones = torch.ones(20, dtype=torch.long)
    assert batch_sizes(ones, ones, tokens=16, multiple=4, world=1) == [8, 8, 4]
    assert batch_sizes(ones, ones, tokens=1, multiple=8, world=2) == [8, 8, 4]  # none fits: the smallest batch
    assert batch_sizes(ones[:17], ones[:17], tokens=16, multiple=8, world=2) == [8, 8]
