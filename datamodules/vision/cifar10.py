"""CIFAR-10 from its published python batches: ten classes of objects in 32 x 32 pixels.

Krizhevsky 2009, "Learning Multiple Layers of Features from Tiny Images". The batches are pickles: they are read by an
unpickler that allows arrays only, so that a file cannot run code.
"""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from common.messages import UserError
from datamodules.downloads import data_root, fetch, unpack
from datamodules.splits import split_indices
from datamodules.vision.images import ImageTensors

URLS = [
    "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
    "https://storage.googleapis.com/tensorflow/tf-keras-datasets/cifar-10-python.tar.gz",
]
SHA256 = "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"
FOLDER = "cifar-10-batches-py"
TRAIN, TEST = [f"data_batch_{i}" for i in range(1, 6)], "test_batch"
NAMES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
ARRAYS = {  # the parts of a pickled array, under the module names of old and new numpy
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("_codecs", "encode"),
}


class ArraysOnly(pickle.Unpickler):
    """Refuses everything but arrays: a pickle can otherwise run any code."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ARRAYS:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return super().find_class(module, name)


def read_batch(path: Path) -> tuple[Tensor, Tensor]:
    """Images (N, 3, 32, 32) uint8 and labels (N,) of one batch file.

    Raises:
        UserError: The file is damaged or not a CIFAR batch.
    """
    try:
        with path.open("rb") as file:
            content = ArraysOnly(file, encoding="latin1").load()
        images = torch.from_numpy(np.asarray(content["data"], dtype=np.uint8).reshape(-1, 3, 32, 32).copy())
        labels = torch.tensor(content["labels"], dtype=torch.int64)
        if len(images) != len(labels):
            raise ValueError(f"{len(images)} images and {len(labels)} labels")
        return images, labels
    except (OSError, EOFError, KeyError, TypeError, ValueError, AttributeError, pickle.UnpicklingError) as error:
        raise UserError(
            f"{path} is damaged or not a CIFAR batch ({error}): delete the folder, it is downloaded again"
        ) from None


def published() -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Images (N, 3, 32, 32) uint8 and labels (N,) of the training files, and those of the test file; downloaded on
    first use.
    """
    folder = Path(data_root()) / FOLDER
    if not all((folder / name).is_file() for name in (*TRAIN, TEST)):
        unpack(fetch(URLS, SHA256, "cifar-10-python.tar.gz"), folder.parent)
    images, labels = zip(*(read_batch(folder / name) for name in TRAIN), strict=True)
    return (torch.cat(images), torch.cat(labels)), read_batch(folder / TEST)


class CIFAR10(ImageTensors):
    """50,000 training images, of which ``val_size`` are held out, and 10,000 test images, 32 x 32, in color.

    Args:
        val_size: Training images (stratified, seed 0) kept for validation. Most published work selects on the test set.
        **images: See ``ImageTensors``.
    """

    def __init__(
        self,
        num_classes: int = 10,
        in_channels: int = 3,
        image_size: int = 32,
        val_size: int = 5000,
        **images: Any,
    ) -> None:
        super().__init__(num_classes, in_channels, image_size, **images)
        self.val_size = val_size
        self.class_names = NAMES

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        (images, labels), test = published()
        if not 0 < self.val_size < len(images):
            raise UserError(
                f"data.val_size is {self.val_size}, but {FOLDER} has {len(images)} training images: lower it"
            )
        parts = split_indices(labels, (0, self.val_size))
        train, val = ((images[rows], labels[rows]) for rows in parts)
        splits = {"train": train, "val": val, "test": test}
        fitted = {name: (self.fit_images(x), y) for name, (x, y) in splits.items()}
        return fitted | {"predict": (fitted["test"][0],)}
