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


def test_a_scene_of_many_parts_counts_for_more_than_one_of_few(tmp_path: Path) -> None:
    """The overlap is a mean over all parts, however they are spread over batches: one part that a segment fits exactly,
    in the first batch, and two, in the second, of which it has half the pixels.
    """
    model = LitGANformer(scenes=True, num_latents=4, **SMALL)
    images, halves = torch.full((2, 3, 16, 16), 0.6), torch.zeros(2, 4, 1, 16, 16)
    for row, column in ((0, 1), (1, 1), (1, 9)):
        images[row, 1:, 2:6, column : column + 4] = 0.1  # a red square of 16 pixels
        halves[row, 1, 0, 2:6, column : column + 4] = 1
    halves[:, 0] = 1 - halves[:, 1]
    given = iter(zip(2 * images[:, None] - 1, halves[:, None], strict=True))
    model.attention_maps = lambda ws: next(given)  # type: ignore[method-assign]
    batches: Any = DataLoader([(x[None], torch.zeros(1, dtype=torch.long)) for x in images], batch_size=None)
    trainer = Trainer(accelerator="cpu", logger=False, default_root_dir=tmp_path)
    (found,) = trainer.test(model, batches, verbose=False)
    assert found["test/iou"] == pytest.approx((1 + 2 * 0.5) / 3)  # a mean over batches would be 3/4


def test_attention_is_measured_where_there_is_some_and_scenes_where_they_are(tmp_path: Path) -> None:
    images = torch.rand(4, 3, 16, 16)
    assert "test/iou" not in measured_by(LitStyleGAN2(scenes=True, **SMALL), images, tmp_path)
    assert "test/counted" not in measured_by(LitStyleGAN2(**SMALL), images, tmp_path)


def test_a_gray_sample_is_not_counted_as_a_scene() -> None:
    model = LitStyleGAN2(scenes=True, **SMALL)
    rows = {name: torch.randn(4, 3) for name in ("real", "fake", "real_logits", "fake_logits")}
    assert model.measures(rows | {"parts": torch.tensor([0.0, 1.0, 5.0, 6.0])})["counted"] == pytest.approx(0.5)
