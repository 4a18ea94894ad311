"""Fast style: the battery, what instance normalization leaves out, losses, what is trained, naming, other sizes."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from common.messages import UserError
from datamodules.vision.photo_textures import PhotoTextures
from lit_models.layers.pretrained import normalize
from lit_models.vision.fast_style import FastStyleNet, InstanceNorm, LitFastStyle, style_difference
from lit_models.vision.style import roughness, style_loss
from tests.battery import ADAM, TaskBattery
from tests.small import small_trainer

SMALL: dict[str, Any] = {"width": 2, "blocks": 1, "vgg_width": 2}


class TestLitFastStyle(TaskBattery):
    parameters = 2_919  # 874 down, 1,184 in the block, 372 up, 489 in the last
    overfit_steps = 60

    def model(self, **arguments: Any) -> LitFastStyle:
        torch.manual_seed(0)
        return LitFastStyle(image_size=32, optimizer=ADAM, **SMALL | arguments)

    def batch(self) -> tuple[Tensor, Tensor]:
        generator = torch.Generator().manual_seed(0)
        return torch.rand(2, 3, 32, 32, generator=generator), torch.rand(1, 3, 32, 32, generator=generator).expand(
            2, -1, -1, -1
        )

    def test_every_parameter_gets_a_gradient(self) -> None:
        model = self.model()
        model.losses(self.batch())[0].backward()
        learned = {n: p for n, p in model.named_parameters() if p.requires_grad}
        assert not [n for n in learned if n.startswith("net.features")]
        assert not [n for n, p in learned.items() if p.grad is None or not bool(p.grad.abs().sum() > 0)]

    def test_overfits_one_batch(self, tmp_path: Path) -> None:
        model, batch = self.model(), self.batch()
        before = float(model.losses(batch)[0])
        self.fit_one_batch(tmp_path, model, self.overfit_steps)
        assert float(model.losses(batch)[0]) < 0.5 * before

    def test_naming_is_asked_of_a_classifier_that_is_no_part_of_the_model(self, tmp_path: Path) -> None:
        model, names = self.model(), set(self.model().state_dict())
        sizes: dict[str, int] = {"train_size": 4, "val_size": 4, "test_size": 4, "source_size": 20}
        data = PhotoTextures(image_size=32, **sizes)  # type: ignore[arg-type]
        (found,) = self.trainer(tmp_path).test(model, datamodule=data, verbose=False)
        assert {"test/named", "test/content_named", "test/style_drop", "test/content_loss"} <= found.keys()
        assert set(model.state_dict()) == names


def test_the_total_has_each_loss_by_its_weight() -> None:
    batch, parts = (torch.rand(2, 3, 32, 32), torch.rand(1, 3, 32, 32).expand(2, -1, -1, -1)), {}
    for name, weights in {"all": (2.0, 30.0, 5.0), "none": (0.0, 0.0, 0.0)}.items():
        torch.manual_seed(0)
        content, style, smooth = weights
        model = LitFastStyle(image_size=32, content_weight=content, style_weight=style, smoothness=smooth, **SMALL)
        parts[name] = model.losses(batch)
    total, of_content, of_style, made = parts["all"]
    expected = 2 * of_content.mean() + 30 * of_style.mean() + 5 * roughness(normalize(made))
    torch.testing.assert_close(total, expected)
    assert float(parts["none"][0]) == 0 and float(of_content.min()) > 0


def test_the_drop_of_the_style_loss_is_from_that_of_the_contents(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = LitFastStyle(image_size=32, **SMALL)
    data = PhotoTextures(image_size=32, train_size=2, val_size=2, test_size=4, source_size=20)
    (found,) = small_trainer(tmp_path).test(model, datamodule=data, verbose=False)
    content, style = data.transform(data.splits["test"])
    net: Any = model.net
    start = style_difference(net.seen(content), net.seen(style[:1])).mean()
    assert found["test/style_drop"] * found["test/style_loss"] == pytest.approx(float(start), rel=1e-4)


def test_contrast_and_brightness_of_a_picture_do_not_pass_instance_normalization() -> None:
    x = torch.randn(2, 3, 5, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    norm = InstanceNorm(3, eps=0.0).double()
    torch.testing.assert_close(norm(x), norm(x * torch.tensor([2.0, 7.0]).view(2, 1, 1, 1) + 4))


def test_the_style_loss_is_that_of_gatys_per_picture() -> None:
    net = FastStyleNet(image_size=32, **SMALL)
    one, other, style = (torch.rand(1, 3, 32, 32) for _ in range(3))
    found, wanted = net.seen(torch.cat([one, other])), net.seen(style)
    expected = torch.stack([style_loss(net.seen(x), wanted) for x in (one, other)])
    torch.testing.assert_close(style_difference(found, wanted), expected)


def test_pictures_of_another_size_keep_it() -> None:
    made = FastStyleNet(image_size=32, **SMALL)(torch.rand(1, 3, 37, 50))
    assert made.shape == (1, 3, 37, 50) and float(made.min()) >= 0 and float(made.max()) <= 1


def test_published_weights_fill_the_features_and_leave_the_rest(tmp_path: Path) -> None:
    from lit_models.cnn.vgg import VGG

    whole = VGG(depth=19, width=2, pool_size=1, hidden_size=3)
    torch.save(whole.state_dict(), tmp_path / "vgg19.pth")
    model = LitFastStyle(image_size=32, weights=str(tmp_path / "vgg19.pth"), weights_from="run", **SMALL)
    before = {n: p.clone() for n, p in model.state_dict().items() if "features" not in n}
    model.take_weights()
    net: Any = model.net
    assert torch.equal(net.features[28].weight, whole.features[28].weight)
    assert all(torch.equal(model.state_dict()[n], value) for n, value in before.items())


def test_a_negative_weight_is_refused() -> None:
    with pytest.raises(UserError, match=r"model.style_weight is -1.0"):
        LitFastStyle(image_size=32, style_weight=-1.0, **SMALL)
