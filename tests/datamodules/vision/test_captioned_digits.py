"""Captioned digits: what training never has, captions of the right number, one line for mistakes."""

import pytest
import torch

from common.messages import UserError
from datamodules.vision.captioned_digits import NAMES, CaptionedDigits
from datamodules.vision.mnist import MNIST5k


def test_training_has_no_caption_of_the_held_out_pairs_and_numbers_but_all_their_words() -> None:
    data = CaptionedDigits(train_size=4000, val_size=13, test_size=390)
    data.setup("fit")
    trained = {(a, b) for a, b, _ in data.splits["train"][2].tolist()}
    numbers = {b for _, b in trained}
    _, texts, labels = data.splits["test"]
    for k, new_pair, new_number in ((0, False, False), (1, True, False), (2, True, True)):
        rows = [(a, b) for a, b, kind in labels.tolist() if kind == k]
        assert len(rows) == 130 and {a for a, _ in rows} == set(range(13))
        assert all(((a, b) in trained) != new_pair or not new_pair for a, b in rows)
        assert all((b not in numbers) == new_number for _, b in rows)
    assert set(texts.flatten().tolist()) <= set(data.splits["train"][1].flatten().tolist())


def test_a_picture_has_the_digits_of_its_caption() -> None:
    data = CaptionedDigits(["sw"], train_size=50, val_size=5, test_size=3, image_size=56)
    data.setup("fit")
    x, texts, labels = data.splits["train"]
    assert data.encode(["saba tatu"]).tolist() == [data.captions[0, 73].tolist()]
    assert torch.equal(texts, data.captions[0, labels[:, 1]])
    digits, classes = MNIST5k().load("fit")["train"]
    known = {digit.numpy().tobytes(): int(y) for digit, y in zip(digits, classes, strict=True)}
    for picture, number in zip(x[:20], labels[:20, 1].tolist(), strict=True):
        for half, digit in ((picture[0, :, :28], number // 10), (picture[0, :, 28:], number % 10)):
            places = [half[top : top + 28].contiguous().numpy().tobytes() for top in (0, 28)]
            assert digit in {known.get(place) for place in places}


def test_shuffled_captions_are_the_same_ones_elsewhere() -> None:
    plain, mixed = (CaptionedDigits(train_size=60, val_size=5, test_size=3, shuffled=s) for s in (False, True))
    for data in (plain, mixed):
        data.setup("fit")
    rows = [sorted(data.splits["train"][1].tolist()) for data in (plain, mixed)]
    assert rows[0] == rows[1] and not torch.equal(plain.splits["train"][1], mixed.splits["train"][1])


def test_thirteen_languages_have_ten_different_names() -> None:
    assert len(NAMES) == 13 and all(len(set(names.split())) == 10 for names in NAMES.values())


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ({"languages": ["xx"]}, "'xx': choose among"),
        ({"vocab_size": 90}, "the names need 128"),
        ({"seq_len": 3}, "need 4"),
        ({"image_size": 9}, "data.image_size even"),
    ],
)
def test_a_mistake_is_one_line(arguments: dict, line: str) -> None:  # type: ignore[type-arg]
    with pytest.raises(UserError, match=line):
        CaptionedDigits(**arguments)
