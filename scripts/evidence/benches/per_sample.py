"""Single images in the manner of torchvision's ``MNIST``: from the tensor to a PIL image, then the transform."""

from collections.abc import Callable
from typing import Any

from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from scripts.evidence.benches.workloads import random_images


class SingleImages(Dataset[tuple[Tensor, int]]):
    def __init__(self, rows: int, transform: Callable[[Any], Tensor]) -> None:
        self.images, self.labels = random_images(rows)
        self.transform = transform

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.transform(Image.fromarray(self.images[index, 0].numpy())), int(self.labels[index])


def loader(rows: int, transform: Callable[[Any], Tensor], batch_size: int, workers: int) -> DataLoader[Any]:
    return DataLoader(SingleImages(rows, transform), batch_size=batch_size, shuffle=True, num_workers=workers)
