"""Latent diffusion: the levels of noise are those of an autoencoder's latents, and samples are decoded.

Rombach et al. 2022, "High-resolution image synthesis with latent diffusion models"; the network is the transformer of
Peebles and Xie 2023 (``dit.py``). Not in D2L.
The first stage (``autoencoder.py``) is trained before and frozen. What it makes of the first batch is measured, and all
latents are multiplied by one factor that brings that batch to variance 1, which the checkpoint keeps, with the first
stage itself. Training draws latents from the encoder's distribution; an evaluation takes their means.

    dive fit diffusion/latent                     digits at 28 pixels, with the first stage beside this file
    dive generate diffusion/latent --class 3 --guidance 2 --grid
    dive fit diffusion/autoencoder                a first stage of your own, then
    dive fit diffusion/latent --model.first_stage RUN

The numbers it reaches are in RESULTS.md.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from common.messages import UserError
from lit_models.diffusion.autoencoder import AutoencoderKL, drawn, latent_side
from lit_models.diffusion.dit import DiT
from lit_models.diffusion.pictures import PictureDiffusion
from lit_models.layers.pretrained import load_weights
from lit_models.layers.weight_files import find_file
from lit_models.tasks.trains import trains

DIGITS = Path(__file__).with_name("autoencoder.safetensors")  # of the recipe diffusion/autoencoder at seed 0


def channels(latent_channels: int = 3) -> int:
    """What the network sees.

    Args:
        latent_channels: Channels of the latents.
    """
    return latent_channels


@trains(DiT, in_channels=channels, image_size=latent_side)
class LitLatent(PictureDiffusion):
    """Diffusion of the latents of pictures in [0, 1], with classes.

    Logs what ``PictureDiffusion`` does, but for the bound: that of latents says nothing of pixels.

    Args:
        in_channels: Channels of a picture.
        image_size: Height and width of a picture in pixels.
        num_classes: Number of classes.
        first_stage: A run of ``diffusion/autoencoder``, or a file of its weights, with the sizes below; empty for the
            one of digits that is beside this file. It is read at the start of training and then in the checkpoint.
        latent_channels, autoencoder_widths, autoencoder_blocks, autoencoder_groups: Its sizes.
        **task: See ``Diffusion``.
    """

    scale: Tensor

    def __init__(
        self,
        in_channels: int = 1,
        image_size: int = 28,
        num_classes: int = 0,
        first_stage: str = "",
        latent_channels: int = 3,
        autoencoder_widths: Sequence[int] = (8, 8, 16),
        autoencoder_blocks: int = 1,
        autoencoder_groups: int = 4,
        **task: Any,
    ) -> None:
        super().__init__(in_channels=in_channels, image_size=image_size, num_classes=num_classes, **task)
        self.sizes: dict[str, Any] = {
            "in_channels": in_channels,
            "image_size": image_size,
            "latent_channels": latent_channels,
            "autoencoder_widths": list(autoencoder_widths),
            "autoencoder_blocks": autoencoder_blocks,
            "autoencoder_groups": autoencoder_groups,
        }
        self.first_stage = AutoencoderKL(**self.sizes).requires_grad_(False)
        self.first_stage_source, self.first_stage_wanted = first_stage or str(DIGITS), True
        self.scale_wanted = True
        self.register_buffer("scale", torch.zeros(()))  # 0: not measured yet
        side = latent_side(image_size, autoencoder_widths)
        self.data_shape, self.bins = (latent_channels, side, side), 0
        zero = torch.zeros(1, dtype=torch.long)
        self.example_input = (torch.zeros(1, *self.data_shape), zero, zero)

    # -- the first stage ---------------------------------------------------------------------------------------------

    def _read_weights(self) -> None:
        super()._read_weights()
        if self.first_stage_wanted:
            self.first_stage_wanted = False
            try:
                if find_file(self.first_stage_source) is None:
                    raise UserError(
                        f"there is no {self.first_stage_source}: give the folder of a run of diffusion/autoencoder, "
                        "or one of its checkpoints"
                    )
                load_weights(self.first_stage, self.first_stage_source, self.sizes)
            except UserError as error:
                raise UserError(f"model.first_stage: {str(error).removeprefix('weights: ')}") from None

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_load_checkpoint(checkpoint)
        self.first_stage_wanted = False

    def on_train_batch_start(self, batch: tuple[Tensor, ...], batch_idx: int) -> None:
        if self.scale_wanted:
            self.scale_wanted = False
            if not self.scale:  # a resumed run has one
                with torch.no_grad():
                    factor = 1 / self.latents(batch[0]).float().std()
                self.scale.copy_(self.trainer.strategy.broadcast(factor))

    def latents(self, x: Tensor) -> Tensor:
        """The latents of pictures, as the first stage makes them."""
        mean, log_variance = self.first_stage.encode(2 * x - 1)
        return drawn(mean, log_variance) if self.training else mean

    def encode(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            return self.latents(x) * torch.where(self.scale > 0, self.scale, 1.0)

    def decode(self, data: Tensor) -> Tensor:
        found = self.first_stage.decode(data / torch.where(self.scale > 0, self.scale, 1.0))
        return ((found + 1) / 2).clamp(0, 1)

    # -- what differs from pixels ------------------------------------------------------------------------------------

    def fill(self, x: Tensor, keep: Tensor, *given: Any, **options: Any) -> Iterator[Tensor]:
        """As ``Diffusion.fill``: a latent is kept if all pixels of its square are, and kept pixels are not decoded."""
        size = x.shape[-1] // self.data_shape[-1]
        lost = F.max_pool2d((~keep).to(x), size)
        for state in super().fill(x, lost < 0.5, *given, **options):
            yield torch.where(keep, x, state)

    def predict_step(self, batch: Any, batch_idx: int) -> dict[str, Tensor]:
        """Returns ``bound``, the variational bound of -log p of each picture's latents in nats (B,)."""
        data = self.encode(batch if isinstance(batch, Tensor) else batch[0])
        return {"bound": self.bound(data, None, batch_idx, 4)}
