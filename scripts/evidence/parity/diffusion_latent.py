"""Latent diffusion's autoencoder, and what is done with its latents, against diffusers, on the same weights."""

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lit_models.diffusion.autoencoder import AutoencoderKL, HalfSize, divergence
from lit_models.diffusion.latent import LitLatent
from scripts.evidence.parity.diffusion import diffusers
from scripts.evidence.verify import Check, Tensors

WIDTHS = (8, 8, 16)


class AllSides(HalfSize):
    """The wrong version: zeros at all four sides, as in the U-Net."""

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.conv.weight, self.conv.bias, stride=2, padding=1)


def our_autoencoder(one_sided: bool = True) -> AutoencoderKL:
    torch.manual_seed(3)
    net = AutoencoderKL(2, 16, 3, WIDTHS, autoencoder_blocks=2).double()
    for p in net.parameters():
        nn.init.normal_(p, std=0.2)
    for module in net.modules():
        if isinstance(module, HalfSize) and not one_sided:
            module.__class__ = AllSides
    return net


def their_autoencoder() -> Any:
    levels = len(WIDTHS)
    net = diffusers().AutoencoderKL(
        in_channels=2,
        out_channels=2,
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        block_out_channels=WIDTHS,
        layers_per_block=2,
        latent_channels=3,
        norm_num_groups=4,
        sample_size=16,
    )
    net = net.double()
    net.load_state_dict(our_autoencoder().state_dict())
    return net


def autoencoder_quantities(net: Any, package: bool) -> Tensors:
    """Of one sample of the latents: what is encoded and decoded, the divergence, the loss's gradients."""
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(3, 2, 16, 16, generator=generator, dtype=torch.float64).requires_grad_()
    noise = torch.randn(3, 3, 4, 4, generator=generator, dtype=torch.float64)
    if package:
        found = net.encode(x).latent_dist
        mean, log_variance, kl = found.mean, found.logvar, found.kl()
        decoded = net.decode(mean + found.std * noise).sample
    else:
        mean, log_variance = net.encode(x)
        kl = divergence(mean, log_variance)
        decoded = net.decode(mean + (log_variance / 2).exp() * noise)
    ((decoded - x).square().mean() + 0.01 * kl.mean()).backward()
    grads: dict[str, Any] = {f"grad {name}": p.grad for name, p in net.named_parameters()}
    values = {"mean": mean, "log variance": log_variance, "divergence": kl, "decoded": decoded}
    return {name: value.detach() for name, value in values.items()} | {"grad x": x.grad} | grads  # type: ignore[dict-item]


SCALE = 0.7


def pictures() -> Tensor:
    return torch.rand(3, 2, 16, 16, generator=torch.Generator().manual_seed(2), dtype=torch.float64)


def our_stage(inverted: bool = False) -> Tensors:
    """``inverted``: the latents are divided by the factor and multiplied on the way back."""
    sizes: dict[str, Any] = {"autoencoder_widths": WIDTHS, "autoencoder_blocks": 2}
    model = LitLatent(in_channels=2, image_size=16, hidden_size=8, num_layers=1, num_heads=1, **sizes).double().eval()
    model.first_stage.load_state_dict(our_autoencoder().state_dict())
    model.scale.fill_(1 / SCALE if inverted else SCALE)
    latents = model.encode(pictures())
    return {"latents": latents, "decoded": model.decode(latents + 0.1)}


def their_stage() -> Tensors:
    """As diffusers' pipelines and training scripts use an autoencoder."""
    from diffusers.image_processor import VaeImageProcessor

    net, processor = their_autoencoder(), VaeImageProcessor()
    with torch.no_grad():
        latents = net.encode(processor.normalize(pictures())).latent_dist.mode() * SCALE
        decoded = net.decode((latents + 0.1) / SCALE).sample
    return {"latents": latents, "decoded": processor.postprocess(decoded, output_type="pt")}


CHECKS = [
    Check(
        name="diffusion/autoencoder",
        claim="the autoencoder: latents, divergence, reconstructions and gradients, weights by key",
        package="diffusers",
        ours=lambda: autoencoder_quantities(our_autoencoder(), False),
        reference=lambda: autoencoder_quantities(their_autoencoder(), True),
        control=lambda: autoencoder_quantities(our_autoencoder(one_sided=False), False),
        mistake="zeros at all four sides where the size is halved",
    ),
    Check(
        name="diffusion/latent",
        claim="latents scaled by one factor, and decoded pictures",
        package="diffusers",
        ours=our_stage,
        reference=their_stage,
        control=partial(our_stage, inverted=True),
        mistake="divided by the factor, and multiplied on the way back",
        without="gradients: the first stage is frozen",
    ),
]
