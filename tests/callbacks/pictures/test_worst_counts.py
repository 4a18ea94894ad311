"""worst_counts.png: the pictures with the largest errors over all batches and processes."""

from typing import Any

import torch

from callbacks.pictures.worst_counts import WorstCounts, draw_worst


def rows(callback: WorstCounts, errors: list[int]) -> dict[str, torch.Tensor]:
    n = len(errors)
    counts = torch.tensor([[error, 1] for error in errors])
    outputs: Any = {
        "boxes": torch.rand(n, 2, 4).sort(-1).values,
        "scores": torch.rand(n, 2),
        "labels": torch.zeros(n, 2, dtype=torch.long),
        "counted": torch.tensor([[True, False]] * n),
        "counts": counts,
        "true_counts": torch.tensor([[0, 1]] * n),
    }
    none = torch.zeros(n, 1)
    batch = torch.rand(n, 3, 8, 8), torch.rand(n, 1, 4).sort(-1).values, none.bool(), none.long()
    found = callback.collect(None, outputs, batch)  # type: ignore[arg-type]
    assert found is not None
    return found


def test_the_worst_of_all_batches_are_kept_and_drawn_with_their_counts() -> None:
    callback = WorstCounts(pictures=3)
    kept = callback.merge(rows(callback, [0, 4, 1, 0]), rows(callback, [2, 5]))
    assert kept["counts"][:, 0].tolist() == [5, 4, 2]
    joined = callback.join([kept, rows(callback, [9])])
    assert joined["counts"][:, 0].tolist() == [9, 5, 4]
    first = draw_worst(joined, ["red", "white"]).axes[0]
    assert first.get_title() == "red 9/0, white 1/1" and len(first.patches) == 2  # the object, and the cell that counts
    assert not first.texts
