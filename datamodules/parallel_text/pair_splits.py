"""Pairs of texts, divided at random so that no source is in two splits."""

import torch

from common.messages import UserError

Pairs = list[tuple[str, str]]


def random_splits(pairs: Pairs, val_size: int, test_size: int, train_size: int = 0) -> dict[str, Pairs]:
    """A fixed random split (seed 0): every source is in one split only, with all its translations.

    Raises:
        UserError: Fewer sources than requested.
    """
    groups: dict[str, Pairs] = {}
    for pair in pairs:
        groups.setdefault(pair[0], []).append(pair)
    order = torch.randperm(len(groups), generator=torch.Generator().manual_seed(0)).tolist()
    keys = list(groups)
    if len(keys) < val_size + test_size + 1:
        raise UserError(
            f"{len(keys)} different sources are too few: {val_size} are for validation, {test_size} for the test"
        )
    test, val, train = (
        [keys[i] for i in part]
        for part in (order[:test_size], order[test_size : test_size + val_size], order[test_size + val_size :])
    )
    rows = [pair for key in train for pair in groups[key]]
    return {
        "train": rows[:train_size] if train_size else rows,
        "val": [groups[key][0] for key in val],
        "test": [groups[key][0] for key in test],
    }
