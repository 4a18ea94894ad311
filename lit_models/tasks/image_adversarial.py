"""Adversarial training on images. Batch: ``(x, y, ...)``, x (B, C, S, S) in [0, 1], y (B,) classes where there are any.

The networks see and make images in [-1, 1]. Generated digits are measured by a classifier that took no part in the
training (``lit_models/cnn/lenet_features.py``).
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from common.generation import Output
from common.messages import UserError
from lit_models.functional.drawing import tiles
from lit_models.functional.generated_pictures import kernel_distance, kernel_distance_error
from lit_models.tasks.adversarial import Adversarial


class ImageAdversarial(Adversarial):
    """An ``Adversarial`` task of images. ``net.num_classes`` is the number of classes of a conditional network, else 0.

    Args:
        flip: Real images are mirrored left to right with probability 1/2 in training.
        **task: See ``Adversarial``.
    """

    output_means = "Generated images (B, C, S, S) in [-1, 1]."

    def __init__(self, flip: bool = False, **task: Any) -> None:
        super().__init__(**task)
        self.flip = flip

    def real(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        x, conditions = super().real(batch)
        if self.flip and self.training:
            mirrored = torch.rand(len(x), 1, 1, 1, device=x.device) < 0.5
            x = torch.where(mirrored, x.flip(-1), x)
        return 2 * x - 1, conditions

    def features(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """Features (B, F) of images in [-1, 1], and a classifier's logits (B, K): here the pixels, and none."""
        return x.flatten(1), None

    def collect(self, batch: tuple[Tensor, ...], batch_idx: int) -> dict[str, Tensor]:
        found = super().collect(batch, batch_idx)
        for name in ("real", "fake"):
            self.collected[name].pop()
            features, logits = self.features(found[name].float())
            self.collected[name].append(features)
            if logits is not None:
                self.collected.setdefault(f"{name}_classes", []).append(logits)
        return found

    def test_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> dict[str, Tensor]:
        return {"samples": (super().test_step(batch, batch_idx)["samples"] + 1) / 2}

    def measures(self, rows: dict[str, Tensor]) -> dict[str, Tensor]:
        """Adds ``kid`` and, from 20 images of each kind on, ``kid_error``, its standard error.

        With a classifier also ``sure``, the fraction of samples to which it gives some class a probability above a
        half, ``sure_real``, the same of real images, and ``classes``, how many classes have at least a tenth of the
        sure samples that an equal part of all would be.
        """
        found = super().measures(rows)
        if min(len(rows["real"]), len(rows["fake"])) > 1:
            found["kid"] = kernel_distance(rows["real"], rows["fake"])
        if min(len(rows["real"]), len(rows["fake"])) >= 20:
            found["kid_error"] = kernel_distance_error(rows["real"], rows["fake"])
        if "fake_classes" in rows:
            probability, label = rows["fake_classes"].softmax(1).max(1)
            classes, sure = rows["fake_classes"].shape[1], probability > 0.5
            counts = label[sure].bincount(minlength=classes)
            found |= {"sure": sure.float().mean(), "classes": (counts >= 0.1 * len(label) / classes).sum()}
            found["sure_real"] = (rows["real_classes"].softmax(1).amax(1) > 0.5).float().mean()
        return found

    def see_batch(self, batch: tuple[Tensor, ...], number: int) -> None:
        """Passes a batch through both networks as a step does, for the statistics of normalizations."""
        real, conditions = self.real(batch)
        net: Any = self.net
        fake = net.generator(self.noise(len(real), torch.Generator().manual_seed(number)), *conditions)
        for x in (real, fake):
            net.discriminator(x, *conditions)

    # -- generation --------------------------------------------------------------------------------------------------

    def images_of(self, noise: Tensor, *conditions: Tensor) -> Tensor:
        """Images in [-1, 1] of noise, for ``generate``."""
        return self.sampler(noise, *conditions)

    @torch.no_grad()
    def samples(self, count: int, seed: int = 0, classes: Tensor | None = None) -> Tensor:
        """Images (count, C, S, S) in [-1, 1] from the averaged generator in evaluation mode, 64 at a time.

        Args:
            count: How many.
            seed: Of the noise: the same images on every device.
            classes: Of a conditional network; None: one after the other.
        """
        noise = self.noise(count, torch.Generator().manual_seed(seed))
        number = getattr(self.net, "num_classes", 0)
        given: list[Tensor] = []
        if getattr(self.net, "num_conditions", 0):
            given = [torch.arange(count, device=self.device) % number if classes is None else classes]
        training, network = self.sampler.training, self.sampler.eval()
        try:
            parts = [self.images_of(noise[k : k + 64], *(c[k : k + 64] for c in given)) for k in range(0, count, 64)]
        finally:
            network.train(training)
        return torch.cat(parts).float()

    def drawn(self, images: Tensor) -> Any:
        """Images in [-1, 1] as one picture, as many rows as columns, small ones enlarged."""
        return tiles((images + 1) / 2, math.ceil(math.sqrt(len(images))), zoom=max(1, 64 // images.shape[-1]))

    def generate(
        self,
        data: Any,
        prompts: Sequence[str],
        *,
        samples: int = 64,
        seed: int = 0,
        grid: bool = True,
        interpolate: bool = False,
    ) -> Iterator[Output]:
        """Yields images made from noise, as one picture or one by one.

        Args:
            data: The datamodule, which is not used.
            prompts: Nothing: an image has no prompt.
            samples: How many images.
            seed: Of the noise.
            grid: All images in one picture; else a file for each.
            interpolate: An animation on the way from each image to the next, along great circles of the noise.

        Raises:
            UserError: A prompt was given, or no image asked for.
        """
        if prompts:
            raise UserError("--prompt: this model makes images from noise alone; --seed gives others")
        if samples < 1:
            raise UserError(f"--samples is {samples}: give at least 1")
        images = self.samples(samples, seed)
        if grid:
            yield Output(0, image=self.drawn(images), name=f"grid_{seed}")
        else:
            for row, image in enumerate(images):
                yield Output(row, image=self.drawn(image[None]), name=f"sample_{seed}_{row}")
        if interpolate:
            yield Output(0, frames=list(self.interpolation(seed)), name=f"interpolation_{seed}")

    @torch.no_grad()
    def interpolation(self, seed: int, stops: int = 4, steps: int = 10) -> Iterator[Any]:
        """Pictures of four images at a time that move between ``stops`` noises and back to the first."""
        generator = torch.Generator().manual_seed(seed)
        ends = [self.noise(4, generator) for _ in range(stops)]
        number = getattr(self.net, "num_classes", 0)
        given = [torch.arange(4, device=self.device) % number] if getattr(self.net, "num_conditions", 0) else []
        for begin, end in zip(ends, [*ends[1:], ends[0]], strict=True):
            for step in range(steps):
                angle = math.pi / 2 * step / steps
                yield self.drawn(self.images_of(begin * math.cos(angle) + end * math.sin(angle), *given))

    def predict_step(self, batch: Any, batch_idx: int) -> dict[str, Tensor]:
        """Returns ``score`` (B,); a conditional discriminator's is its largest over the classes, with ``label``."""
        x = batch if isinstance(batch, Tensor) else batch[0]
        net: Any = self.net
        if not getattr(net, "num_conditions", 0):
            return {"score": net.discriminator(2 * x - 1)}
        every = [
            net.discriminator(2 * x - 1, torch.full((len(x),), k, device=x.device)) for k in range(net.num_classes)
        ]
        score, label = torch.stack(every, 1).max(1)
        return {"score": score, "label": label}
