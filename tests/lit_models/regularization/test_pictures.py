"""RandAugment and random erasing: each picture has a draw of its own, each change is the one it says."""

import math

import pytest
import torch

from common.messages import UserError
from lit_models.regularization.pictures import CHANGES, RandAugment, RandomErasing, changed, rectangles


def one(name: str, amount: float, x: torch.Tensor) -> torch.Tensor:
    return changed(x, torch.full((len(x), 1), CHANGES.index(name)), torch.full((len(x), 1), amount))


def test_changes_are_those_that_their_names_say() -> None:
    x = torch.zeros(1, 1, 20, 20)
    x[..., 9:11, 12:14] = 0.5
    torch.testing.assert_close(one("nothing", 1.0, x), x)
    moved = one("move_x", 1 / 9 * 2, x)  # 0.45 of 20 pixels at magnitude 1: two pixels
    torch.testing.assert_close(moved, x.roll(-2, 3))
    torch.testing.assert_close(one("move_y", -1 / 9 * 2, x), x.roll(2, 2))
    turned = one("rotate", 1.0, x).nonzero()[:, 2:].float().mean(0) - 9.5  # thirty degrees around the middle
    assert abs(math.hypot(*turned) - 3) < 0.3 and abs(math.degrees(math.atan2(*turned))) == pytest.approx(30, abs=4)
    assert float(one("scale", -1.0, x).sum()) > 1.5 * float(x.sum())
    torch.testing.assert_close(one("brightness", 0.5, x), (x * 1.45).clamp(0, 1))
    bright = one("contrast", -1.0, x)
    assert float(bright.max() - bright.min()) == pytest.approx(0.05, abs=1e-4)


def test_each_picture_has_a_draw_of_its_own() -> None:
    x = torch.rand(1, 1, 16, 16).expand(64, -1, -1, -1).contiguous()
    for regularizer in (RandAugment(), RandomErasing(1.0)):
        found, _ = regularizer.batch(None, x, torch.zeros(64))
        assert len({tuple(picture.flatten().tolist()) for picture in found}) > 30
        assert float(found.min()) >= 0 and float(found.max()) <= 1


def test_erased_rectangles_have_their_area_and_shape() -> None:
    inside = rectangles(torch.tensor([0.25, 0.1]), torch.tensor([1.0, 2.5]), torch.rand(2, 2), 40, 40)
    assert int(inside[0].sum()) == 400 and int(inside[0].any(1).sum()) == 20
    assert int(inside[1].any(1).sum()) == 20 and int(inside[1].any(0).sum()) == 8
    x = torch.full((200, 1, 28, 28), 2.0)
    erased, _ = RandomErasing(0.3, 0.25).batch(None, x, torch.zeros(200))
    share = (erased != 2).flatten(1).float().mean(1)
    assert 0.2 < float((share > 0).float().mean()) < 0.4 and float(share.max()) < 0.27


def test_numbers_out_of_range_are_refused() -> None:
    for make, says in ((lambda: RandAugment(0), "changes is 0"), (lambda: RandAugment(1, 2), "magnitude is 2")):
        with pytest.raises(UserError, match=says):
            make()
    with pytest.raises(UserError, match="most is 3"):
        RandomErasing(0.5, 3)


def test_half_precision_moves_no_pixel() -> None:
    x, nothing = torch.rand(2, 1, 32, 32), torch.zeros(2, 3, dtype=torch.int64)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(changed(x, nothing, torch.full((2, 3), 0.3)), x, atol=1e-5, rtol=0)
    half = x.bfloat16()
    assert torch.equal(changed(half, nothing, torch.full((2, 3), 0.3)), half)
