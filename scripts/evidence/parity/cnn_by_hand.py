"""Convolutional networks that torchvision does not have: two towers, a network at each pixel, batch normalization."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lit_models.cnn.alexnet import AlexNet
from lit_models.cnn.batch_norm import BatchNorm, BatchNormLeNet
from lit_models.cnn.nin import NiN
from scripts.evidence.verify import Check, Tensors


def filled(net: nn.Module) -> nn.Module:
    """The network in float64 with random weights, the same for each network of the same shapes; no dropout."""
    generator = torch.Generator().manual_seed(1)
    for name, p in net.double().named_parameters():
        draw = torch.rand(p.shape, generator=generator, dtype=torch.float64) * 2 - 1
        p.data = draw * (6 / p[0].numel()) ** 0.5 if p.ndim > 1 else draw / 10 + (not name.endswith("bias"))
    for module in net.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return net


def compared(net: nn.Module, forward: Callable[[Tensor], Tensor], shape: tuple[int, ...]) -> Tensors:
    """Logits and gradients of ``forward``, a function of the parameters of ``net``."""
    torch.manual_seed(2)
    x = torch.rand(shape, dtype=torch.float64, requires_grad=True)
    logits = forward(x)
    F.cross_entropy(logits, torch.arange(len(x))).backward()
    gradients = {f"grad {name}": p.grad for name, p in net.named_parameters() if p.grad is not None}
    assert x.grad is not None
    return {"logits": logits.detach(), "grad images": x.grad} | gradients


# -- AlexNet in two towers --------------------------------------------------------------------------------------------

PAPER_PARAMETERS = 60_965_224  # of the 2012 network with 227 pixels and 1,000 classes


def grouped() -> AlexNet:
    net = AlexNet(3, 5, 67, variant="grouped", width=0.125, pool_size=1, hidden_size=16)
    return filled(net)  # type: ignore[return-value]


def our_alexnet() -> Tensors:
    with torch.device("meta"):
        count = sum(p.numel() for p in AlexNet(image_size=227, variant="grouped").parameters())
    net = grouped()
    return compared(net, net, (3, 3, 67, 67)) | {"number of parameters": torch.tensor([count], dtype=torch.float64)}


def response_normalized(x: Tensor, alpha: float) -> Tensor:
    """The paper's section 3.3: b_i = a_i / (2 + alpha * the sum of a_j squared over |j - i| <= 2) ^ 0.75."""
    squares = x.square()
    sums = torch.stack([squares[:, max(0, i - 2) : i + 3].sum(1) for i in range(x.shape[1])], 1)
    return x / (2 + alpha * sums) ** 0.75


def two_towers(alpha: float) -> Tensors:
    """The paper's figure 2: each tower has half of the kernels; the third convolution and the dense layers see both."""
    net = grouped()
    one, two, three, four, five = (m for m in net.features if isinstance(m, nn.Conv2d))
    dense = [m for m in net.classifier if isinstance(m, nn.Linear)]

    def halves(layer: nn.Conv2d) -> Iterator[tuple[Tensor, Tensor | None]]:
        biases = layer.bias.chunk(2) if layer.bias is not None else (None, None)
        return zip(layer.weight.chunk(2), biases, strict=True)

    def norm_pool(towers: list[Tensor]) -> list[Tensor]:
        both = response_normalized(torch.cat(towers, 1), alpha)
        return list(F.max_pool2d(both, 3, 2).chunk(2, 1))

    def forward(x: Tensor) -> Tensor:
        towers = norm_pool([F.conv2d(x, w, b, stride=4).relu() for w, b in halves(one)])
        towers = norm_pool([F.conv2d(t, w, b, padding=2).relu() for t, (w, b) in zip(towers, halves(two), strict=True)])
        both = torch.cat(towers, 1)
        towers = [F.conv2d(both, w, b, padding=1).relu() for w, b in halves(three)]
        for layer in (four, five):
            towers = [F.conv2d(t, w, b, padding=1).relu() for t, (w, b) in zip(towers, halves(layer), strict=True)]
        h = torch.cat([F.max_pool2d(t, 3, 2) for t in towers], 1).mean((2, 3))
        for hidden in dense[:-1]:
            h = (h @ hidden.weight.T + hidden.bias).relu()
        return h @ dense[-1].weight.T + dense[-1].bias

    count = torch.tensor([PAPER_PARAMETERS], dtype=torch.float64)
    return compared(net, forward, (3, 3, 67, 67)) | {"number of parameters": count}


