"""Whether what a network divides a picture into are its things: the overlap of segments with colored parts.

Scenes of colored solids stand on a gray floor (``datamodules/vision/colored_solids.py``), so that the solids of a
generated scene, which has no mask, are its colored parts. Solids that touch are one part: of the real scenes, at 16
pixels, two thirds have as many parts as solids, and all have one to five.
"""

import torch
from scipy import ndimage
from torch import Tensor

SATURATION = 0.3  # the largest minus the smallest channel: a solid's is 0.45 times its light, the floor's is 0
SMALLEST = 4  # pixels of a part


def colored_parts(images: Tensor) -> Tensor:
    """The connected colored parts of pictures (N, 3, S, S) in [0, 1] -> (N, S, S): 0 the rest, 1, 2, ... the parts."""
    colored = (images.amax(1) - images.amin(1) > SATURATION).cpu().numpy()
    found = torch.zeros(colored.shape, dtype=torch.long)
    for row, picture in enumerate(colored):
        parts, count = ndimage.label(picture)
        sizes = ndimage.sum_labels(picture, parts, range(1, count + 1))
        large = [k + 1 for k, size in enumerate(sizes) if size >= SMALLEST]
        for number, part in enumerate(large):
            found[row][torch.from_numpy(parts == part)] = number + 1
    return found.to(images.device)


def best_overlap(parts: Tensor, segments: Tensor) -> Tensor:
    """The intersection over union of each part with the segment that fits it best, a mean over all parts.

    Args:
        parts: (N, S, S), 0 outside of all parts, 1, 2, ... the parts.
        segments: (N, S, S), the segment of each pixel from 0 on.

    Returns:
        A number; not a number where there are no parts.
    """
    one = torch.nn.functional.one_hot(parts).flatten(1, 2).transpose(1, 2).float()[:, 1:]  # (N, P, S S)
    other = torch.nn.functional.one_hot(segments).flatten(1, 2).float()  # (N, S S, K)
    both = one @ other  # (N, P, K)
    union = one.sum(2)[:, :, None] + other.sum(1)[:, None] - both
    best = (both / union.clamp(min=1)).amax(2) if both.numel() else one.sum(2)
    return best[one.sum(2) > 0].mean()


def random_partition(count: int, segments: int, side: int, generator: torch.Generator) -> Tensor:
    """Squares divided into connected segments: the pixels nearest to each of some random points (count, side, side).

    Args:
        count: How many squares.
        segments: Of each.
        side: In pixels.
        generator: Of the points.
    """
    points = torch.rand(count, segments, 2, generator=generator) * side
    line = torch.arange(side) + 0.5
    pixels = torch.stack(torch.meshgrid(line, line, indexing="ij"), -1).view(-1, 2)
    return torch.cdist(pixels, points).argmin(2).view(count, side, side)
