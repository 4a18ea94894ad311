"""Crops of two photographs and the output of a filter for them: the task is to find the kernel of the filter, which is
known.

The photographs (china.jpg and flower.jpg, 427 x 640) ship with scikit-learn. Training crops come from the left part of
each, validation and test crops from strips on the right that do not overlap with each other or the training part.
"""

from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from common.messages import UserError
from datamodules.base import TensorDataModule

FILTERS = {
    "sobel": ((1.0, 0.0, -1.0), (2.0, 0.0, -2.0), (1.0, 0.0, -1.0)),
    "laplace": ((0.0, 1.0, 0.0), (1.0, -4.0, 1.0), (0.0, 1.0, 0.0)),
    "emboss": ((-2.0, -1.0, 0.0), (-1.0, 1.0, 1.0), (0.0, 1.0, 2.0)),
    "blur": ((0.0625, 0.125, 0.0625), (0.125, 0.25, 0.125), (0.0625, 0.125, 0.0625)),
    "book": ((0.0, 0.0, 0.0), (0.0, 1.0, -1.0), (0.0, 0.0, 0.0)),  # D2L 7.2.3, with zeros around
}
STRIPS = {"train": (0.0, 0.7), "val": (0.7, 0.85), "test": (0.85, 1.0)}  # of the photographs' width


class FilteredPhotos(TensorDataModule):
    """x (B, 1, image_size, image_size) gray in [0, 1], y (B, (image_size - 2)^2): the filter's outputs with noise.

    The best possible result: ``test/rmse`` equal to ``noise``, and the kernel found as exactly as the noise allows.

    Args:
        filter: Which kernel, 3 x 3.
        pictures: photos; or bars, vertical black bars on white as in D2L 7.2.3, of random widths.
        noise: Standard deviation of the Gaussian noise on the outputs.
        in_channels, image_size: Linked to the model's arguments of the same name.
        num_train, num_eval: Crops of the training split, and of each of the other two.
        **loader: See ``TensorDataModule``.
    """

    links = ("in_channels", "image_size")

    def __init__(
        self,
        filter: Literal["sobel", "laplace", "emboss", "blur", "book"] = "sobel",
        pictures: Literal["photos", "bars"] = "photos",
        noise: float = 0.05,
        in_channels: int = 1,
        image_size: int = 24,
        num_train: int = 1000,
        num_eval: int = 200,
        **loader: Any,
    ) -> None:
        super().__init__(**loader)
        if in_channels != 1:
            raise UserError(f"data.in_channels is {in_channels}: the photographs are gray, give 1")
        if not 3 <= image_size <= 90:
            raise UserError(f"data.image_size is {image_size}: give 3 to 90 pixels")
        self.kernel = torch.tensor(FILTERS[filter])[None, None]  # (1, 1, 3, 3), to be found
        self.pictures, self.noise = pictures, noise
        self.in_channels, self.image_size = in_channels, image_size
        self.sizes = {"train": num_train, "val": num_eval, "test": num_eval}

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        generator = torch.Generator().manual_seed(0)
        splits: dict[str, tuple[Tensor, ...]] = {}
        for split, rows in self.sizes.items():
            cut = self._bars if self.pictures == "bars" else self._pieces
            x = cut(split, rows, generator)
            y = F.conv2d(x, self.kernel).flatten(1)
            splits[split] = (x, y + self.noise * torch.randn(y.shape, generator=generator))
        return splits | {"predict": splits["test"][:1]}

    def _pieces(self, split: str, rows: int, generator: torch.Generator) -> Tensor:
        photos = load_photos()  # (2, H, W)
        _, height, width = photos.shape
        low, high = (int(part * width) for part in STRIPS[split])
        side = self.image_size
        top = torch.randint(height - side + 1, (rows, 1, 1), generator=generator)
        left = torch.randint(low, high - side + 1, (rows, 1, 1), generator=generator)
        which = torch.randint(len(photos), (rows, 1, 1), generator=generator)
        return photos[which, top + torch.arange(side)[:, None], left + torch.arange(side)][:, None]

    def _bars(self, split: str, rows: int, generator: torch.Generator) -> Tensor:
        edges = torch.randint(1, self.image_size, (rows, 2), generator=generator).sort(1).values[..., None]
        columns = torch.arange(self.image_size)
        white = (columns < edges[:, 0]) | (columns >= edges[:, 1])  # (rows, S)
        return white.float()[:, None, None, :].expand(-1, 1, self.image_size, -1).contiguous()


def load_photos() -> Tensor:
    """Both photographs as gray values in [0, 1], (2, 427, 640): the weights of ITU-R BT.601."""
    from sklearn.datasets import load_sample_images

    color = torch.stack([torch.from_numpy(image.copy()) for image in load_sample_images().images]).float() / 255
    return color @ torch.tensor([0.299, 0.587, 0.114])
