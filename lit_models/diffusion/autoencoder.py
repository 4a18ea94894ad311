"""A variational autoencoder of pictures: the first stage of latent diffusion.

Kingma and Welling 2014, "Auto-encoding variational Bayes"; Rombach et al. 2022, "High-resolution image synthesis with
latent diffusion models". Not in D2L.
The encoder makes of a picture a normal distribution over a smaller map of a few channels, and the decoder makes the
picture of a sample of it. A small weight of the divergence from N(0, 1) keeps the latents near the origin without
making the pictures blurred. Names and order of layers are those of diffusers' ``AutoencoderKL``, whose weights load.

Departs from Rombach et al.: squared error, without a perceptual loss and a discriminator; fewer channels.

    dive fit diffusion/autoencoder      digits at 28 pixels to 7 x 7 latents, offline
    dive fit diffusion/latent           diffusion of these latents
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchmetrics import MeanMetric

from common.messages import UserError, refuse_negative
from lit_models.cnn.lenet_features import lenet_features
from lit_models.diffusion.unet import PixelAttention, Resample, ResidualBlock
from lit_models.functional.generated_pictures import PictureScores
from lit_models.tasks.task import Task
from lit_models.tasks.trains import trains

EPS = 1e-6  # of the normalization: Rombach et al.'s, where the U-Net has 1e-5
LIMITS = (-30.0, 20.0)  # of the logarithm of a variance, which is exponentiated


class HalfSize(nn.Module):
    """A convolution to half the size. It reads one pixel more to the right and below, not at all four sides.

    Args:
        size: Channels.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(size, size, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.pad(x, (0, 1, 0, 1)))


class Level(nn.Module):
    """Residual blocks of one size, then a change to the next size. (B, in_size, H, W) -> (B, size, ...).

    Args:
        in_size, size: Channels.
        blocks: How many blocks.
        groups: Of the normalization.
        down: Whether the size is then halved (True) or doubled (False); None for neither.
    """

    def __init__(self, in_size: int, size: int, blocks: int, groups: int, down: bool | None = None) -> None:
        super().__init__()
        sizes = [in_size, *[size] * (blocks - 1)]
        self.resnets = nn.ModuleList(ResidualBlock(n, size, 0, groups, eps=EPS) for n in sizes)
        if down is not None:
            layer = HalfSize(size) if down else Resample(size, False)
            setattr(self, "downsamplers" if down else "upsamplers", nn.ModuleList([layer]))

    def forward(self, x: Tensor) -> Tensor:
        for name in ("resnets", "downsamplers", "upsamplers"):
            for layer in getattr(self, name, ()):
                x = layer(x)
        return x


class Middle(nn.Module):
    """Two residual blocks and attention of one head between them, at the smallest size.

    Args:
        size: Channels.
        groups: Of the normalization.
    """

    def __init__(self, size: int, groups: int) -> None:
        super().__init__()
        self.resnets = nn.ModuleList(ResidualBlock(size, size, 0, groups, eps=EPS) for _ in range(2))
        self.attentions = nn.ModuleList([PixelAttention(size, size, groups, EPS)])

    def forward(self, x: Tensor) -> Tensor:
        first, second = self.resnets
        return second(self.attentions[0](first(x)))


