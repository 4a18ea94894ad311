"""Video made by diffusion: a U-Net for pictures whose pixels also attend to themselves at other times.

Ho et al. 2022, "Video diffusion models". Not in D2L.
The U-Net of ``lit_models/diffusion/unet.py`` sees each frame by itself. Behind each of its blocks each pixel attends to
the same place in all frames: attention factorized over space and time, without which the frames would be pictures that
have nothing to do with each other. Noise levels, predictions and samplers are those of ``lit_models/diffusion``.
Departs from the paper: learned vectors of the frames' numbers instead of relative ones.

    dive fit video/diffusion     digits that move, offline; a minute
    dive generate video/diffusion --class right --samples 4

The numbers it reaches are in RESULTS.md.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from common.data_protocol import attribute_of
from common.generation import Output
from common.messages import UserError
from lit_models.diffusion.ddpm import Diffusion
from lit_models.diffusion.pictures import classes_of
from lit_models.diffusion.unet import UNet
from lit_models.functional.diffusion_samplers import Variance
from lit_models.functional.drawing import tiles
from lit_models.tasks.trains import trains


class TimeAttention(nn.Module):
    """Each pixel attends to its place in all frames of its clip. (B T, size, H, W) -> the same.

    Args:
        size: Channels.
        num_frames: T.
        head_size: Of an attention head.
        groups: Of the normalization.
    """

    def __init__(self, size: int, num_frames: int, head_size: int, groups: int) -> None:
        super().__init__()
        self.num_frames, self.heads = num_frames, size // head_size
        self.norm = nn.GroupNorm(groups, size)
        self.frames = nn.Parameter(torch.randn(num_frames, size) * 0.02)
        self.qkv = nn.Linear(size, 3 * size)
        self.out = nn.Linear(size, size)

    def forward(self, x: Tensor) -> Tensor:
        b, c, h, w = x.shape
        t = self.num_frames
        pixels = self.norm(x).view(b // t, t, c, h * w).permute(0, 3, 1, 2).reshape(-1, t, c)  # (B HW, T, C)
        q, k, v = self.qkv(pixels + self.frames).view(-1, t, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        attended = self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(-1, t, c))
        return x + attended.view(b // t, h * w, t, c).permute(0, 2, 3, 1).reshape(b, c, h, w)


class SpaceTime(nn.Module):
    """Attention over the pixels of a frame, where there is some, then over the frames.

    Args:
        space: Maps (B T, size, H, W) to the same.
        time: The same.
    """

    def __init__(self, space: nn.Module, time: nn.Module) -> None:
        super().__init__()
        self.space, self.time = space, time

    def forward(self, x: Tensor) -> Tensor:
        return self.time(self.space(x))


class VideoUNet(nn.Module):
    """Clips x (B, in_channels, T, S, S) at levels t (B,), of classes y (B,) -> predictions of the same shape.

    Args:
        in_channels, num_frames, image_size: Of the clips.
        num_classes: Number of classes; 0 for none. The network has one more, "no class".
        widths: Channels at each size, from the largest to the smallest.
        attention: At how many of the sizes, from the smallest, each pixel attends to all of its frame.
        groups: Of the normalization.
        head_size: Channels of an attention head.
        variance: ``learned`` gives the output twice the channels, see ``Diffusion``.

    Raises:
        UserError: The size or a width is not divisible.
    """

    def __init__(
        self,
        in_channels: int = 1,
        num_frames: int = 8,
        image_size: int = 16,
        num_classes: int = 0,
        widths: Sequence[int] = (32, 64),
        attention: int = 1,
        groups: int = 8,
        head_size: int = 8,
        variance: Variance = "small",
    ) -> None:
        super().__init__()
        sizes: dict[str, Any] = {"attention": attention, "groups": groups, "head_size": head_size}
        self.frames = UNet(in_channels, image_size, num_classes, widths, variance=variance, **sizes)
        last = len(widths) - 1
        down: list[tuple[Any, int]] = [(stage, widths[k]) for k, stage in enumerate(self.frames.down_blocks)]
        up: list[tuple[Any, int]] = [(stage, widths[last - k]) for k, stage in enumerate(self.frames.up_blocks)]
        for stage, width in [*down, (self.frames.mid_block, widths[last]), *up]:
            space = list(getattr(stage, "attentions", ()))
            if stage is not self.frames.mid_block:  # which attends between its blocks only
                space += [nn.Identity()] * (len(stage.resnets) - len(space))
            stage.attentions = nn.ModuleList(
                SpaceTime(part, TimeAttention(width, num_frames, head_size, groups)) for part in space
            )

    def forward(self, x: Tensor, t: Tensor, y: Tensor | None = None) -> Tensor:
        b, _, frames = x.shape[:3]
        each = [None if part is None else part.repeat_interleave(frames) for part in (t, y)]
        found = self.frames(x.transpose(1, 2).flatten(0, 1), *each)  # (B T, C, S, S)
        return found.unflatten(0, (b, frames)).transpose(1, 2)


@trains(VideoUNet)
class LitVideoDiffusion(Diffusion):
    """Diffusion of clips in [0, 1] with classes.

    Args:
        in_channels, num_frames, image_size: Of the clips.
        num_classes: Number of classes.
        **task: See ``Diffusion``.
    """

    def __init__(
        self, in_channels: int = 1, num_frames: int = 8, image_size: int = 16, num_classes: int = 0, **task: Any
    ) -> None:
        super().__init__(num_classes=num_classes, **task)
        self.of_pictures, self.bins = True, 256
        self.shape = (in_channels, num_frames, image_size, image_size)
        zero = torch.zeros(1, dtype=torch.long)
        self.example_input = (torch.zeros(1, *self.shape), zero, zero)

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> dict[str, Tensor]:
        x = batch[0].flatten(0, -5)  # a video may have several clips
        return super().test_step((x, batch[1].repeat_interleave(len(x) // len(batch[1]))), batch_idx)

    def predict_step(self, batch: Any, batch_idx: int) -> dict[str, Tensor]:
        """Returns ``bound`` (B,), see ``Diffusion``: a mean over the clips of a video."""
        x = batch if isinstance(batch, Tensor) else batch[0]
        return {"bound": super().predict_step(x.flatten(0, -5), batch_idx)["bound"].view(len(x), -1).mean(1)}

    def generate(
        self,
        data: Any,
        prompts: Sequence[str],
        *,
        class_: Sequence[str] = (),
        samples: int = 2,
        sampler: Literal["", "ancestral", "ddim", "euler", "heun", "dpm"] = "",
        steps: int = 0,
        guidance: float = -1.0,
        seed: int = 0,
    ) -> Iterator[Output]:
        """Yields an animation of each class, its clips side by side.

        Args:
            data: The datamodule, with the names of its classes.
            prompts: None: classes are given by ``class_``.
            class_: Names or numbers of classes; all of them if empty.
            samples: Clips of each class.
            sampler: How they are made; the model's own if empty.
            steps: Steps of the sampler; 0 for the model's own number.
            guidance: Classifier-free guidance, 1 for none; the model's own if negative.
            seed: Of the noise.
        """
        if prompts:
            raise UserError("a model of clips has no prompt: leave out --prompt, give --class")
        if samples < 1:
            raise UserError(f"--samples is {samples}: give at least 1")
        numbers = classes_of(self.num_classes, data, class_)
        names = attribute_of(data, "class_names") or [str(k) for k in range(self.num_classes)]
        chosen = [names[number] for number in numbers] or ["clips"]
        y = torch.tensor(numbers, device=self.device).repeat_interleave(samples) if numbers else None
        how: dict[str, Any] = {"seed": seed, "sampler": sampler, "steps": steps, "last_only": True}
        (made,) = self.sample(
            (len(chosen) * samples, *self.shape), y, guidance=guidance if guidance >= 0 else None, **how
        )
        zoom = max(1, 64 // self.shape[-1])
        for k, word in enumerate(chosen):
            clips = made[k * samples : (k + 1) * samples]
            frames = [tiles(clips[:, :, time], samples, zoom) for time in range(self.shape[1])]
            yield Output(k, frames=frames, name=word.replace(" ", "_"))
