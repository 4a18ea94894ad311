"""Video diffusion: frames are tied together by attention over time alone; clips are made as animations."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

from common.messages import UserError
from lit_models.video.diffusion import LitVideoDiffusion, TimeAttention, VideoUNet
from tests.battery import ADAM
from tests.small import small_trainer

SIZES = {"in_channels": 1, "num_frames": 3, "image_size": 8}


def small(classes: int = 2) -> VideoUNet:
    torch.manual_seed(0)
    # with as many groups as channels, normalization would take away what level and class add
    return VideoUNet(num_classes=classes, widths=(8, 8), groups=2, **SIZES).eval()  # type: ignore[arg-type]


def test_every_parameter_gets_a_gradient_and_the_shape_stays() -> None:
    net, x = small(), torch.randn(2, 1, 3, 8, 8)
    out = net(x, torch.tensor([5, 700]), torch.tensor([0, 1]))
    out.square().sum().backward()
    assert out.shape == x.shape
    assert not [name for name, p in net.named_parameters() if p.grad is None or not bool(p.grad.any())]


def test_without_attention_over_time_each_frame_is_seen_by_itself() -> None:
    net, x, t = small(), torch.randn(2, 1, 3, 8, 8), torch.tensor([5, 700])
    together = net(x, t)
    other = x.clone()
    other[:, :, 2] = 0
    assert not torch.allclose(net(other, t)[:, :, 0], together[:, :, 0])
    for module in net.modules():
        if isinstance(module, TimeAttention):
            nn.init.zeros_(module.out.weight)
            nn.init.zeros_(module.out.bias)
    torch.testing.assert_close(net(other, t)[:, :, 0], net(x, t)[:, :, 0])


def test_each_pixel_attends_to_its_own_place_in_the_frames() -> None:
    layer, x = TimeAttention(8, num_frames=3, head_size=4, groups=2), torch.randn(2 * 3, 8, 2, 3)
    layer.norm = nn.Identity()  # type: ignore[assignment]
    whole = layer(x)
    for i in range(2):
        for j in range(3):
            torch.testing.assert_close(layer(x[:, :, i : i + 1, j : j + 1]), whole[:, :, i : i + 1, j : j + 1])


def test_clips_of_a_batch_do_not_see_each_other() -> None:
    net, x, t = small().double(), torch.randn(3, 1, 3, 8, 8, dtype=torch.float64), torch.tensor([5, 300, 700])
    y = torch.tensor([0, 1, 0])
    torch.testing.assert_close(net(x, t, y)[1:2], net(x[1:2], t[1:2], y[1:2]))
    assert not torch.allclose(net(x, t, y)[1], net(x, t + 1, y)[1])
    assert not torch.allclose(net(x, t, y)[1], net(x, t, 1 - y)[1])


def test_a_class_is_made_as_one_animation() -> None:
    model = LitVideoDiffusion(num_classes=2, widths=[8, 8], steps=2, sampler="ddim", optimizer=ADAM, **SIZES).eval()
    data = SimpleNamespace(class_names=["turn left", "grow"])
    with torch.no_grad():
        first, second = model.generate(data, [], samples=3)
        (again,) = model.generate(data, [], class_=["grow"], samples=1)
    assert (first.name, second.name, again.name) == ("turn_left", "grow", "grow")
    assert len(first.frames) == 3 and first.frames[0].size == ((3 * 9 - 1) * 8, 64)
    (numbered,) = model.generate(data, [], class_=["1"], samples=1)
    assert numbered.name == "grow"
    with pytest.raises(UserError, match="--class up: no such class; the model has turn left, grow"):
        next(model.generate(data, [], class_=["up"]))
    with pytest.raises(UserError, match="no prompt"):
        next(model.generate(data, ["up"]))


def test_several_clips_of_a_video_are_tested_and_predicted(tmp_path: Path) -> None:
    sizes: dict[str, Any] = {**SIZES, "num_classes": 2, "widths": (8, 8), "groups": 2, "num_timesteps": 4}
    model = LitVideoDiffusion(**sizes).eval()
    batch = (torch.rand(3, 2, 1, 3, 8, 8), torch.tensor([0, 1, 1]))
    (found,) = small_trainer(tmp_path).test(model, DataLoader([batch], batch_size=None), verbose=False)  # type: ignore[arg-type]
    assert found["test/loss"] > 0
    bound = model.predict_step(batch, 0)["bound"]
    torch.testing.assert_close(bound, model.predict_step(batch[0].flatten(0, 1), 0)["bound"].view(3, 2).mean(1))