class Encoder(nn.Module):
    """Pictures (B, in_channels, S, S) -> (B, 2 latent_channels, S / 2^k, ...) for k + 1 widths.

    Args:
        in_channels, latent_channels, widths, blocks, groups: See ``AutoencoderKL``.
    """

    def __init__(self, in_channels: int, latent_channels: int, widths: Sequence[int], blocks: int, groups: int) -> None:
        super().__init__()
        self.conv_in = nn.Conv2d(in_channels, widths[0], 3, padding=1)
        self.down_blocks = nn.ModuleList()
        for k, (before, width) in enumerate(pairwise([widths[0], *widths])):
            self.down_blocks.append(Level(before, width, blocks, groups, True if k < len(widths) - 1 else None))
        self.mid_block = Middle(widths[-1], groups)
        self.conv_norm_out = nn.GroupNorm(groups, widths[-1], EPS)
        self.conv_out = nn.Conv2d(widths[-1], 2 * latent_channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv_in(x)
        for level in self.down_blocks:
            x = level(x)
        return self.conv_out(F.silu(self.conv_norm_out(self.mid_block(x))))


class Decoder(nn.Module):
    """Latents (B, latent_channels, s, s) -> pictures (B, in_channels, 2^k s, ...); a block more at each size.

    Args:
        in_channels, latent_channels, widths, blocks, groups: See ``AutoencoderKL``.
    """

    def __init__(self, in_channels: int, latent_channels: int, widths: Sequence[int], blocks: int, groups: int) -> None:
        super().__init__()
        self.conv_in = nn.Conv2d(latent_channels, widths[-1], 3, padding=1)
        self.mid_block = Middle(widths[-1], groups)
        self.up_blocks = nn.ModuleList()
        upwards = list(reversed(widths))
        for k, (before, width) in enumerate(pairwise([upwards[0], *upwards])):
            self.up_blocks.append(Level(before, width, blocks + 1, groups, False if k < len(widths) - 1 else None))
        self.conv_norm_out = nn.GroupNorm(groups, widths[0], EPS)
        self.conv_out = nn.Conv2d(widths[0], in_channels, 3, padding=1)

    def forward(self, z: Tensor) -> Tensor:
        z = self.mid_block(self.conv_in(z))
        for level in self.up_blocks:
            z = level(z)
        return self.conv_out(F.silu(self.conv_norm_out(z)))


class AutoencoderKL(nn.Module):
    """Pictures (B, in_channels, S, S), values about -1 to 1 -> their reconstructions from the mean latents.

    Args:
        in_channels: Channels of a picture.
        image_size: Height and width S in pixels, divisible by 2 for each width but the last.
        latent_channels: Channels of the latents.
        autoencoder_widths: Channels at each size, from the largest to the smallest.
        autoencoder_blocks: Residual blocks at each size of the encoder; the decoder has one more.
        autoencoder_groups: Of the normalization.

    Raises:
        UserError: The size or a width is not divisible.
    """

    def __init__(
        self,
        in_channels: int = 1,
        image_size: int = 28,
        latent_channels: int = 3,
        autoencoder_widths: Sequence[int] = (8, 8, 16),
        autoencoder_blocks: int = 1,
        autoencoder_groups: int = 4,
    ) -> None:
        super().__init__()
        latent_side(image_size, autoencoder_widths)
        if any(width % autoencoder_groups for width in autoencoder_widths):
            raise UserError(
                f"model.autoencoder_widths are {list(autoencoder_widths)}: give multiples of autoencoder_groups "
                f"({autoencoder_groups})"
            )
        sizes = (in_channels, latent_channels, autoencoder_widths, autoencoder_blocks, autoencoder_groups)
        self.encoder, self.decoder = Encoder(*sizes), Decoder(*sizes)
        self.quant_conv = nn.Conv2d(2 * latent_channels, 2 * latent_channels, 1)
        self.post_quant_conv = nn.Conv2d(latent_channels, latent_channels, 1)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The mean and the logarithm of the variance of each number of the latents, (B, latent_channels, s, s) each."""
        mean, log_variance = self.quant_conv(self.encoder(x)).chunk(2, 1)
        return mean, log_variance.clamp(*LIMITS)

    def decode(self, z: Tensor) -> Tensor:
        return self.decoder(self.post_quant_conv(z))

    def forward(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x)[0])


def latent_side(image_size: int = 28, autoencoder_widths: Sequence[int] = (8, 8, 16)) -> int:
    """The height and width of the latents of pictures.

    Args:
        image_size: Height and width of a picture in pixels.
        autoencoder_widths: Of ``AutoencoderKL``: each but the last halves the size.

    Raises:
        UserError: The size is not divisible.
    """
    by = 2 ** (len(autoencoder_widths) - 1)
    if image_size % by:
        raise UserError(
            f"data.image_size is {image_size}: {len(autoencoder_widths)} autoencoder_widths halve it "
            f"{len(autoencoder_widths) - 1} times, give a multiple of {by}"
        )
    return image_size // by


def divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """The Kullback-Leibler divergence of normal distributions (B, ...) from N(0, 1), in nats: a number for each row."""
    each = mean.square() + log_variance.exp() - 1 - log_variance
    return each.flatten(1).sum(1) / 2


def drawn(mean: Tensor, log_variance: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """A sample of normal distributions (B, ...), through which gradients pass to both."""
    noise = torch.randn(mean.shape, generator=generator, device=mean.device, dtype=mean.dtype)
    return mean + (log_variance / 2).exp() * noise


@trains(AutoencoderKL)
class LitAutoencoder(Task):
    """Trains an ``AutoencoderKL``. Batch: ``(x, y)``, x (B, C, S, S) in [0, 1]; y is looked at in the test only.

    Logs ``train/loss``, ``val/loss`` (from the mean latents), and in the test ``test/psnr`` of the reconstructions in
    decibels, ``test/kl`` (nats of a picture), ``test/scale``, the factor that brings the latents to variance 1, and of
    digits in gray ``test/agreement``, the fraction in whose reconstruction an independent classifier sees the right
    digit, and ``test/fid``, "FID (LeNet features)" of reconstructions, with its floor.

    Args:
        kl_weight: Of the divergence from N(0, 1) beside the squared error, both in units of a pixel's value.
        in_channels: Channels of a picture.
        **task: See ``Task``.
    """

    output_means = "Reconstructions of pictures, both between -1 and 1."

    def __init__(self, kl_weight: float = 0.001, in_channels: int = 1, **task: Any) -> None:
        super().__init__(**task)
        refuse_negative(kl_weight=kl_weight)
        self.kl_weight, self.gray = kl_weight, in_channels == 1
        self.means = nn.ModuleDict({name: MeanMetric() for name in ("loss", "error", "kl", "first", "second")})
        self.val_loss, self.scores = MeanMetric(), PictureScores()

    @property
    def measured(self) -> bool:  # LeNet's features mean something for digits alone
        return self.gray and self.data_attribute("digits", False)

    def parts(self, x: Tensor, sampled: bool) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Of pictures in [0, 1]: reconstructions in [0, 1], mean latents, the loss, the divergence of each (B,)."""
        net: Any = self.net
        mean, log_variance = net.encode(2 * x - 1)
        found = net.decode(drawn(mean, log_variance) if sampled else mean)
        kl = divergence(mean.float(), log_variance.float())
        loss = F.mse_loss(found.float(), 2 * x - 1) + self.kl_weight * kl.mean() / x[0].numel()
        return (found + 1) / 2, mean, loss, kl

    def training_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> Tensor:
        _, _, loss, _ = self.parts(batch[0], sampled=True)
        self.record_train_loss(loss, len(batch[0]))
        return loss

    def validation_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> None:
        _, _, loss, _ = self.parts(batch[0], sampled=False)
        self.val_loss.update(loss, len(batch[0]))

    def on_validation_epoch_end(self) -> None:
        self.log("val/loss", self.val_loss, prog_bar=True)

    def test_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> dict[str, Tensor]:
        x, *rest = batch
        found, mean, loss, kl = self.parts(x, sampled=False)
        found = found.clamp(0, 1)
        values = {"loss": loss, "error": (found - x).square().mean(), "kl": kl.mean()}
        for name, value in (values | {"first": mean.mean(), "second": mean.square().mean()}).items():
            self.means[name].update(value, len(x))  # type: ignore[operator]
        if self.measured:
            network = lenet_features(x.device)
            self.scores.update(network(x.float())[0], real=True)
            features, logits = network(found.float())
            self.scores.update(features, real=False, right=logits.argmax(1) == rest[0] if rest else None)
        return {"samples": found}

    def on_test_epoch_end(self) -> None:
        found = {name: mean.compute() for name, mean in self.means.items()}  # type: ignore[operator]
        spread = found["second"] - found["first"].square()
        self.log_dict({"test/loss": found["loss"], "test/kl": found["kl"], "test/scale": spread.rsqrt()})
        self.log("test/psnr", -10 * found["error"].log10())
        for mean in self.means.values():
            mean.reset()  # type: ignore[operator]
        if self.measured:
            scores = self.scores.compute()
            self.log_dict({f"test/{n}": scores[n] for n in ("fid", "fid_floor", "agreement") if n in scores})
            self.scores.reset()

    def predict_step(self, batch: Any, batch_idx: int) -> dict[str, Tensor]:
        """Returns ``error`` (B,), each picture's mean squared error in [0, 1], and ``kl`` (B,) in nats."""
        x = batch if isinstance(batch, Tensor) else batch[0]
        found, _, _, kl = self.parts(x, sampled=False)
        return {"error": (found.clamp(0, 1) - x).square().flatten(1).mean(1), "kl": kl}
