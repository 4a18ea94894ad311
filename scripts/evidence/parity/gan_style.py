"""StyleGAN2 and GANformer against their formulas, written out from a dictionary of weights.

The references loop over samples, filter before they convolve, and know nothing of our layers. The numbers of the
published GANformer code itself are compared in ``tests/lit_models/gan/test_ganformer.py``, where its files are there.
"""

import math
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from lit_models.gan.ganformer import GANformer
from lit_models.gan.stylegan2 import StyleGAN2
from scripts.evidence.parity.gan_style_layers import State, convolved, dense, leaky, modulated
from scripts.evidence.verify import Check, Tensors

# -- whole networks -------------------------------------------------------------------------------------------------


def attended(
    s: State, at: str, x: Tensor, latents: Tensor, grid: Tensor, pos: Tensor, heads: int, swapped: bool
) -> Tensor:
    """Bipartite attention of pixels (B, F, C), integrated by multiplication. ``swapped``: a softmax over pixels."""
    d = x.shape[2] // heads
    content, place = dense(s, f"{at}.to_queries", x), dense(s, f"{at}.from_pos_map", grid).expand_as(x)
    value, over = dense(s, f"{at}.to_values", latents), -2 if swapped else -1
    parts = []
    for h in range(heads):
        cut = slice(h * d, (h + 1) * d)
        if f"{at}.centroids" in s:
            pixels = torch.cat([content, place], 2)[..., 2 * h * d : 2 * (h + 1) * d] * s[f"{at}.att_weight"][h]
            scores = torch.einsum("bfe,ke->bfk", pixels, s[f"{at}.centroids"][0, h])
        else:
            key = dense(s, f"{at}.to_keys", latents) + dense(s, f"{at}.to_pos_map", pos)
            scores = torch.einsum("bfe,bke->bfk", (content + place)[..., cut], key[..., cut])
        parts.append((scores / math.sqrt(d)).softmax(over) @ value[..., cut])
    control = dense(s, f"{at}.modulation", torch.cat(parts, 2))
    return x / (x.square().mean(2, keepdim=True) + 1e-8).sqrt() * (1 + control)


