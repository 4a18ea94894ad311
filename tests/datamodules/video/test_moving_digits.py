"""Moving digits: the class is the motion, and nothing else says it."""

import torch

from common.messages import UserError
from datamodules.video.moving_digits import NAMES, OPPOSITE, MovingDigits, draw, motions, walk


def small(**arguments: int) -> MovingDigits:
    data = MovingDigits(train_size=48, val_size=24, test_size=24, num_frames=4, image_size=16, **arguments)  # type: ignore[arg-type]
    data.setup("fit")
    return data


def test_clips_are_reproducible_and_of_all_classes() -> None:
    first, second = small(), small()
    x, y = first.transform(first.splits["val"])
    again, _ = second.transform(second.splits["val"])
    assert torch.equal(x, again) and x.shape == (24, 1, 4, 16, 16) and 0 <= float(x.min()) < float(x.max()) <= 1
    assert y.bincount().tolist() == [2] * 12
    digits = {name: set(rows[0].tolist()) for name, rows in first.splits.items()}
    assert not digits["train"] & digits["val"] and not digits["train"] & digits["test"]


def test_each_frame_of_each_class_is_a_first_frame_of_another_start() -> None:
    """So even starts give each frame the same distribution, whatever the class: one frame says nothing."""
    start, moves = torch.rand(12, 4, dtype=torch.float64), motions(16).double()
    states = walk(start, moves, 6)
    for t in range(6):
        later = (start + t * moves) % 1
        torch.testing.assert_close(states[:, t], walk(later, moves, 1)[:, 0])
    assert states.min() >= 0 and states.max() < 1


def test_a_reversed_clip_is_one_of_the_opposite_class() -> None:
    start, moves = torch.rand(12, 4, dtype=torch.float64), motions(16).double()
    states = walk(start, moves, 6)
    back = walk(states[:, -1], moves[OPPOSITE], 6)
    difference = (back.flip(1) - states + 0.5) % 1 - 0.5  # on circles
    assert float(difference.abs().max()) < 1e-9
    assert [OPPOSITE[k] for k in OPPOSITE] == list(range(12))


def test_what_leaves_on_one_side_enters_on_the_other() -> None:
    pictures = torch.full((1, 28, 28), 255, dtype=torch.uint8)
    middle, corner = (draw(pictures, torch.tensor([[[p, p, 0.0, 0.0]]]), 16)[0, 0] for p in (0.5, 0.0))
    torch.testing.assert_close(corner, middle.roll((8, 8), (0, 1)), atol=1e-4, rtol=0)


def test_motions_do_what_their_names_say() -> None:
    """A picture whose upper right quarter is white, in the middle of the frame."""
    picture = torch.zeros(1, 28, 28, dtype=torch.uint8)
    picture[:, :14, 14:] = 255
    start = torch.tensor([[0.5, 0.5, 0.0, 0.5]])
    grid = torch.arange(48) - 23.5

    def center(name: str) -> tuple[float, float, float]:
        states = walk(start, 2 * motions(48)[[NAMES.index(name)]], 2)
        frame = draw(picture, states, 48)[0, 1]
        return (
            float((frame * grid).sum() / frame.sum()),
            float((frame * grid[:, None]).sum() / frame.sum()),
            float(frame.sum()),
        )

    still = draw(picture, start[:, None], 48)[0, 0]
    x, y = float((still * grid).sum() / still.sum()), float((still * grid[:, None]).sum() / still.sum())
    assert x > 0 > y  # to the right and up, since rows count downwards
    assert center("right")[0] > x + 2 and center("left up")[1] < y - 2
    assert center("turn right")[1] > y and center("turn left")[0] < x
    assert center("grow")[2] > float(still.sum()) > center("shrink")[2]


def test_training_clips_begin_anew_each_time() -> None:
    for fresh in (True, False):
        data = small(fresh=fresh)
        data.trainer = type("T", (), {"training": True, "datamodule": data})()  # type: ignore[assignment]
        one, two = (data.transform(data.splits["train"])[0] for _ in range(2))
        assert torch.equal(one, two) != fresh


def test_chance_is_one_of_twelve() -> None:
    assert small().baselines()["chance"]["metrics"]["test/acc"] == 1 / 12


def test_other_classes_are_refused() -> None:
    try:
        MovingDigits(num_classes=3)
    except UserError as error:
        assert "12 motions" in str(error)
    else:
        raise AssertionError
