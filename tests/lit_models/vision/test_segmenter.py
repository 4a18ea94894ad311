"""What segmenters share: void pixels are in no loss and no metric; mIoU over the classes that occur."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader

from lit_models.vision.segmenter import VOID, Segmenter, class_iou, mean_iou
from tests.small import small_trainer


class Fixed(Segmenter):
    """The image is the logits."""

    def __init__(self) -> None:
        super().__init__(num_classes=3)
        self.net = nn.Identity()


def batch() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    y = torch.randint(2, (2, 6, 6), generator=generator)  # class 2 does not occur
    x = torch.randn(2, 3, 6, 6, generator=generator) + 2 * F.one_hot(y, 3).permute(0, 3, 1, 2)
    y[:, :2] = VOID
    return x, y


def test_void_pixels_are_in_no_loss() -> None:
    x, y = batch()
    loss, count, _ = Fixed().pixel_loss((x, y))
    torch.testing.assert_close(loss, F.cross_entropy(x[:, :, 2:], y[:, 2:]))
    assert int(count) == 48
    other = x.clone()
    other[:, :, :2] += 100 * torch.randn(2, 3, 2, 6)
    torch.testing.assert_close(Fixed().pixel_loss((other, y))[0], loss)
    empty, none, _ = Fixed().pixel_loss((x, torch.full_like(y, VOID)))
    assert float(empty) == 0 and int(none) == 0


def test_iou_is_that_of_the_whole_split_over_the_classes_that_occur(tmp_path: Path) -> None:
    x, y = batch()
    rows = [(x[:1], y[:1]), (x[1:], y[1:])]
    (found,) = small_trainer(tmp_path).test(Fixed(), DataLoader(rows, batch_size=None), verbose=False)  # type: ignore[arg-type]
    guess, known = x.argmax(1), y != VOID
    by_class = []
    for k in range(2):
        both = ((guess == k) & (y == k)).sum()
        by_class.append(float(both / (((guess == k) & known) | (y == k)).sum()))
    assert found["test/miou"] == pytest.approx(sum(by_class) / 2, abs=1e-6)
    assert [found["test/iou_0"], found["test/iou_1"], found["test/iou_2"]] == pytest.approx([*by_class, -1], abs=1e-6)
    assert found["test/pixel_acc"] == pytest.approx(float((guess == y)[known].float().mean()), abs=1e-6)


def test_no_pixels_give_no_nan() -> None:
    assert float(mean_iou(torch.zeros(3, 3))) == 0 and class_iou(torch.zeros(2, 2)).tolist() == [-1, -1]


def test_a_prediction_is_a_class_for_each_pixel() -> None:
    x, _ = batch()
    first, second = Fixed().predict_step((x,), 0)
    assert first.dtype == torch.uint8 and torch.equal(second.long(), x[1].argmax(0))
