"""Windows against loops, subsampling, epochs, processes, counts."""

from typing import Any

import pytest
import torch

from datamodules.text.word_windows import CenterLoader, all_windows, cooccurrences, keep_probability

WORDS = torch.tensor([4, 2, 7, 1, 1, 3, 0, 5, 6, 2], dtype=torch.int32)
SENTENCE = torch.tensor([0, 0, 0, 0, 1, 1, 1, 1, 1, 2], dtype=torch.int32)


def loader(**changes: Any) -> CenterLoader:
    given: dict[str, Any] = {"keep": torch.ones(8), "window": 2, "dynamic": False, "batch_size": 3}
    return CenterLoader(WORDS, SENTENCE, **(given | changes))


def test_windows_are_the_neighbors_of_the_sentence() -> None:
    center, context = all_windows(WORDS, SENTENCE, 2)
    for i, (word, row) in enumerate(zip(center.tolist(), context.tolist(), strict=True)):
        near = [j for d in (-2, -1, 1, 2) if 0 <= (j := i + d) < 10 and SENTENCE[j] == SENTENCE[i]]
        assert word == WORDS[i] and [w for w in row if w >= 0] == [int(WORDS[j]) for j in near]


def test_keep_probability_is_the_papers() -> None:
    keep = keep_probability(torch.tensor([99_990, 9, 1]), 1e-4)
    torch.testing.assert_close(keep, torch.tensor([(1e-4 / 0.9999) ** 0.5, 1.0, 1.0]))
    assert keep_probability(torch.tensor([5, 0]), 0).tolist() == [1, 1]


def test_an_epoch_has_every_center_once_and_another_order_next_time() -> None:
    rows = loader()
    first = torch.cat([center for center, _ in rows])
    assert first.sort().values.tolist() == WORDS.sort().values.tolist() and len(rows) == 4
    rows.set_epoch(1)
    assert torch.cat([center for center, _ in rows]).tolist() != first.tolist()


def test_each_epoch_draws_its_own_subsample_and_windows() -> None:
    words, sentence = torch.randint(0, 8, (2000,), dtype=torch.int32), torch.zeros(2000, dtype=torch.int32)
    keep = torch.full((8,), 0.3)
    rows = CenterLoader(words, sentence, keep, 3, True, 10_000)
    assert rows.centers == 600 and len(rows) == 1
    (one,), _ = list(rows), rows.set_epoch(1)
    (other,) = list(rows)
    assert len(one[0]) == 600 and not torch.equal(one[0], other[0])
    reach = (one[1] >= 0).sum(1).bincount(minlength=7)
    assert reach[[2, 4, 6]].min() > 120  # windows of one, two and three words on each side, each for a third


def test_two_processes_share_the_centers_of_one() -> None:
    whole = torch.cat([center for center, _ in loader(batch_size=4)])
    parts = [torch.cat([c for c, _ in loader(batch_size=2, rank=r, world=2)]) for r in (0, 1)]
    assert torch.stack(parts, 1).flatten().tolist() == whole.tolist()


def test_a_resumed_epoch_continues_at_its_batch() -> None:
    rows = loader(dynamic=True)
    every = [center.tolist() for center, _ in rows]
    again = loader(dynamic=True)
    again.load_state_dict({"epoch": 0, "batch": 2, "batches": 4, "rows": 10})
    assert [center.tolist() for center, _ in again] == every[2:]


@pytest.mark.parametrize("weighted", [True, False])
def test_counts_equal_loops(weighted: bool) -> None:
    rows, columns, values = cooccurrences(WORDS, SENTENCE, 2, 8, weighted)
    expected = torch.zeros(8, 8)
    for i in range(10):
        for j in range(10):
            if 0 < abs(i - j) <= 2 and SENTENCE[i] == SENTENCE[j]:
                expected[WORDS[i], WORDS[j]] += 1 / abs(i - j) if weighted else 1
    found = torch.zeros(8, 8)
    found[rows.long(), columns.long()] = values
    torch.testing.assert_close(found, expected)
    assert torch.equal(found, found.T)


def test_a_text_of_one_word_has_no_pairs() -> None:
    assert [len(t) for t in cooccurrences(WORDS[:1], SENTENCE[:1], 2, 8)] == [0, 0, 0]
