"""Diffusion of pictures, with the class that is asked for: what is measured, and what is generated.

Ho et al. 2020; Ho and Salimans 2022, "Classifier-free diffusion guidance". Not in D2L.
The network is a leaf's: a U-Net (``digits.py``), a transformer (``dit.py``), or one of latents (``latent.py``).
"""

from collections.abc import Iterator, Sequence
from math import log
from typing import Any, Literal

import torch
from torch import Tensor
from torchmetrics import MeanMetric

from common.data_protocol import attribute_of
from common.generation import Output
from common.messages import UserError
from lit_models.cnn.lenet_features import lenet_features
from lit_models.diffusion.ddpm import Diffusion
from lit_models.functional.diffusion_samplers import Sampler
from lit_models.functional.drawing import tiles
from lit_models.functional.generated_pictures import PictureScores, frechet_distance
from lit_models.functional.picture_files import read_mask, read_picture


class PictureDiffusion(Diffusion):
    """Diffusion of pictures in [0, 1] with classes.

    Besides the loss, logs ``test/bits_per_dim`` (a bound, with the intervals of 256 values) and, of digits in gray,
    ``test/agreement`` with the class asked for, ``test/fid`` and ``test/fid_floor`` with LeNet's features,
    ``test/kid``, ``test/precision``, ``test/recall``.

    Args:
        in_channels: Channels of a picture.
        image_size: Height and width in pixels.
        num_classes: Number of classes.
        **task: See ``Diffusion``.
    """

    def __init__(self, in_channels: int = 1, image_size: int = 28, num_classes: int = 0, **task: Any) -> None:
        super().__init__(num_classes=num_classes, **task)
        self.of_pictures, self.bins = True, 256
        self.shape = self.data_shape = (in_channels, image_size, image_size)  # of a picture; of what is diffused
        zero = torch.zeros(1, dtype=torch.long)
        self.example_input = (torch.zeros(1, *self.shape), zero, zero)
        self.bits = MeanMetric()
        self.scores = PictureScores()

    @property
    def measured(self) -> bool:
        """Whether LeNet's features mean something for these pictures: the data says that they are digits."""
        return self.shape[0] == 1 and self.num_classes in (0, 10) and self.data_attribute("digits", False)

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> dict[str, Tensor]:
        super().test_step(batch, batch_idx)
        x, y = batch
        seed = self.global_rank + 1000 * batch_idx
        asked = y if self.num_classes else None
        if self.bins:
            self.bits.update(self.bound(self.encode(x), asked, seed, 4) / (x[0].numel() * log(2)))
        (samples,) = self.sample((len(x), *self.data_shape), asked, seed, last_only=True)
        if self.measured:
            network = lenet_features(x.device)
            self.scores.update(network(x.float())[0], real=True)
            features, logits = network(samples.float())
            self.scores.update(features, real=False, right=logits.argmax(1) == y if asked is not None else None)
        return {"samples": samples}

    def on_test_epoch_end(self) -> None:
        super().on_test_epoch_end()
        if self.bins:
            self.log("test/bits_per_dim", self.bits)
        if self.measured:
            self.log_dict({f"test/{name}": value for name, value in self.scores.compute().items()})
            self.scores.reset()  # Lightning resets only metrics that are logged as such

    def quality(self, x: Tensor, y: Tensor, sampler: Sampler, steps: int) -> Tensor:
        """The Fréchet distance (LeNet's features) of real x (B, C, H, W) and as many samples of the classes y (B,).

        Without guidance, which makes samples clearer and less various than the data.
        """
        asked = y if self.num_classes else None
        how: dict[str, Any] = {"sampler": sampler, "steps": steps, "guidance": 1.0, "last_only": True}
        (samples,) = self.sample((len(x), *self.data_shape), asked, **how)
        network = lenet_features(x.device)
        return frechet_distance(network(x.float())[0], network(samples.float())[0])

    def predict_step(self, batch: Any, batch_idx: int) -> dict[str, Tensor]:
        """Returns ``bits_per_dim`` of each picture (B,), a bound: unusual pictures have a high one."""
        data = self.encode(batch if isinstance(batch, Tensor) else batch[0])
        return {"bits_per_dim": self.bound(data, None, batch_idx, 4) / (data[0].numel() * log(2))}

    def generate(
        self,
        data: Any,
        prompts: Sequence[str],
        *,
        class_: Sequence[str] = (),
        samples: int = 8,
        sampler: Literal["", "ancestral", "ddim", "euler", "heun", "dpm"] = "",
        steps: int = 0,
        eta: float = 0.0,
        guidance: float = -1.0,
        rescale: float = 0.0,
        seed: int = 0,
        grid: bool = False,
        gif: bool = False,
        image: str = "",
        mask: str = "",
        repeats: int = 5,
    ) -> Iterator[Output]:
        """Yields pictures of each class; with ``mask`` the picture ``image`` filled in; with ``image`` alone, pictures
        from the noise that DDIM makes it of.

        Args:
            data: The datamodule, with the names of its classes.
            prompts: None: classes are given by ``class_``.
            class_: Names or numbers of classes; all of them if empty.
            samples: Pictures of each class.
            sampler: How they are made; the model's own if empty.
            steps: Steps of the sampler; 0 for the model's own number.
            eta: Noise of ddim, 0 to 1.
            guidance: Classifier-free guidance, 1 for none; the model's own if negative.
            rescale: How much of the contrast that guidance adds is taken back, 0 to 1.
            seed: Of the noise.
            grid: One picture of all, a class in each row, instead of a file for each.
            gif: Whether an animation of the steps is made too.
            image: A file: the picture that is filled in or changed, of a digit in white on black.
            mask: A file of the same size: what is white in it is made anew, the rest is kept. Of both the middle square
                is used.
            repeats: How often each step is taken when a picture is filled in.
        """
        if prompts:
            raise UserError("a model of pictures has no prompt: leave out --prompt, give --class")
        if samples < 1:
            raise UserError(f"--samples is {samples}: give at least 1")
        if mask and not image:
            raise UserError("--mask says what of a picture is made anew: give the picture with --image")
        if repeats < 1:
            raise UserError(f"--repeats is {repeats}: give at least 1")
        classes = classes_of(self.num_classes, data, class_)
        samples = 1 if image and not mask else samples  # one noise, one picture of each class
        y = torch.tensor(classes, device=self.device).repeat_interleave(samples) if classes else None
        count = len(classes or [0]) * samples
        how: dict[str, Any] = {"seed": seed, "steps": steps, "guidance": guidance if guidance >= 0 else None}
        how["last_only"] = not gif
        if mask:
            keep = read_mask(mask, image, self.shape).to(self.device)
            given = read_picture(image, self.shape).to(self.device).expand(count, -1, -1, -1)
            states = list(self.fill(given, keep, y, repeats=repeats, **how))
        else:
            how |= {"sampler": sampler, "eta": eta, "rescale": rescale}
            if image:
                noise = self.noise_of(read_picture(image, self.shape).to(self.device), steps=steps)
                how |= {"sampler": sampler or "ddim", "noise": noise.expand(count, -1, -1, -1)}
            states = list(self.sample((count, *self.data_shape), y, **how))
        zoom = max(1, 64 // self.shape[-1])
        kept = states[:: max(1, len(states) // 40)] + states[-1:] if gif else []
        if grid or gif:
            frames = [tiles(x, samples, zoom) for x in kept]
            sheet = tiles(states[-1], samples, zoom) if grid else None
            yield Output(0, image=sheet, frames=frames, name="grid")
        for k, picture in enumerate(states[-1] if not grid else ()):
            name = f"class_{classes[k // samples]}_{k % samples}" if classes else f"sample_{k}"
            yield Output(k, image=tiles(picture[None], 1), name=name)


def classes_of(num_classes: int, data: Any, wanted: Sequence[str]) -> list[int]:
    """The numbers of the classes asked for, all without any; empty for a model without classes.

    Args:
        num_classes: Of the model.
        data: The datamodule, with the names of its classes.
        wanted: Names or numbers.

    Raises:
        UserError: The model has no such class.
    """
    if not num_classes:
        if wanted:
            raise UserError("this model has no classes: leave out --class")
        return []
    names = attribute_of(data, "class_names") or [str(k) for k in range(num_classes)]
    for word in wanted:
        if word not in names and not (word.isdecimal() and int(word) < num_classes):
            known = f"{names[0]} to {names[-1]}" if len(names) > 12 else ", ".join(names)
            raise UserError(f"--class {word}: no such class; the model has {known}")
    return [names.index(w) if w in names else int(w) for w in wanted] or list(range(num_classes))
