"""``Scenes`` with the class of each pixel instead of boxes."""

from typing import Any

from torch import Tensor

from datamodules.vision.masks import MaskImages
from datamodules.vision.scenes import COLUMNS, NAMES, SIDE, draw_scenes


class SceneMasks(MaskImages):
    """Images (N, 3, 96, 96) with masks (N, 96, 96): 0 the background, then the five shapes, then the digits.

    Args:
        num_classes, in_channels, image_size: Seven classes, in color; images are always generated with 96 pixels.
        train_size, val_size, test_size: Images of each split.
        **masks: See ``MaskImages``.
    """

    def __init__(
        self,
        num_classes: int = len(NAMES) + 1,
        in_channels: int = 3,
        image_size: int = SIDE,
        train_size: int = 2000,
        val_size: int = 200,
        test_size: int = 300,
        **masks: Any,
    ) -> None:
        super().__init__(num_classes, in_channels, image_size, **masks)
        self.sizes = dict(zip(COLUMNS, (train_size, val_size, test_size), strict=True))
        self.class_names = ["background", *NAMES]

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        splits: dict[str, tuple[Tensor, ...]] = {}
        for name, size in self.sizes.items():
            images, masks, _ = draw_scenes(size, name)
            if self.image_size != SIDE:
                size_wanted = [self.image_size] * 2
                masks = nearest(masks, size_wanted)
            splits[name] = self.fit_images(images), masks
        return splits | {"predict": (splits["test"][0],)}

    def baselines(self) -> dict[str, dict[str, Any]]:
        """The background everywhere."""
        return only_background(self.splits["test"][1])


def only_background(truth: Tensor) -> dict[str, dict[str, Any]]:
    """The row of a segmenter that calls each pixel of masks (N, H, W) background."""
    right = float((truth == 0).double().mean())
    metrics = {"test/miou": right / len(truth.unique()), "test/pixel_acc": right}
    return {"chance": {"what": "background everywhere", "metrics": metrics}}


def nearest(masks: Tensor, size: list[int]) -> Tensor:
    """Masks (N, H, W) of another size, without interpolation."""
    from torch.nn import functional as F

    return F.interpolate(masks[:, None], size, mode="nearest-exact")[:, 0]
