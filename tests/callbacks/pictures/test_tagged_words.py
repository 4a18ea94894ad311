"""The picture of tagged words."""

from types import SimpleNamespace
from typing import Any

import torch

from callbacks.pictures.tagged_words import WIDEST, TaggedWords, draw_tags


def test_an_error_has_a_frame_and_each_kind_a_color() -> None:
    figure = draw_tags([[("Nairobi", "B-LOC", "B-LOC"), ("is", "O", "O"), ("Ali", "B-PER", "O")]])
    words = {text.get_text(): text for text in figure.axes[0].texts}
    assert words["Ali"].get_bbox_patch() is not None and words["Nairobi"].get_bbox_patch() is None
    assert words["Nairobi"].get_color() == words["LOC"].get_color() != words["is"].get_color()


def test_batches_of_other_widths_are_kept_one_after_the_other() -> None:
    picture, trainer = TaggedWords(4), SimpleNamespace(datamodule=SimpleNamespace(tagged_words={"test": [["a"]]}))
    wide, narrow = (torch.ones(2, n).long() for n in (9, 3))
    batches: list[Any] = [picture.collect(trainer, {"tags": x}, (x, x)) for x in (wide, narrow)]  # type: ignore[arg-type]
    kept = picture.merge(*batches)
    assert kept["truth"].shape == (4, WIDEST) and (kept["truth"] >= 0).sum(1).tolist() == [9, 9, 3, 3]
