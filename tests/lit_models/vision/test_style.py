"""Style transfer: what is learned, what the losses see and what they do not."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from common.messages import UserError
from datamodules.vision.style_pair import StylePair
from lit_models.vision.style import LAYERS, LitStyle, StyleNet, content_loss, gram, roughness, style_loss
from tests.small import small_trainer

SGD = partial(torch.optim.SGD, lr=0.01)  # Adam would make steps of 0.05 out of rounding errors


def model(**arguments: Any) -> LitStyle:
    torch.manual_seed(0)
    settings: dict[str, Any] = {"image_size": 32, "width": 2, "optimizer": partial(torch.optim.Adam, lr=0.05)}
    return LitStyle(**(settings | arguments))


def train(folder: Path, steps: int = 20, **arguments: Any) -> tuple[LitStyle, dict[str, float]]:
    found, data = model(**arguments), StylePair(image_size=32, steps=steps)
    trainer = small_trainer(folder, max_epochs=1)
    trainer.fit(found, datamodule=data)
    (metrics,) = trainer.test(found, datamodule=data, verbose=False)
    return found, dict(metrics)


def features(net: StyleNet, seed: int = 0) -> tuple[Tensor, ...]:
    return net(torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(seed)))


def test_the_picture_is_all_that_is_learned() -> None:
    net = StyleNet(image_size=32, width=2)
    assert [name for name, p in net.named_parameters() if p.requires_grad] == ["image"] and net.image.numel() == 3072
    found = features(net)
    sizes = [(2, 32), (4, 16), (8, 8), (16, 4), (16, 4), (16, 2)]
    assert [(part.shape[1], part.shape[2]) for part in found] == sizes and len(LAYERS) == 6
    assert all(bool((part < 0).any()) for part in found)  # of the convolutions, not of their ReLUs


def test_gram_matrices_do_not_know_where() -> None:
    maps = torch.rand(1, 3, 4, 4)
    shuffled = maps.flatten(2)[..., torch.randperm(16)].view_as(maps)
    torch.testing.assert_close(gram(maps), gram(shuffled))
    torch.testing.assert_close(gram(maps)[0, 1, 2], (maps[0, 1] * maps[0, 2]).sum() / 48)


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16])
def test_gram_matrices_are_in_single_precision_under_autocast(kind: torch.dtype) -> None:
    maps = 100 * torch.rand(1, 2, 32, 32, generator=torch.Generator().manual_seed(0))  # sums beyond float16's 65504
    plain, rounded = gram(maps), maps.to(kind)
    assert float(plain.max()) * 2048 > 65504
    with torch.autocast("cpu", dtype=kind):
        torch.testing.assert_close(gram(maps), plain)
        torch.testing.assert_close(gram(rounded), gram(rounded.float()))


def test_the_content_of_a_picture_is_in_one_layer_and_its_style_in_five() -> None:
    one, other = (list(features(StyleNet(image_size=32, width=2), seed)) for seed in (0, 1))
    torch.manual_seed(0)
    mixed = [*other[:4], one[4], other[5]]
    assert float(content_loss(tuple(mixed), tuple(one))) == 0 and float(style_loss(tuple(mixed), tuple(one))) > 0
    mixed = [*one[:4], other[4], one[5]]
    assert float(content_loss(tuple(mixed), tuple(one))) > 0 and float(style_loss(tuple(mixed), tuple(one))) == 0


def test_a_plain_picture_is_smooth_and_stripes_are_not() -> None:
    stripes = torch.tensor([0.0, 1.0]).repeat(4).expand(1, 3, 8, 8)
    assert float(roughness(torch.ones(1, 3, 8, 8))) == 0 and float(roughness(stripes)) == pytest.approx(0.5)


def test_style_falls_and_the_picture_can_be_shown(tmp_path: Path) -> None:
    found, metrics = train(tmp_path)
    net: Any = found.net
    assert metrics["test/style_drop"] > 2 and metrics["test/content_loss"] > 0
    torch.testing.assert_close(net.image, (net.picture() - net_mean()) / net_std())


def net_mean() -> Tensor:
    return torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)


def net_std() -> Tensor:
    return torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)


def test_training_begins_with_the_content_and_no_style_keeps_it(tmp_path: Path) -> None:
    found, metrics = train(tmp_path, style_weight=0.0, smoothness=0.0, optimizer=SGD)
    content = StylePair(image_size=32)
    content.setup("test")
    net: Any = found.net
    torch.testing.assert_close(net.picture(), content.transform(content.splits["test"])[0], atol=2e-3, rtol=0)
    assert metrics["test/style_drop"] == pytest.approx(1, abs=0.01)


def test_l_bfgs_needs_fewer_steps(tmp_path: Path) -> None:
    _, slow = train(tmp_path, steps=4)
    _, fast = train(tmp_path, steps=4, optimizer=partial(torch.optim.LBFGS, lr=0.5))
    assert fast["test/style_drop"] > 1.5 * slow["test/style_drop"]


def test_published_weights_are_those_of_vgg_19(tmp_path: Path) -> None:
    from lit_models.cnn.vgg import VGG

    torch.manual_seed(1)
    whole = VGG(depth=19, width=2, pool_size=1, hidden_size=3)
    torch.save(whole.state_dict(), tmp_path / "vgg19.pth")
    found = model(weights=str(tmp_path / "vgg19.pth"), weights_from="run")
    found.take_weights()
    net: Any = found.net
    assert torch.equal(net.features[28].weight, whole.features[28].weight)


def test_a_negative_weight_is_refused() -> None:
    with pytest.raises(UserError, match=r"model.style_weight is -1.0"):
        model(style_weight=-1.0)
