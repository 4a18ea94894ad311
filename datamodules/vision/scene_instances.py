"""``Scenes`` with the pixels of each object beside its box."""

from typing import Any

from torch import Tensor

from datamodules.vision.instances import augment_instances, refuse_mixing
from datamodules.vision.objects import padded
from datamodules.vision.scene_masks import nearest
from datamodules.vision.scenes import NAMES, SIDE, Scenes, draw_instances


class SceneInstances(Scenes):
    """A batch is that of ``Scenes`` and instances (B, S, S): a pixel is k + 1 where it shows object k, else 0.

    Args:
        num_classes, in_channels, image_size, train_size, val_size, test_size: As of ``Scenes``.
        **objects: See ``ObjectImages``.
    """

    def __init__(
        self,
        num_classes: int = len(NAMES),
        in_channels: int = 3,
        image_size: int = SIDE,
        train_size: int = 2000,
        val_size: int = 200,
        test_size: int = 300,
        **objects: Any,
    ) -> None:
        super().__init__(num_classes, in_channels, image_size, train_size, val_size, test_size, **objects)
        refuse_mixing(self.augmentation)

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        splits: dict[str, tuple[Tensor, ...]] = {}
        for name, count in self.sizes.items():
            images, instances, objects = draw_instances(count, name)
            if self.image_size != SIDE:
                instances = nearest(instances, [self.image_size] * 2)
            splits[name] = self.fit_images(images), *padded(objects), instances
        return splits | {"predict": (splits["test"][0],)}

    def augment(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return augment_instances(batch, self.flip, self.augmentation)
