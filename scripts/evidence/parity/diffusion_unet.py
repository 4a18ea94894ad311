"""The U-Net, DiT and the average of the weights against diffusers' classes, on the same weights."""

import re
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from callbacks.weight_averaging import decay_after
from lit_models.diffusion.dit import DiT
from lit_models.diffusion.unet import UNet
from scripts.evidence.parity.diffusion import diffusers
from scripts.evidence.verify import Check, Tensors


def ours_net() -> UNet:
    torch.manual_seed(3)
    net = UNet(3, 8, num_classes=4, widths=(8, 16), blocks=2, attention=1, groups=4, head_size=8).double()
    for p in net.parameters():
        nn.init.normal_(p, std=0.2)
    return net


def their_net() -> Any:
    net = (
        diffusers()
        .UNet2DModel(
            sample_size=8,
            in_channels=3,
            out_channels=3,
            block_out_channels=(8, 16),
            layers_per_block=2,
            down_block_types=("DownBlock2D", "AttnDownBlock2D"),
            up_block_types=("AttnUpBlock2D", "UpBlock2D"),
            norm_num_groups=4,
            attention_head_dim=8,
            num_class_embeds=5,
        )
        .double()
    )
    net.load_state_dict(ours_net().state_dict())
    return net


def quantities(net: nn.Module, shift: float = 0.0) -> Tensors:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(3, 3, 8, 8, generator=generator, dtype=torch.float64).requires_grad_()
    t, y = torch.tensor([0.0, 3.0, 700.0], dtype=torch.float64) + shift, torch.tensor([1, 4, 0])
    found = net(x, t.float(), y)  # diffusers computes the features of a level in single precision
    found = found if isinstance(found, Tensor) else found.sample
    found.square().mean().backward()
    grads = {f"grad {name}": p.grad for name, p in net.named_parameters()}
    return {"prediction": found.detach(), "grad x": x.grad, **grads}  # type: ignore[dict-item]


def our_dit() -> DiT:
    torch.manual_seed(3)
    net = DiT(2, 8, num_classes=4, patch_size=2, hidden_size=16, num_layers=2, num_heads=2, variance="learned").double()
    for p in net.parameters():
        nn.init.normal_(p, std=0.2)
    return net


def their_dit() -> Any:
    sizes: dict[str, Any] = {"num_attention_heads": 2, "attention_head_dim": 8, "num_layers": 2, "sample_size": 8}
    net = diffusers().DiTTransformer2DModel(in_channels=2, out_channels=4, num_embeds_ada_norm=4, **sizes)
    net = net.double().eval()  # it drops classes in training by itself
    net.load_state_dict(our_dit().state_dict())
    return net


def dit_quantities(net: nn.Module, gates: bool = True) -> Tensors:
    """``gates``: without them each block adds what it computes."""
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(3, 2, 8, 8, generator=generator, dtype=torch.float64).requires_grad_()
    if not gates:
        for block in net.transformer_blocks:  # type: ignore[union-attr]
            size = block.attn1.to_q.in_features
            for part in (slice(2 * size, 3 * size), slice(5 * size, None)):
                nn.init.zeros_(block.norm1.linear.weight[part])
                nn.init.ones_(block.norm1.linear.bias[part])
    found = net(x, torch.tensor([0.0, 3.0, 700.0]), torch.tensor([1, 4, 0]))
    found = found if isinstance(found, Tensor) else found.sample
    found.square().mean().backward()
    grads: dict[str, Any] = {}
    for name, p in net.named_parameters():  # the embedding's copies are one module here
        key = re.sub(r"blocks\.\d+\.norm1\.emb", "blocks.0.norm1.emb", f"grad {name}")
        grads[key] = grads.get(key, 0) + p.grad
    return {"prediction": found.detach(), "grad x": x.grad, **grads}  # type: ignore[dict-item]


def averaged(package: bool, shift: int = 0) -> Tensors:
    """A weight that moves, averaged over 40 steps."""
    weight = nn.Parameter(torch.zeros(3, dtype=torch.float64))
    average: Any = diffusers().training_utils.EMAModel([weight], decay=0.8) if package else weight.detach().clone()
    for k in range(40):
        weight.data += torch.sin(torch.arange(3, dtype=torch.float64) + k)
        if package:
            average.step([weight])
        elif k:  # of the first step diffusers takes the weights as they are, and so does torch's AveragedModel
            average = torch.lerp(weight.data, average, decay_after(k + shift, 0.8))
        else:
            average = weight.detach().clone()
    return {"average": average.shadow_params[0] if package else average}


CHECKS = [
    Check(
        name="diffusion/unet",
        claim="U-Net with classes and attention: predictions and gradients, weights by key",
        package="diffusers",
        ours=lambda: quantities(ours_net()),
        reference=lambda: quantities(their_net()),
        control=lambda: quantities(ours_net(), shift=1.0),
        mistake="levels counted from 1",
    ),
    Check(
        name="diffusion/dit",
        claim="DiT with classes and a learned variance: predictions and gradients, weights by key",
        package="diffusers",
        ours=lambda: dit_quantities(our_dit()),
        reference=lambda: dit_quantities(their_dit()),
        control=lambda: dit_quantities(our_dit(), gates=False),
        mistake="adaptive normalization without gates",
    ),
    Check(
        name="diffusion/weight_averaging",
        claim="the average of the weights with warm-up, over 40 steps",
        package="diffusers",
        ours=partial(averaged, package=False),
        reference=partial(averaged, package=True),
        control=partial(averaged, package=False, shift=1),
        mistake="the decay of the next step",
        without="gradients: an average has none",
    ),
]
