"""``label_confusion.png``: labels of sequences that are taken for others, left out, or heard in addition."""

import torch

from callbacks.pictures.label_confusion import LabelConfusion
from lit_models.rnn.transducer import LitTransducer


class Trainer:
    datamodule = None


def test_counts_of_batches_and_ranks_are_added_and_drawn() -> None:
    model = LitTransducer(num_classes=3)
    first = model.confusion([[1, 2, 3], [2]], [[1, 3, 3], []])
    second = model.confusion([[1]], [[1, 1]])
    assert first[2, 3] == first[2, 0] == 1 and second[0].sum() == 1 and second.sum() == 2
    picture = LabelConfusion()
    kept = picture.merge({"counts": first}, {"counts": second})
    both = picture.join([kept, {"counts": second}])["counts"]
    assert torch.equal(both, first + 2 * second)
    figure = picture.draw(Trainer(), {"counts": both})  # type: ignore[arg-type]
    axes = figure.axes[0]
    assert [text.get_text() for text in axes.get_xticklabels()] == ["none", "1", "2", "3"]
    assert "of 8" in axes.get_title()
