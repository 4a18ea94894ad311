"""Diffusion of pictures: classes, measures, what is generated. The network is the U-Net of digits."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from common.generation import Generates
from common.messages import UserError
from datamodules.vision.fashion_mnist import FashionMNIST
from datamodules.vision.mnist import MNIST5k
from lit_models.diffusion.digits import LitDigits
from lit_models.diffusion.pictures import classes_of
from tests.small import small_trainer


def model(**settings: Any) -> LitDigits:
    sizes: dict[str, Any] = {"image_size": 8, "num_classes": 10, "widths": (8, 8), "num_timesteps": 10}
    return LitDigits(**(sizes | {"prediction": "v"} | settings)).eval()


def test_pictures_are_between_minus_one_and_one_in_the_network() -> None:
    net, x = model(), torch.rand(2, 1, 8, 8)
    assert float(net.encode(torch.zeros(1))) == -1 and float(net.encode(torch.ones(1))) == 1
    torch.testing.assert_close(net.decode(net.encode(x)), x)
    assert float(net.decode(torch.tensor([7.0]))) == 1


def test_generates_a_grid_with_a_class_in_each_row_and_an_animation() -> None:
    net, data = model(), MNIST5k(image_size=8)
    assert isinstance(net, Generates)
    with torch.inference_mode():
        (output,) = net.generate(data, [], class_=["3", "7"], samples=4, steps=5, sampler="ddim", grid=True, gif=True)
    assert output.image.size == (8 * (4 * 9 - 1), 8 * (2 * 9 - 1)) and len(output.frames) == 6


def test_without_a_grid_each_picture_is_a_file_of_its_class() -> None:
    with torch.inference_mode():
        outputs = list(model().generate(MNIST5k(image_size=8), [], class_=["9"], samples=2, steps=2, sampler="euler"))
    assert [output.name for output in outputs] == ["class_9_0", "class_9_1"]
    assert outputs[0].image.size == (8, 8)


def test_a_hole_is_filled_and_the_rest_stays(tmp_path: Path) -> None:
    shade, hole = Image.new("L", (8, 8), 51), Image.new("L", (8, 8), 0)
    hole.paste(255, (0, 0, 8, 4))
    paths = [str(tmp_path / name) for name in ("image.png", "mask.png")]
    for picture, path in zip((shade, hole), paths, strict=True):
        picture.save(path)
    options: dict[str, Any] = {"image": paths[0], "mask": paths[1], "class_": ["3"], "samples": 2, "steps": 2}
    with torch.inference_mode():
        first, second = model().generate(MNIST5k(image_size=8), [], **options)
        changed = list(model().generate(MNIST5k(image_size=8), [], **(options | {"mask": "", "class_": ["3", "8"]})))
    found = torch.stack([torch.from_numpy(np.array(output.image)) for output in (first, second)])
    assert bool((found[:, 4:] == 51).all()) and not torch.equal(found[0, :4], found[1, :4])
    assert [output.name for output in changed] == ["class_3_0", "class_8_0"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mask": "hole.png"}, "--image"),
        ({"repeats": 0}, "--repeats is 0"),
        ({"image": "none.png"}, "there is no file none.png"),
        ({"class_": ["10"]}, "--class 10: no such class"),
        ({"class_": ["three"]}, "no such class"),
        ({"steps": 11}, "--steps is 11"),
        ({"samples": 0}, "--samples is 0"),
    ],
)
def test_mistakes_are_one_line(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        list(model().generate(MNIST5k(image_size=8), [], **options))


def test_a_model_without_classes_takes_none() -> None:
    net = model(num_classes=0)
    assert classes_of(net.num_classes, None, []) == []
    with pytest.raises(UserError, match="no classes"):
        classes_of(net.num_classes, None, ["3"])


def test_bits_of_a_black_picture_are_a_probability_of_pixels(tmp_path: Path) -> None:
    found = model().predict_step(torch.zeros(3, 1, 8, 8), 0)["bits_per_dim"]
    assert found.shape == (3,) and bool((found > 0).all())


def measures(net: LitDigits, data: Any, folder: Path) -> dict[str, float]:
    (found,) = small_trainer(folder, limit_test_batches=2).test(net, datamodule=data, verbose=False)
    return dict(found)


def test_digits_alone_are_measured_by_a_network_of_digits(tmp_path: Path) -> None:
    data = MNIST5k(image_size=8, eval_batch_size=8)
    net = model(steps=2)
    assert "test/fid" in measures(net, data, tmp_path)
    data.digits = False
    assert "test/fid" not in measures(net, data, tmp_path) and not FashionMNIST.digits
    data.digits = True
    for other in (model(in_channels=3), model(num_classes=7)):
        small_trainer(tmp_path).strategy.connect(other)
        assert not other.measured


def test_a_second_test_does_not_know_the_pictures_of_the_first(tmp_path: Path) -> None:
    data, net = MNIST5k(image_size=8, eval_batch_size=8), model(steps=2)
    first = measures(net, data, tmp_path)
    assert measures(net, data, tmp_path) == pytest.approx(first) and len(first) > 5


def test_samples_of_a_network_in_bfloat16_are_in_single_precision_on_their_way() -> None:
    torch.set_default_dtype(torch.bfloat16)  # as Lightning's bf16-true does for a step
    try:
        net = model(steps=2)
        *_, samples = net.sample((2, *net.data_shape), torch.tensor([1, 2]), guidance=2.0)
        found = net.predict_step(torch.rand(2, 1, 8, 8), 0)["bits_per_dim"]
        *_, filled = net.fill(torch.rand(2, 1, 8, 8), torch.rand(2, 1, 8, 8) > 0.5, torch.tensor([1, 2]), repeats=1)
    finally:
        torch.set_default_dtype(torch.float32)
    assert net.dtype == torch.bfloat16
    assert samples.dtype == filled.dtype == torch.float32 and bool(torch.isfinite(found).all())


def test_quality_compares_as_many_samples_of_the_same_classes() -> None:
    x, y = torch.rand(6, 1, 8, 8), torch.arange(6)
    net = model()
    with torch.inference_mode():
        one, same, other = (net.quality(x, y, name, 2) for name in ("ddim", "euler", "ancestral"))
    assert float(one) > 0 and torch.isclose(one, same, rtol=1e-3) and not torch.isclose(one, other, rtol=1e-3)
