"""Small videos for tests: frames of one gray, which tells their number."""

from pathlib import Path

import numpy as np
from PIL import Image


def frames(count: int, size: int = 12, first: int = 0) -> np.ndarray:
    """Frames (T, H, W) uint8 with the values 10 (first + number)."""
    values = 10 * (first + np.arange(count, dtype=np.uint8))
    return np.broadcast_to(values[:, None, None], (count, size, size + 4)).copy()


def write(path: Path, array: np.ndarray, duration: int = 100) -> Path:
    """A video of frames (T, H, W): ``.npy``, ``.gif``, ``.png`` (animated), or without an ending a folder of images."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pictures = [Image.fromarray(frame) for frame in array]
    if path.suffix == ".npy":
        np.save(path, array)
    elif path.suffix:
        pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=duration)
    else:
        path.mkdir()
        for k, picture in enumerate(pictures):
            picture.save(path / f"frame_{k + 1}.png")
    return path


def fill(root: Path, each: int = 4, count: int = 6) -> Path:
    """Two classes of ``each`` videos, of all kinds."""
    for label, first in (("dark", 0), ("light", 12)):
        for k in range(each):
            write(root / label / f"v{k}{['.gif', '.npy', '', '.png'][k % 4]}", frames(count + k, first=first))
    return root
