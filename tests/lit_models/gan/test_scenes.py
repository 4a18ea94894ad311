"""Measures of scenes: counted solids, and segments beside random ones."""

from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Trainer
from torch import Tensor
from torch.utils.data import DataLoader

from datamodules.vision.colored_solids import draw, random_scenes
from lit_models.gan.ganformer import LitGANformer
from lit_models.gan.stylegan2 import LitStyleGAN2

SMALL: dict[str, Any] = {"image_size": 16, "latent_size": 16, "mapping_layers": 2, "width": 64, "max_channels": 8}


def measured_by(model: Any, images: Tensor, folder: Path) -> dict[str, float]:
    batches: Any = DataLoader([(images, torch.zeros(len(images), dtype=torch.long))], batch_size=None)
    (found,) = Trainer(accelerator="cpu", logger=False, default_root_dir=folder).test(model, batches, verbose=False)
    return dict(found)


def test_latents_that_take_a_solid_each_overlap_more_than_chance(tmp_path: Path) -> None:
    """A generator is replaced by real scenes, its attention by their masks: two solids and the floor, three latents."""
    model = LitGANformer(scenes=True, num_latents=4, **SMALL)
    scenes = random_scenes(200, torch.Generator().manual_seed(0))
    pixels, masks = draw(scenes, 16)
    few = (scenes.solid >= 0).sum(1) <= 3
    images, masks = 2 * (pixels[few] / 255) - 1, masks[few].long().clamp(max=3)
    maps = torch.nn.functional.one_hot(masks, 4).permute(0, 3, 1, 2)[:, :, None].float()
    model.attention_maps = lambda ws: (images[: len(ws)], maps[: len(ws)])  # type: ignore[method-assign]
    found = measured_by(model, images[:30] / 2 + 0.5, tmp_path)
    assert found["test/iou"] > 0.45 > 0.25 > found["test/iou_random"] > 0
    assert 0 <= found["test/counted"] <= 1


def test_attention_is_measured_where_there_is_some_and_scenes_where_they_are(tmp_path: Path) -> None:
    images = torch.rand(4, 3, 16, 16)
    assert "test/iou" not in measured_by(LitStyleGAN2(scenes=True, **SMALL), images, tmp_path)
    assert "test/counted" not in measured_by(LitStyleGAN2(**SMALL), images, tmp_path)


def test_a_gray_sample_is_not_counted_as_a_scene() -> None:
    model = LitStyleGAN2(scenes=True, **SMALL)
    rows = {name: torch.randn(4, 3) for name in ("real", "fake", "real_logits", "fake_logits")}
    assert model.measures(rows | {"parts": torch.tensor([0.0, 1.0, 5.0, 6.0])})["counted"] == pytest.approx(0.5)
