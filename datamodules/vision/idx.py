"""The idx format of MNIST and its relatives: a magic number, the sizes, then the bytes."""

import gzip
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from common.messages import UserError
from datamodules.downloads import fetch
from datamodules.splits import split_indices


def read_idx(path: Path) -> Tensor:
    """Reads a gzipped idx file of unsigned bytes into a tensor of its stated shape.

    Raises:
        UserError: The file is not gzip, not idx with bytes, or shorter than its header says.
    """
    try:
        with gzip.open(path) as file:
            zero, kind, dimensions = struct.unpack(">HBB", file.read(4))
            if zero != 0 or kind != 0x08:
                raise ValueError("not an idx file of bytes")
            shape = struct.unpack(f">{dimensions}I", file.read(4 * dimensions))
            return torch.from_numpy(np.frombuffer(file.read(), dtype=np.uint8).reshape(shape).copy())
    except (OSError, EOFError, ValueError, struct.error) as error:
        raise UserError(f"{path} is damaged ({error}): delete it, and it is downloaded again") from None


def load_idx_splits(
    folder: str, urls: Sequence[str], sha256: Mapping[str, str], val_size: int
) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Train, validation and test as (images (N, 1, H, W) uint8, labels (N,) int64) from the four published files.

    Args:
        folder: Folder of the files, relative to ``$DIVE_DATA``.
        urls: Addresses of the folder, tried in turn.
        sha256: The four file names with their digests.
        val_size: Training images held out for validation, stratified, seed 0.
    """

    def read(name: str) -> Tensor:
        return read_idx(fetch([url + name for url in urls], sha256[name], f"{folder}/{name}"))

    images, labels = read("train-images-idx3-ubyte.gz")[:, None], read("train-labels-idx1-ubyte.gz").long()
    test = (read("t10k-images-idx3-ubyte.gz")[:, None], read("t10k-labels-idx1-ubyte.gz").long())
    if not 0 < val_size < len(images):
        raise UserError(f"data.val_size is {val_size}, but {folder} has {len(images)} training images: lower it")
    train_rows, val_rows = split_indices(labels, (0, val_size))
    return (images[train_rows], labels[train_rows]), (images[val_rows], labels[val_rows]), test
