"""Few labels: equal parts of each class, a training that learns, a seed that decides all of it."""

from functools import partial

import torch

from lit_models.attention.vit import ViT
from lit_models.multimodal.few_labels import few_rows, fine_tuned


def test_few_labels_are_as_many_of_each_class_and_training_on_them_learns() -> None:
    torch.manual_seed(0)
    y = torch.arange(400) % 4
    x = torch.zeros(400, 1, 8, 8)
    x[torch.arange(400), 0, 2 * y, :] = 1  # a bright row for each class
    rows = few_rows(y, 40, torch.Generator().manual_seed(0))
    assert y[rows].bincount().tolist() == [10] * 4
    make = partial(ViT, 1, 4, 8, 2, 8, 1, 2, 8)
    assert fine_tuned(make, (x[rows], y[rows]), (x, y), 40, 0.02, 0) > 0.6  # chance is 0.25
    before = torch.random.get_rng_state()
    same = [fine_tuned(make, (x[rows], y[rows]), (x, y), 2, 0.02, 0) for _ in range(2)]
    assert same[0] == same[1] and torch.equal(before, torch.random.get_rng_state())
