"""The small networks of the convolution topic against loops over positions, from the papers' definitions."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from scipy.signal import convolve2d, correlate2d
from torch import Tensor, nn
from torch.nn import functional as F

from lit_models.convolution.antialiased import AntialiasedNet
from lit_models.convolution.learned_kernel import LearnedKernel
from lit_models.convolution.sharing import SharingNet
from scripts.evidence.parity.cnn_by_hand import compared, filled
from scripts.evidence.verify import Check, Tensors

# -- antialiased pooling (Zhang 2019, figure 2) -----------------------------------------------------------------------

BINOMIAL = {2: (1, 1), 3: (1, 2, 1), 5: (1, 4, 6, 4, 1)}


def antialiased(blur: int) -> Any:
    return filled(AntialiasedNet(1, 4, blur_size=blur, width=3))


def our_antialiased(blur: int) -> Tensors:
    net = antialiased(blur)
    return compared(net, net, (4, 1, 10, 10))


def dense_maximum(x: Tensor) -> Tensor:
    """Of each pixel, its right and lower neighbors and the one between them; what is outside repeats the edge."""
    right = torch.cat([x[..., 1:], x[..., -1:]], 3)
    both = torch.maximum(x, right)
    return torch.maximum(both, torch.cat([both[:, :, 1:], both[:, :, -1:]], 2))


def mirrored(k: int, size: int) -> int:
    """The pixel that stands for one outside of the image; the edge itself is the mirror."""
    k = abs(k)
    return k if k < size else 2 * (size - 1) - k


def blurred(x: Tensor, blur: int, stride: int) -> Tensor:
    """A sum over the kernel's entries at every ``stride``-th position."""
    row = BINOMIAL[blur]
    total, back = sum(row), (blur - 1) // 2
    for axis in (2, 3):
        size = x.shape[axis]
        at = range(0, size, stride)
        places = [[mirrored(i + v - back, size) for i in at] for v in range(blur)]
        x = sum(w / total * x.index_select(axis, torch.tensor(p)) for w, p in zip(row, places, strict=True))  # type: ignore[assignment]
    return x


def their_antialiased(blur: int, order: str = "max, blur, stride") -> Tensors:
    net = antialiased(blur)
    convs = [layer for layer in net.features if isinstance(layer, nn.Conv2d)]
    norms = [layer for layer in net.features if isinstance(layer, nn.BatchNorm2d)]

    def pool(x: Tensor) -> Tensor:
        if order == "max, stride, blur":
            return blurred(dense_maximum(x)[..., ::2, ::2], blur, 1)
        if order == "blur, max, stride":
            return dense_maximum(blurred(x, blur, 1))[..., ::2, ::2]
        return blurred(dense_maximum(x), blur, 2)

    def forward(x: Tensor) -> Tensor:
        for k, (conv, norm) in enumerate(zip(convs, norms, strict=True)):
            x = F.conv2d(x, conv.weight, padding=1)
            x = F.batch_norm(x, None, None, norm.weight, norm.bias, training=True).relu()
            x = pool(x) if k < 2 else x
        return x.mean((2, 3)) @ net.head.weight.T + net.head.bias

    return compared(net, forward, (4, 1, 10, 10))


# -- shared, tiled and unshared weights (Goodfellow et al. 9.5) -------------------------------------------------------

SIDE = 9


def sharing(kind: Any) -> Any:
    return filled(SharingNet(1, 4, SIDE, kind, width=2))


def our_sharing(kind: str) -> Tensors:
    net = sharing(kind)
    return compared(net, net, (4, 1, SIDE, SIDE))


def kernel_at(kind: str, layer: Any, i: int, j: int, columns: int, stride: int, wrong: str) -> tuple[Tensor, Tensor]:
    """The kernel (O, C k k) and the bias (O,) of the output position (i, j)."""
    if kind == "shared":
        return layer.weight.flatten(1), layer.bias
    if kind == "unshared":
        at = j * columns + i if wrong == "columns" else i * columns + j
        return layer.weight[at], layer.bias[:, i, j]
    a, b = (i * stride % 2, j * stride % 2) if wrong == "inputs" else (i % 2, j % 2)
    return layer.weight[a, b].flatten(1), layer.bias[a, b]


