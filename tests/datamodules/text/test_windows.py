"""Windows and streams: each token exactly once, for any number of processes."""

from itertools import pairwise

import pytest
import torch

from datamodules.text.windows import EvaluationStreams, StreamLoader, WindowLoader, evaluation_windows, stream_count

CORPUS = torch.arange(1000, dtype=torch.int32)


def test_windows_of_stride_one_are_all_windows() -> None:
    loader = WindowLoader(CORPUS, 9, 1, 64)
    rows = torch.cat([batch[0] for batch in loader])
    assert len(loader) == 16 and rows.shape == (991, 10)
    assert sorted(rows[:, 0].tolist()) == list(range(991)) and rows[:, 0].tolist() != list(range(991))
    assert torch.equal(rows - rows[:, :1], torch.arange(10, dtype=torch.int32).expand(991, 10))


def test_windows_of_a_window_take_each_target_once_and_move_with_the_epoch() -> None:
    loader = WindowLoader(CORPUS, 9, 9, 7)
    offsets = set()
    for epoch in range(5):
        loader.set_epoch(epoch)
        rows = torch.cat([batch[0] for batch in loader])
        targets = rows[:, 1:].flatten().tolist()
        assert len(set(targets)) == len(targets) == 110 * 9
        offsets.add(int(rows.min()))
    assert len(offsets) > 1


def test_streams_begin_elsewhere_in_each_epoch() -> None:
    loader = StreamLoader(CORPUS, 9, 4)
    offsets = set()
    for epoch in range(8):
        loader.set_epoch(epoch)
        first = next(iter(loader))[0]
        offsets.add(int(first[0, 0]))
    assert len(offsets) > 1 and offsets <= set(range(9))


@pytest.mark.parametrize("world", [1, 2, 3])
def test_a_stream_continues_where_its_last_batch_ended(world: int) -> None:
    seen = []
    for rank in range(world):
        loader = StreamLoader(CORPUS, 9, 4, rank=rank, world=world)
        batches = [batch[0] for batch in loader]
        assert len(batches) == len(loader) == 991 // (36 * world)
        for before, after in pairwise(batches):
            assert torch.equal(before[:, -1], after[:, 0])
        seen += torch.cat(batches)[:, 1:].flatten().tolist()
    assert len(set(seen)) == len(seen)


def test_both_resume_within_an_epoch() -> None:
    for make in (lambda: WindowLoader(CORPUS, 9, 9, 16), lambda: StreamLoader(CORPUS, 9, 4)):
        whole = [batch[0] for batch in make()]
        first, second = make(), make()
        walk = iter(first)
        for _ in range(3):
            next(walk)
        second.load_state_dict(first.state_dict())
        rest = [batch[0] for batch in second]
        assert all(torch.equal(a, b) for a, b in zip(whole[3:], rest, strict=True))


@pytest.mark.parametrize("rows", [1, 4, 7])
def test_evaluation_has_each_target_exactly_once(rows: int) -> None:
    tokens, targets = evaluation_windows(CORPUS, 9, rows)
    real = targets >= 0
    assert sorted(targets[real].tolist()) == list(range(1, 1000))
    assert torch.equal(tokens[real] + 1, targets[real])
    steps = tokens.reshape(-1, rows, 9)
    assert all(torch.equal(a[:, -1] + 1, b[:, 0]) for a, b in pairwise(steps[:-1]))


def test_a_view_holds_no_copies() -> None:
    loader = WindowLoader(CORPUS, 99, 1, 8)
    assert loader.tensors[0].data_ptr() == CORPUS.data_ptr()


@pytest.mark.parametrize("world", [1, 2, 3])
def test_streams_of_an_evaluation_go_on_in_every_process(world: int) -> None:
    corpus = torch.arange(1000)
    tensors = evaluation_windows(corpus, 7, 4)
    seen = []
    for rank in range(world):
        batches = list(EvaluationStreams(tensors, 4, rank, world))
        assert len(batches) == len(EvaluationStreams(tensors, 4, rank, world))
        for (_, before), (tokens, _) in pairwise(batches):
            inside = (before[:, -1] >= 0) & (tokens[:, 0] > 0)
            assert torch.equal(before[inside, -1], tokens[inside, 0])
        seen += [t for _, targets in batches for t in targets.flatten().tolist() if t >= 0]
    assert sorted(seen) == list(range(1, 1000))


def test_the_number_of_streams_is_by_the_length_of_the_text_alone() -> None:
    assert [stream_count(n) for n in (5, 3000, 10**6)] == [1, 2, 16] and stream_count(5, 2) == 2
