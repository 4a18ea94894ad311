"""Scenes of one to five colored solids on a gray floor, with their shadows: a small, drawn relative of CLEVR.

A solid is a ball, a box or a cylinder in one of seven colors, larger and lower in the picture the nearer it is; light
comes from the upper left, and a shadow falls to the right. The label is how many there are, so that the solids of a
generated scene can be counted by a classifier; which pixel belongs to which solid, and each solid's attributes, are
kept. Cf. Johnson et al. 2017, "CLEVR"; nothing is rendered by a program: all scenes are drawn at once, as tensors.
"""

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from datamodules.vision.images import ImageTensors

SOLIDS = ("ball", "box", "cylinder")
COLORS = ("red", "green", "blue", "yellow", "cyan", "magenta", "orange")
RGB = torch.tensor(
    [[0.8, 0.15, 0.15], [0.15, 0.6, 0.2], [0.2, 0.3, 0.85], [0.85, 0.75, 0.15], [0.2, 0.7, 0.75], [0.7, 0.25, 0.7]]
    + [[0.9, 0.5, 0.1]]
)
MOST = 5  # solids in a scene
CELLS = torch.tensor([[x, y] for y in (0.42, 0.72) for x in (0.2, 0.5, 0.8)])  # a solid stands in one of six places


@dataclass(frozen=True)
class Scene:
    """What is in N scenes: (N, 5) each, the farthest solid first; the number of a missing solid is -1.

    Args:
        solid, color: Numbers in ``SOLIDS`` and ``COLORS``.
        x, y: Where it touches the floor, as fractions of the side from left and top.
        size: Half its width, as a fraction of the side.
    """

    solid: Tensor
    color: Tensor
    x: Tensor
    y: Tensor
    size: Tensor


class ColoredSolids(ImageTensors):
    """Images (N, 3, image_size, image_size), drawn at this size with a fixed seed; y is the number of solids minus 1.

    After ``load``, ``masks`` and ``scenes`` have of each split the mask (N, S, S) uint8, 0 the floor, k + 1 solid k and
    the attributes (``Scene``).

    Args:
        train_size, val_size, test_size: Images of each split.
        **images: See ``ImageTensors``.
    """

    def __init__(
        self,
        num_classes: int = MOST,
        in_channels: int = 3,
        image_size: int = 32,
        train_size: int = 8000,
        val_size: int = 500,
        test_size: int = 1000,
        **images: int,
    ) -> None:
        super().__init__(num_classes, in_channels, image_size, **images)  # type: ignore[arg-type]
        self.sizes = {"train": train_size, "val": val_size, "test": test_size}
        self.class_names = [str(k + 1) for k in range(MOST)]
        self.masks: dict[str, Tensor] = {}
        self.scenes: dict[str, Scene] = {}

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        splits: dict[str, tuple[Tensor, ...]] = {}
        for seed, (name, size) in enumerate(self.sizes.items()):
            scene = random_scenes(size, torch.Generator().manual_seed(seed))
            images, self.masks[name] = draw(scene, self.image_size)
            self.scenes[name] = scene
            splits[name] = self.fit_images(images), (scene.solid >= 0).sum(1) - 1
        return splits | {"predict": (splits["test"][0],)}


def random_scenes(count: int, random: torch.Generator) -> Scene:
    """``count`` scenes; one to five solids are equally likely."""

    def uniform(low: float, high: float) -> Tensor:
        return torch.rand(count, MOST, generator=random) * (high - low) + low

    number = torch.randint(1, MOST + 1, (count, 1), generator=random)
    cells = CELLS[torch.rand(count, len(CELLS), generator=random).argsort(1)[:, :MOST]]  # different ones
    x, y = cells[..., 0] + uniform(-0.06, 0.06), cells[..., 1] + uniform(-0.08, 0.08)
    size = uniform(0.1, 0.13) * (0.55 + 0.65 * y)
    missing = torch.arange(MOST) >= number
    solid, color = (torch.randint(n, (count, MOST), generator=random) for n in (len(SOLIDS), len(COLORS)))
    order = y.argsort(1)  # the nearest is drawn last
    parts = {"solid": solid.masked_fill(missing, -1), "color": color.masked_fill(missing, -1), "x": x, "y": y}
    return Scene(**{name: value.gather(1, order) for name, value in (parts | {"size": size}).items()})