def their_sharing(kind: str, wrong: str = "") -> Tensors:
    """Each output position by itself: its patch of the image times its kernel."""
    net = sharing(kind)

    def layer(x: Tensor, parameters: Any, size: int, stride: int) -> Tensor:
        edge, side = size // 2, -(-x.shape[-1] // stride)
        x, rows = F.pad(x, [edge] * 4), []
        for i in range(side):
            for j in range(side):
                patch = x[:, :, i * stride : i * stride + size, j * stride : j * stride + size]
                patch = patch.flip(2, 3) if wrong == "flipped" else patch
                weight, bias = kernel_at(kind, parameters, i, j, side, stride, wrong)
                rows.append(patch.flatten(1) @ weight.T + bias)
        return torch.stack(rows, 2).unflatten(2, (side, side))

    def forward(x: Tensor) -> Tensor:
        for k, (size, stride) in enumerate(((5, 2), (5, 2), (3, 1))):
            x = layer(x, net.features[2 * k], size, stride).relu()
        return x.mean((2, 3)) @ net.head.weight.T + net.head.bias

    return compared(net, forward, (4, 1, SIDE, SIDE))


# -- a kernel learned from pictures (D2L 7.2.4) -----------------------------------------------------------------------

STEPS, RATE = 4, 0.05


def pictures() -> tuple[Tensor, Tensor, Tensor]:
    """Pictures (B, 1, H, W), what a filter made of them, and the kernel (3, 3) that learning starts from."""
    torch.manual_seed(6)
    x, start = torch.randn(2, 1, 7, 6, dtype=torch.float64), torch.randn(3, 3, dtype=torch.float64)
    return x, torch.randn(2, 1, 5, 4, dtype=torch.float64), start


def our_learning() -> Tensors:
    """Steps of gradient descent on the mean squared error: the last output, the kernel, the first gradients."""
    x, y, start = pictures()
    net = LearnedKernel().double()
    net.weight.data[0, 0] = start
    optimizer = torch.optim.SGD(net.parameters(), RATE)
    found: Tensors = {}
    for _ in range(STEPS):
        optimizer.zero_grad()
        F.mse_loss(net(x), y).backward()
        gradients: Any = {"grad kernel": net.weight.grad[0, 0].clone(), "grad bias": net.bias.grad.clone()}  # type: ignore[index, union-attr]
        found = found or gradients
        optimizer.step()
    return found | {"outputs": net(x).detach(), "kernel": net.weight.detach()[0, 0], "bias": net.bias.detach()}


def scipy_learning(filter_: Callable[..., Any]) -> Tensors:
    """The gradient by the kernel is the correlation of picture and error."""
    x, y, start = (t.numpy() for t in pictures())
    kernel, bias = start.copy(), 0.0
    found: Tensors = {}
    for _ in range(STEPS):
        error = [filter_(a[0], kernel, mode="valid") + bias - b[0] for a, b in zip(x, y, strict=True)]
        to_kernel = sum(correlate2d(a[0], e, mode="valid") for a, e in zip(x, error, strict=True)) * 2 / y.size
        to_bias = sum(e.sum() for e in error) * 2 / y.size
        found = found or {"grad kernel": torch.from_numpy(to_kernel), "grad bias": torch.tensor([to_bias])}
        kernel, bias = kernel - RATE * to_kernel, bias - RATE * to_bias
    outputs = torch.stack([torch.from_numpy(filter_(a[0], kernel, mode="valid") + bias) for a in x])[:, None]
    return found | {"outputs": outputs, "kernel": torch.from_numpy(kernel), "bias": torch.tensor([bias])}


def check(name: str, claim: str, ours: Any, theirs: Any, mistake: str, package: str = "torch", **wrong: Any) -> Check:
    return Check(
        name=f"convolution/{name}",
        claim=claim,
        package=package,
        ours=ours,
        reference=theirs,
        control=partial(theirs, **wrong),
        mistake=mistake,
    )


CHECKS = [
    *(
        check(
            f"antialiased_{blur}",
            f"a network with Zhang's pooling, blurred by {blur} x {blur}, in training, against sums over pixels",
            partial(our_antialiased, blur),
            partial(their_antialiased, blur),
            f"the order {order}",
            order=order,
        )
        for blur, order in ((2, "blur, max, stride"), (3, "max, stride, blur"), (5, "blur, max, stride"))
    ),
    *(
        check(
            f"sharing_{kind}",
            f"a network of {kind} kernels against each position's patch times its kernel",
            partial(our_sharing, kind),
            partial(their_sharing, kind),
            mistake,
            wrong=wrong,
        )
        for kind, mistake, wrong in (
            ("shared", "the kernel flipped", "flipped"),
            ("tiled", "the kernel chosen by the position in the image, not in the output", "inputs"),
            ("unshared", "positions counted down the columns", "columns"),
        )
    ),
    Check(
        name="convolution/learned_kernel",
        claim="four steps of learning a kernel and a bias against scipy's correlation and its transpose",
        package="scipy",
        ours=our_learning,
        reference=partial(scipy_learning, correlate2d),
        control=partial(scipy_learning, convolve2d),
        mistake="the kernel flipped in the forward pass: a convolution",
    ),
]