def grid_of(side: int, size: int) -> Tensor:
    rows = []
    for v in np.linspace(-1, 1, side):
        for u in np.linspace(-1, 1, side):
            waves = [np.power(10_000.0, 4 * i / size) for i in range(size // 4)]
            rows.append([f(c / w) for c in (u, v) for f in (np.sin, np.cos) for w in waves])
    return torch.tensor(rows, dtype=torch.float64)


def synthesized(s: State, w: list[Tensor], latents: Tensor, side: int, heads: int, wrong: bool) -> Tensor:
    """An image from the styles ``w`` of all layers, with constant noise; the wrong form has a softmax over pixels, or,
    where there is no attention, forgets the style in demodulation.
    """
    queue, size, image, x = iter(w), w[0].shape[1], None, None
    here = 4

    def layer(name: str, x: Tensor, style: Tensor, up: bool, end: bool = False) -> Tensor:
        weight = s[f"{name}.weight"]
        attends = f"{name}.transformer.to_queries.weight" in s
        affine = dense(s, f"{name}.affine", style)
        scale = 1 / math.sqrt(weight[0].numel())
        y = modulated(x, weight * scale, affine, up, forget_style=wrong and latents.shape[1] == 0)
        if attends:
            flat = y.flatten(2).transpose(1, 2)
            pos = s.get("pos", torch.zeros(0))
            flat = attended(s, f"{name}.transformer", flat, latents, grid_of(y.shape[2], size), pos, heads, wrong)
            y = flat.transpose(1, 2).reshape(y.shape)
        if end:
            return y
        return leaky(y + s[f"{name}.noise_const"] * s[f"{name}.noise_strength"] + s[f"{name}.bias"][:, None, None])

    while here <= side:
        at = f"synthesis.b{here}"
        if x is None:
            x = layer(f"{at}.conv1", s[f"{at}.const"].expand(len(w[0]), -1, -1, -1), next(queue), False)
        else:
            y = layer(f"{at}.conv1", layer(f"{at}.conv0", x, next(queue), True), next(queue), False)
            if f"{at}.skip.weight" in s:
                skip = s[f"{at}.skip.weight"]
                y = (y + convolved(x, skip / math.sqrt(skip.shape[1]), up=True)) * math.sqrt(0.5)
            x = y
        style = next(queue)
        if f"{at}.conv_last.weight" in s:
            x, style = layer(f"{at}.conv_last", x, style, False, end=True), next(queue)
        if f"{at}.torgb.weight" in s:
            colors = s[f"{at}.torgb.weight"][:, :, 0, 0] / math.sqrt(x.shape[1])
            own = colors * dense(s, f"{at}.torgb.affine", style)[:, None]  # (B, 3, C)
            found = torch.einsum("boc,bchw->bohw", own, x) + s[f"{at}.torgb.bias"][:, None, None]
            image = (
                found
                if image is None
                else found + convolved(image, torch.eye(found.shape[1])[..., None, None].double(), up=True)
            )
        queue = iter([style, *queue]) if here < side else queue
        here *= 2
    assert image is not None
    return image


def judged(s: State, x: Tensor, side: int, group: int) -> Tensor:
    """The discriminator's logits."""

    def conv(name: str, x: Tensor, down: bool = False) -> Tensor:
        weight = s[f"{name}.weight"]
        y = convolved(x, weight / math.sqrt(weight[0].numel()), down=down)
        return leaky(y + s[f"{name}.bias"][:, None, None]) if f"{name}.bias" in s else y

    x = conv(f"b{side}.fromrgb", x)
    while side > 4:
        at = f"b{side}"
        x = (conv(f"{at}.skip", x, down=True) + conv(f"{at}.conv1", conv(f"{at}.conv0", x), down=True)) * math.sqrt(0.5)
        side //= 2
    groups = len(x) // group
    variance = [x[i % groups :: groups].var(0, correction=0) for i in range(len(x))]
    extra = torch.stack([(v + 1e-8).sqrt().mean() for v in variance])
    x = torch.cat([x, extra[:, None, None, None].expand(-1, 1, 4, 4)], 1)
    return dense(s, "b4.out", leaky(dense(s, "b4.fc", conv("b4.conv", x).flatten(1))))[:, 0]


def randomized(net: torch.nn.Module) -> State:
    """Every parameter moved, so that none is at a value that hides it; with gradients."""
    torch.manual_seed(4)
    for p in net.double().parameters():
        p.data += 0.2 * torch.randn_like(p)
    return {name: p if p.requires_grad else p.clone() for name, p in net.state_dict(keep_vars=True).items()}


def quantities(net: torch.nn.Module, image: Tensor, logits: Tensor) -> Tensors:
    torch.manual_seed(5)
    ((image * torch.randn_like(image)).sum() + logits.square().sum()).backward()
    grads = {f"grad {name}": p.grad for name, p in net.named_parameters()}
    return {"image": image.detach(), "logits": logits.detach()} | grads  # type: ignore[return-value]


def part(s: State, name: str) -> State:
    return {key[len(name) :]: value for key, value in s.items() if key.startswith(name)}


def style_network() -> StyleGAN2:
    torch.manual_seed(3)
    return StyleGAN2(3, 8, latent_size=6, mapping_layers=2, width=32, max_channels=6, group_size=2)


def noise_of(*shape: int) -> Tensor:
    return torch.randn(4, *shape, generator=torch.Generator().manual_seed(6), dtype=torch.float64)


def our_stylegan2() -> Tensors:
    net = style_network().eval()
    randomized(net)
    image = net(noise_of(6))
    return quantities(net, image, net.discriminator(image))


def written_stylegan2(wrong: bool = False) -> Tensors:
    net = style_network()
    s = randomized(net)
    g = part(s, "generator.")
    w = noise_of(6)
    w = w / (w.square().mean(1, keepdim=True) + 1e-8).sqrt()
    for k in range(2):
        w = leaky(dense(g, f"mapping.l{k}", w, 0.01))
    image = synthesized(g, [w] * 9, w[:, None][:, :0], 8, 1, wrong)
    return quantities(net, image, judged(part(s, "discriminator."), image, 8, 2))


def latent_network(duplex: bool) -> GANformer:
    torch.manual_seed(7)
    sizes: dict[str, Any] = {"latent_size": 24, "num_latents": 3, "mapping_layers": 2, "width": 32, "max_channels": 8}
    return GANformer(3, 8, **sizes, duplex=duplex, num_heads=2, group_size=2)


def our_ganformer(duplex: bool) -> Tensors:
    net = latent_network(duplex).eval()
    randomized(net)
    image = net(noise_of(4, 8))
    return quantities(net, image, net.discriminator(image))


def written_ganformer(duplex: bool, wrong: bool = False) -> Tensors:
    net = latent_network(duplex)
    s = randomized(net)
    g = part(s, "generator.")
    z = noise_of(4, 8)
    local, whole = z[:, :3], z[:, 3]
    local = local / (local.square().mean((1, 2), keepdim=True) + 1e-8).sqrt()
    whole = whole / (whole.square().mean(1, keepdim=True) + 1e-8).sqrt()

    def pair(at: str, x: Tensor, shortcut: Tensor) -> Tensor:
        y = dense(g, f"{at}.fc1", leaky(dense(g, f"{at}.fc0", x, 0.01)), 0.01) + shortcut
        return torch.maximum(y, 0.2 * y)

    def out(at: str, x: Tensor) -> Tensor:
        return leaky(dense(g, f"{at}.out_layer", x, 0.01))

    at, pos = "mapping.mlp.sa0", g["pos"]
    query = dense(g, f"{at}.to_queries", local) + dense(g, f"{at}.from_pos_map", pos)
    key = dense(g, f"{at}.to_keys", local) + dense(g, f"{at}.to_pos_map", pos)
    value = dense(g, f"{at}.to_values", local)
    cut = [t.unflatten(2, (2, 4)).transpose(1, 2) for t in (query, key, value)]
    gathered = F.scaled_dot_product_attention(*cut).transpose(1, 2).flatten(2)
    local = pair("mapping.mlp.l0", local + dense(g, f"{at}.modulation", gathered), local)
    local, whole = out("mapping.mlp", local), out("mapping.global_mlp", pair("mapping.global_mlp.l0", whole, whole))
    image = synthesized(g, [whole] * 9, local, 8, 2, wrong)
    return quantities(net, image, judged(part(s, "discriminator."), image, 8, 2))


CHECKS = [
    Check(
        name="gan/stylegan2",
        claim="both networks of a StyleGAN2 of 8 pixels against the formulas written out, with all gradients",
        package="torch",
        ours=our_stylegan2,
        reference=written_stylegan2,
        control=partial(written_stylegan2, wrong=True),
        mistake="norms of the weights without the style",
    ),
    *(
        Check(
            name=f"gan/ganformer_{'duplex' if duplex else 'simplex'}",
            claim=f"a GANformer's networks, 8 pixels, {'duplex' if duplex else 'simplex'} attention of two heads, "
            "against the formulas written out, with all gradients",
            package="torch",
            ours=partial(our_ganformer, duplex),
            reference=partial(written_ganformer, duplex),
            control=partial(written_ganformer, duplex, wrong=True),
            mistake="softmax over the pixels instead of the latents",
            tolerance=1e-5,
            why="the positions of pixels are a buffer in single precision",
        )
        for duplex in (True, False)
    ),
]