def draw(scene: Scene, side: int, rows: int = 500) -> tuple[Tensor, Tensor]:
    """Images (N, 3, side, side) uint8 of scenes, and their masks (N, side, side) uint8; ``rows`` scenes at a time."""
    parts = [getattr(scene, field.name).split(rows) for field in fields(Scene)]
    both = [draw_some(Scene(*part), side) for part in zip(*parts, strict=True)]
    return torch.cat([image for image, _ in both]), torch.cat([mask for _, mask in both])


def draw_some(scene: Scene, side: int) -> tuple[Tensor, Tensor]:
    line = (torch.arange(side) + 0.5) / side
    py, px = torch.meshgrid(line, line, indexing="ij")  # (S, S)
    soft = 1 / side  # an edge is a pixel wide
    n = len(scene.x)
    image = (0.62 - 0.12 * (py - 0.5).abs()).expand(n, 3, side, side)
    mask = torch.zeros(n, side, side, dtype=torch.uint8)

    def inside(distance: Tensor) -> Tensor:
        """1 where a signed distance is negative, 0 where positive, with a soft edge."""
        return (0.5 - distance / soft).clamp(0, 1)

    def part(k: int, name: str) -> Tensor:
        return getattr(scene, name)[:, k, None, None]

    for k in range(MOST):  # the shadows first: they fall on the floor only
        x, y, r = part(k, "x"), part(k, "y"), part(k, "size")
        u, v = (px - x - 0.6 * r) / (1.5 * r), (py - y) / (0.5 * r)
        dark = inside(((u.square() + v.square()).sqrt() - 1) * 0.5 * r) * (part(k, "solid") >= 0)
        image = image * (1 - 0.4 * dark[:, None])
    for k in range(MOST):
        x, y, r, solid = part(k, "x"), part(k, "y"), part(k, "size"), part(k, "solid")
        u, v = (px - x) / r, (py - y) / r + 1  # the body's center is one size above the floor
        lid = (u.square() + ((v + 0.9) / 0.35).square()).sqrt() - 1  # of a cylinder
        foot = (u.square() + ((v - 0.75) / 0.35).square()).sqrt() - 1
        tube = torch.maximum(u.abs() - 1, torch.maximum(-0.9 - v, v - 0.75))
        distances = [
            (u.square() + v.square()).sqrt() - 1,
            torch.maximum(u.abs(), v.abs()) - 1,
            torch.minimum(tube, torch.minimum(lid, foot) * 0.35),
        ]
        ball = 0.55 + 0.6 * (-u * 0.5 - v * 0.6 + (1 - u.square() - v.square()).clamp(min=0).sqrt() * 0.6).clamp(min=0)
        box = torch.where(v < -0.45, 1.15, torch.where(u > 0.35, 0.6, 0.85))  # top, right side, front
        cylinder = torch.where(lid < 0, 1.15, 0.6 + 0.4 * (1 - (u + 0.4).square()).clamp(0, 1))
        kinds = solid.clamp(min=0)
        distance = torch.where(kinds == 0, distances[0], torch.where(kinds == 1, distances[1], distances[2]))
        light = torch.where(kinds == 0, ball, torch.where(kinds == 1, box, cylinder))
        cover = inside(distance * r) * (solid >= 0)  # (N, S, S)
        color = RGB[scene.color[:, k].clamp(min=0)][..., None, None] * light[:, None]
        image = torch.lerp(image, color.clamp(0, 1), cover[:, None])
        mask = torch.where(cover > 0.5, k + 1, mask).byte()
    return (image * 255 + 0.5).clamp(0, 255).byte(), mask
