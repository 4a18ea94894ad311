"""What a model generated, as a picture: points in the plane, or pictures side by side."""

from typing import Any

import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor


def scatter(points: Tensor, truth: Tensor | None = None) -> Any:
    """Points (N, D), their first two dimensions, beside the true ones where there are some -> a ``PIL.Image``."""
    panels = [("generated", points, "C1")] + ([("data", truth, "C0")] if truth is not None else [])
    figure = Figure(figsize=(4 * len(panels), 4), layout="constrained", dpi=80)
    canvas = FigureCanvasAgg(figure)
    reach = 1.15 * float((truth if truth is not None else points).abs().max())
    for ax, (title, x, color) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        y = x[:, 1] if x.shape[1] > 1 else torch.zeros(len(x))
        ax.plot(x[:, 0].tolist(), y.tolist(), ".", markersize=2, color=color)
        ax.set(title=title, xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
    canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")


def tiles(pictures: Tensor, columns: int, zoom: int = 1, border: int = 1) -> Any:
    """Pictures (N, C, H, W) in [0, 1] in rows of ``columns`` -> a ``PIL.Image``.

    C is 1 or 3; two channels are two gray pictures side by side.

    Args:
        pictures: The pictures.
        columns: In a row.
        zoom: Pixels for each pixel, in both directions.
        border: White pixels between two pictures.
    """
    pictures = torch.cat(pictures.split(1, 1), 3) if pictures.shape[1] == 2 else pictures
    n, c, h, w = pictures.shape
    rows = -(-n // columns)
    sheet = torch.ones(c, rows * (h + border) - border, columns * (w + border) - border)
    for k, picture in enumerate(pictures.float().clamp(0, 1).cpu()):
        top, left = (k // columns) * (h + border), (k % columns) * (w + border)
        sheet[:, top : top + h, left : left + w] = picture
    sheet = sheet.repeat_interleave(zoom, 1).repeat_interleave(zoom, 2)
    pixels = (sheet * 255).round().byte().permute(1, 2, 0)
    return Image.fromarray((pixels if c == 3 else pixels[..., 0]).contiguous().numpy())


def attention_table(images: Tensor, maps: Tensor) -> Any:
    """A row for each image (B, C, S, S) in [-1, 1]: itself, then what each layer attends to -> a ``PIL.Image``.

    Args:
        images: The images.
        maps: Attention (B, K, layers, S, S) to K latents, whose sum over K is 1. Each latent has a color; a pixel has
            the mixture of those that it attends to, over the image in gray.
    """
    k = maps.shape[1]
    hue = torch.arange(k, device=maps.device) / k
    wheel = (hue[:, None] * 6 + torch.tensor([0.0, 4.0, 2.0], device=maps.device)) % 6
    colors = ((wheel - 3).abs() - 1).clamp(0, 1)  # (K, 3)
    picture = ((images + 1) / 2).clamp(0, 1).expand(-1, 3, -1, -1)
    gray = picture.mean(1, keepdim=True)  # (B, 1, S, S)
    mixed = torch.einsum("bklhw,kc->blchw", maps, colors)
    panels = torch.cat([picture[:, None], 0.35 * gray[:, None] + 0.65 * mixed], 1)  # (B, 1 + layers, 3, S, S)
    return tiles(panels.flatten(0, 1), panels.shape[1], zoom=max(1, 64 // images.shape[-1]))