# -- network in network -----------------------------------------------------------------------------------------------


def our_nin() -> Tensors:
    net = filled(NiN(1, 4, 20, stem="small", width=1 / 8))
    return compared(net, net, (3, 1, 20, 20))


def dense_at_each_pixel(last_relu: bool) -> Tensors:
    """Each block as a dense network of three layers on the patch around each pixel."""
    net: NiN = filled(NiN(1, 4, 20, stem="small", width=1 / 8))  # type: ignore[assignment]
    layers = [m for m in net.features if isinstance(m, nn.Conv2d)]

    def block(x: Tensor, first: int, relu: bool = True) -> Tensor:
        convs = layers[first : first + 3]
        padding = int(convs[0].padding[0])
        side = x.shape[-1] + 2 * padding - convs[0].kernel_size[0] + 1
        h = F.unfold(x, convs[0].kernel_size, padding=padding).transpose(1, 2)  # (B, pixels, patch)
        for k, conv in enumerate(convs):
            h = F.linear(h, conv.weight.flatten(1), conv.bias)
            h = h.relu() if relu or k < 2 else h
        return h.transpose(1, 2).unflatten(2, (side, side))

    def forward(x: Tensor) -> Tensor:
        for first in (0, 3, 6):
            x = F.max_pool2d(block(x, first), 3, 2)
        return block(x, 9, last_relu).mean((2, 3))

    return compared(net, forward, (3, 1, 20, 20))


# -- batch normalization ----------------------------------------------------------------------------------------------


def normalized_lenet(replace: Callable[[int, bool], nn.Module] | None) -> Tensors:
    """LeNet in training, then its running statistics, then evaluation with them."""
    net = BatchNormLeNet(1, 4)
    if replace:
        for i, layer in enumerate(net.layers):
            if isinstance(layer, BatchNorm):
                net.layers[i] = replace(len(layer.weight), isinstance(net.layers[i - 1], nn.Conv2d))
    filled(net)
    found = compared(net, net, (4, 1, 28, 28))
    buffers = {name: value.clone() for name, value in net.named_buffers() if value.is_floating_point()}
    torch.manual_seed(3)
    evaluated = net.eval()(torch.rand(2, 1, 28, 28, dtype=torch.float64)).detach()
    return found | buffers | {"logits in evaluation": evaluated}


def torchs_norm(channels: int, images: bool) -> nn.Module:
    return nn.BatchNorm2d(channels) if images else nn.BatchNorm1d(channels)


def books_norm(channels: int, images: bool) -> nn.Module:
    """torch's, with the running variance as the book keeps it."""
    norm = torchs_norm(channels, images)

    def biased(module: Any, inputs: tuple[Tensor], _: Tensor) -> None:
        if module.training:
            n = inputs[0].numel() / channels
            module.running_var = 0.9 + (module.running_var - 0.9) * (n - 1) / n

    norm.register_forward_hook(biased)
    return norm


CHECKS = [
    Check(
        name="cnn/alexnet_grouped",
        claim="AlexNet of 2012: two towers and response normalization written out; 60,965,224 parameters",
        package="torch",
        ours=our_alexnet,
        reference=partial(two_towers, 1e-4),
        control=partial(two_towers, 1e-4 / 5),
        mistake="alpha divided by the window, as torch does",
    ),
    Check(
        name="cnn/nin",
        claim="network in network: a dense network on the patch around each pixel",
        package="torch",
        ours=our_nin,
        reference=partial(dense_at_each_pixel, True),
        control=partial(dense_at_each_pixel, False),
        mistake="no ReLU on the last layer",
    ),
    Check(
        name="cnn/batch_norm",
        claim="batch normalization by hand in LeNet: training, running statistics, evaluation",
        package="torch",
        ours=partial(normalized_lenet, None),
        reference=partial(normalized_lenet, torchs_norm),
        control=partial(normalized_lenet, books_norm),
        mistake="the biased variance in the running statistics, as in the book",
    ),
]
