"""Adversarial training of a generator with a mapping network and styles. Batch: that of ``ImageAdversarial``.

Karras et al. 2020: the path length penalty, in a step of its own every few batches; truncation; mixed styles. The
network's ``generator`` has ``styles(noise, truncation) -> ws`` (B, ..., num_layers, D) and ``images(ws)``.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from common.generation import Output
from common.messages import UserError, refuse_negative
from lit_models.functional.drawing import tiles
from lit_models.layers.precision import full_precision
from lit_models.tasks.adversarial_losses import path_length_penalty, path_lengths
from lit_models.tasks.image_adversarial import ImageAdversarial


class StyleAdversarial(ImageAdversarial):
    """An ``ImageAdversarial`` task of a generator with styles.

    Args:
        path_weight: Weight of the path length penalty; 2 in the paper, 0: none.
        path_interval: Steps of the generator between two on the penalty, which are then weighted by this number. The
            generator's rate and betas are scaled as the discriminator's are for R1.
        path_length_upstream: The formula of GANformer's published code (``path_lengths``).
        **task: See ``ImageAdversarial``.
    """

    path_mean: Tensor

    def __init__(
        self,
        path_weight: float = 0.0,
        path_interval: int = 4,
        path_length_upstream: bool = False,
        **task: Any,
    ) -> None:
        super().__init__(**task)
        refuse_negative(path_weight=path_weight)
        if path_interval < 1:
            raise UserError(f"model.path_interval is {path_interval}: give a whole number of at least 1")
        self.path_weight, self.path_interval = path_weight, path_interval
        self.path_length_upstream = path_length_upstream
        self.register_buffer("path_mean", torch.zeros(()))
        self.truncation = 1.0  # of ``generate``

    @property
    def generator_factor(self) -> float:  # type: ignore[override]
        return self.path_interval / (self.path_interval + 1) if self.path_weight else 1.0

    def regularize_generator(self, optimizer: Any, rows: int) -> None:
        """Every ``path_interval`` steps one on the path length of half a batch."""
        step = (self.batches + 1) // self.critic_steps - 1
        if not self.path_weight or step % self.path_interval:
            return
        generator: Any = self.net.generator

        def penalty(part: slice) -> Tensor:
            count = max(1, (part.stop - part.start) // 2)
            with full_precision(self.path_mean):
                ws = generator.styles(self.noise(count))
                images = generator.images(ws)
                lengths = path_lengths(images, ws, torch.randn_like(images), self.path_length_upstream)
                found, moved = path_length_penalty(lengths, self.path_mean)
                every: Any = self.all_gather(moved.detach())
                self.path_mean.copy_(every.mean())
            return found * (self.path_weight * self.path_interval)

        self.take_step(optimizer, rows, penalty)

    # -- generation --------------------------------------------------------------------------------------------------

    def images_of(self, noise: Tensor, *conditions: Tensor) -> Tensor:
        return self.sampler(noise, self.truncation)

    def generate(
        self,
        data: Any,
        prompts: Sequence[str],
        *,
        samples: int = 64,
        seed: int = 0,
        grid: bool = True,
        interpolate: bool = False,
        truncation: float = 1.0,
        mixing: bool = False,
    ) -> Iterator[Output]:
        """As ``ImageAdversarial``, with truncation and mixed styles.

        Args:
            data: As there.
            prompts: As there.
            samples: How many images.
            seed: Of the noise.
            grid: All images in one picture; else a file for each.
            interpolate: An animation on the way from each image to the next.
            truncation: How far styles are from their mean: 1 as they are, 0.7 fewer odd samples, 0 always the mean.
            mixing: A table of images that take coarse styles from their row and fine ones from their column.

        Raises:
            UserError: ``truncation`` is not a finite number.
        """
        if not math.isfinite(truncation):
            raise UserError(f"--truncation {truncation}: give a number, such as 0.7")
        self.truncation = truncation
        yield from super().generate(data, prompts, samples=samples, seed=seed, grid=grid, interpolate=interpolate)
        if mixing:
            yield Output(0, image=self.mixing_table(seed, truncation), name=f"mixing_{seed}")

    @torch.no_grad()
    def mixing_table(self, seed: int, truncation: float = 1.0, count: int = 6) -> Any:
        """Images with the coarse styles, those of the first half of the layers, of their row, and the fine ones of
        their column; the sources are in the first column and the first row.
        """
        sampler: Any = self.sampler
        ws = sampler.styles(self.noise(2 * count, torch.Generator().manual_seed(seed)), truncation)
        sources = sampler.images(ws).float()
        half = ws.shape[-2] // 2
        coarse, fine = ws[:count].repeat_interleave(count, 0), ws[count:].repeat(count, *[1] * (ws.ndim - 1))
        mixed = sampler.images(torch.cat([coarse[..., :half, :], fine[..., half:, :]], -2)).float()
        rows = torch.cat([sources[:count, None], mixed.unflatten(0, (count, count))], 1)  # (count, count + 1, C, S, S)
        first = torch.cat([torch.ones_like(sources[:1]), sources[count:]])
        every = torch.cat([first, rows.flatten(0, 1)])
        return tiles((every + 1) / 2, count + 1, zoom=max(1, 64 // every.shape[-1]))
