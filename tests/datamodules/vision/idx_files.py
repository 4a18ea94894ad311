"""The four files of an MNIST-like set in the published layout, small and random."""

import gzip
import struct
from pathlib import Path

import torch
from torch import Tensor


def write_idx(path: Path, content: Tensor) -> None:
    header = struct.pack(f">HBB{content.ndim}I", 0, 0x08, content.ndim, *content.shape)
    path.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(path, "wb") as file:
        file.write(header + content.to(torch.uint8).numpy().tobytes())


def write_set(folder: Path, train: int = 60, test: int = 20) -> None:
    for part, n in (("train", train), ("t10k", test)):
        write_idx(folder / f"{part}-images-idx3-ubyte.gz", torch.randint(256, (n, 28, 28)))
        write_idx(folder / f"{part}-labels-idx1-ubyte.gz", torch.arange(n) % 10)
