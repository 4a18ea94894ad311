"""Fast style transfer against the paper's network and losses by torch's functions: pictures, losses, gradients."""

from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F

from lit_models.vision.fast_style import LitFastStyle
from scripts.evidence.verify import Check, Tensors

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def model() -> LitFastStyle:
    torch.manual_seed(1)
    return LitFastStyle(image_size=32, width=3, blocks=2, vgg_width=4, style_weight=100.0, smoothness=0.5).double()


def batch() -> tuple[Tensor, Tensor]:
    x = torch.rand(3, 3, 32, 40, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    return x[:2], x[2:].expand(2, -1, -1, -1)


def quantities(total: Tensor, of_content: Tensor, of_style: Tensor, made: Tensor, net: LitFastStyle) -> Tensors:
    total.backward()
    gradients = {f"grad {name}": p.grad for name, p in net.named_parameters() if p.grad is not None}
    parts = {"total": total, "content": of_content, "style": of_style, "pictures": made}
    return {name: part.detach() for name, part in parts.items()} | gradients


def ours() -> Tensors:
    net = model()
    return quantities(*net.losses(batch()), net)


def theirs(by_batch: bool = False) -> Tensors:
    net = model()
    w = dict(net.named_parameters())

    def layer(name: str, x: Tensor, stride: int = 1) -> Tensor:
        kernel = w[f"net.{name}.0.weight"]
        pad = kernel.shape[-1] // 2
        x = F.conv2d(F.pad(x, (pad, pad, pad, pad), mode="reflect"), kernel, stride=stride)
        gain, shift = w[f"net.{name}.1.weight"], w[f"net.{name}.1.bias"]
        if by_batch:
            return F.batch_norm(x, None, None, gain, shift, training=True)
        return F.instance_norm(x, weight=gain, bias=shift)

    def make(x: Tensor) -> Tensor:
        x = x * 2 - 1
        for k, stride in enumerate((1, 2, 2)):
            x = layer(f"down.{k}", x, stride).relu()
        for k in range(2):
            x = x + layer(f"blocks.{k}.second", layer(f"blocks.{k}.first", x).relu())
        for k in range(2):
            x = layer(f"up.{k}", x.repeat_interleave(2, 2).repeat_interleave(2, 3)).relu()
        x = F.conv2d(F.pad(x, (4, 4, 4, 4), mode="reflect"), w["net.last.weight"], w["net.last.bias"])
        return 0.5 + 0.5 * x.tanh()

    def scaled(x: Tensor) -> Tensor:
        mean, std = (torch.tensor(part, dtype=x.dtype).view(3, 1, 1) for part in (MEAN, STD))
        return (x - mean) / std

    def seen(x: Tensor) -> dict[int, Tensor]:
        """VGG-19 of the style, by its layers' numbers: convolutions at these, poolings at 4, 9, 18, 27."""
        found, x = {}, scaled(x)
        for k in range(29):
            if f"net.features.{k}.weight" in w:
                found[k] = x = F.conv2d(x, w[f"net.features.{k}.weight"], w[f"net.features.{k}.bias"], padding=1)
            else:
                x = F.max_pool2d(x, 2) if k in (4, 9, 18, 27) else x.relu()
        return found

    def grams(found: dict[int, Tensor]) -> list[Tensor]:
        return [torch.einsum("bihw,bjhw->bij", x, x) / x[0].numel() for x in (found[k] for k in (0, 5, 10, 19, 28))]

    content, style = batch()
    made = make(content)
    found, shown, wanted = seen(made), seen(content), seen(style)
    of_content = ((found[25] - shown[25]) ** 2).mean((1, 2, 3))
    of_style = sum(((a - b) ** 2).mean((1, 2)) for a, b in zip(grams(found), grams(wanted), strict=True))
    assert isinstance(of_style, Tensor)
    shown_as = scaled(made)
    rough = 0.5 * ((shown_as[:, :, 1:] - shown_as[:, :, :-1]).abs().mean() + shown_as.diff(dim=3).abs().mean())
    return quantities(of_content.mean() + 100 * of_style.mean() + 0.5 * rough, of_content, of_style, made, net)


CHECKS = [
    Check(
        name="vision/fast_style",
        claim="the paper's network and losses by torch's functions: pictures, losses of each picture, all gradients",
        package="torch",
        ours=ours,
        reference=theirs,
        control=partial(theirs, by_batch=True),
        mistake="batch normalization: a picture's colors depend on the others of its batch",
    ),
]
