"""Measures of generated scenes of colored solids: how many solids there are, and whether latents have taken them.

Hudson and Zitnick 2021 compare the segments of their attention with those of a network that was trained on real
pictures; here the solids of a scene are its colored parts (``lit_models/functional/segments.py``).
"""

from typing import Any

import torch
from torch import Tensor, nn
from torchmetrics import MeanMetric

from lit_models.functional.segments import best_overlap, colored_parts, random_partition
from lit_models.gan.scene_features import COUNTS, scene_features
from lit_models.tasks.style_adversarial import StyleAdversarial


class SceneAdversarial(StyleAdversarial):
    """A ``StyleAdversarial`` task whose pictures may be scenes.

    Of scenes it logs ``counted``, the fraction of samples with one to five colored parts, and in the test of a network
    with ``attention_maps`` ``test/iou``: each pixel of a sample belongs to the latent that it attends to most in the
    last layer; the intersection over union of each colored part with the best of these segments, a mean over all
    parts of all samples. ``test/iou_random`` is the same of as many random connected segments.

    Args:
        scenes: The images are scenes of colored solids: they are measured by a network that counts solids, else by
            their pixels.
        **task: See ``StyleAdversarial``.
    """

    def __init__(self, scenes: bool = False, **task: Any) -> None:
        super().__init__(**task)
        self.scenes = scenes
        self.overlaps = nn.ModuleDict({name: MeanMetric(nan_strategy="ignore") for name in ("iou", "iou_random")})

    def features(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        return scene_features(x.device)((x + 1) / 2) if self.scenes else super().features(x)

    def collect(self, batch: tuple[Tensor, ...], batch_idx: int) -> dict[str, Tensor]:
        found = super().collect(batch, batch_idx)
        if self.scenes:
            parts = colored_parts((found["fake"].float() + 1) / 2).flatten(1).amax(1)
            self.collected.setdefault("parts", []).append(parts.float())
        return found

    def measures(self, rows: dict[str, Tensor]) -> dict[str, Tensor]:
        found = super().measures(rows)
        if "parts" in rows:
            found["counted"] = ((rows["parts"] >= 1) & (rows["parts"] <= COUNTS)).float().mean()
        return found

    def test_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> dict[str, Tensor]:
        found = super().test_step(batch, batch_idx)
        if self.scenes and hasattr(self, "attention_maps"):
            generator = torch.Generator().manual_seed((batch_idx << 20) + self.global_rank)
            noise = self.noise(len(found["samples"]), generator)
            images, maps = self.attention_maps(self.sampler.styles(noise))  # type: ignore[operator]
            parts, segments = colored_parts((images.float() + 1) / 2), maps[:, :, -1].argmax(1)
            chance = random_partition(len(images), maps.shape[1], images.shape[-1], generator).to(parts.device)
            count = parts.flatten(1).amax(1).sum()  # best_overlap is a mean over so many
            for name, divided in (("iou", segments), ("iou_random", chance)):
                self.overlaps[name].update(best_overlap(parts, divided), count)  # type: ignore[operator]
        return found

    def on_test_epoch_end(self) -> None:
        super().on_test_epoch_end()
        if self.scenes and hasattr(self, "attention_maps"):
            for name, metric in self.overlaps.items():
                self.log(f"test/{name}", metric.compute(), sync_dist=True)  # type: ignore[operator]
                metric.reset()  # type: ignore[operator]
