"""Networks for video against independent implementations: torchvision's, and loops over the frames written out.

torchvision's networks have 64 channels in their first stage; the comparison narrows them to a sixteenth by their own
code, which computes the inner channels of (2+1)-D convolutions itself. Names and shapes of the published size are
compared in ``tests/lit_models/video/test_resnet3d.py``.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models.video import resnet as tv

from lit_models.video.c3d import C3D
from lit_models.video.cnn_lstm import CNNLSTM
from lit_models.video.resnet3d import STEM_INNER, VideoResNet
from scripts.evidence.verify import Check, Tensors

WIDTH = 4
SIZE = 20  # pixels: the last stage then normalizes over eight values


def clips(size: int = 12, frames: int = 4) -> tuple[Tensor, Tensor]:
    torch.manual_seed(1)
    return torch.randn(2, 3, frames, size, size, dtype=torch.float64, requires_grad=True), torch.tensor([3, 1])


def randomized(make: Callable[[], nn.Module]) -> Any:
    """A network with random weights and normalizations that are not the identity, in double precision."""
    torch.manual_seed(2)
    net = make().double()
    for name, value in net.state_dict().items():
        if value.is_floating_point() and value.ndim == 1:
            value.uniform_(-0.25, 0.25)
            if not name.endswith(("bias", "running_mean")):
                value.add_(1)
    return net


def quantities(net: nn.Module, size: int = 12) -> Tensors:
    """Logits in training and evaluation, and the gradients of the cross-entropy."""
    x, y = clips(size)
    logits = net.train()(x)
    F.cross_entropy(logits, y).backward()
    assert x.grad is not None
    found: Tensors = {"logits": logits.detach(), "grad clips": x.grad}
    found |= {f"grad {name}": p.grad for name, p in net.named_parameters() if p.grad is not None}
    return found | {"logits in evaluation": net.eval()(x.detach()).detach()}


# -- torchvision's ----------------------------------------------------------------------------------------------------


class Narrow(tv.VideoResNet):
    """torchvision's network with a sixteenth of the channels, by its own ``_make_layer``."""

    inplanes: int

    def _make_layer(self, block: Any, conv_builder: Any, planes: int, blocks: int, stride: int = 1) -> nn.Sequential:
        self.inplanes = min(self.inplanes, planes * WIDTH // 64) if planes == 64 else self.inplanes
        return super()._make_layer(block, conv_builder, planes * WIDTH // 64, blocks, stride)


def stem(published: Callable[[], nn.Module]) -> nn.Sequential:
    """torchvision's stem, its layers with a sixteenth of the channels."""
    found = nn.Sequential()
    inner = STEM_INNER * WIDTH // 64
    for layer in published().children():
        if isinstance(layer, nn.Conv3d):
            sizes = {3: 3, 45: inner, 64: WIDTH}
            how: dict[str, Any] = {"stride": layer.stride, "padding": layer.padding, "bias": False}
            layer = nn.Conv3d(sizes[layer.in_channels], sizes[layer.out_channels], layer.kernel_size, **how)  # type: ignore[arg-type]
        elif isinstance(layer, nn.BatchNorm3d):
            layer = nn.BatchNorm3d({45: inner, 64: WIDTH}[layer.num_features])
        found.append(layer)
    return found


MAKERS: dict[str, tuple[list[Any], Any]] = {
    "r2plus1d": ([tv.Conv2Plus1D] * 4, tv.R2Plus1dStem),
    "r3d": ([tv.Conv3DSimple] * 4, tv.BasicStem),
    "mc3": ([tv.Conv3DSimple] + [tv.Conv3DNoTemporal] * 3, tv.BasicStem),
}


def ours(variant: Any) -> VideoResNet:
    return randomized(lambda: VideoResNet(3, 5, variant, WIDTH))


def our_quantities(variant: str) -> Tensors:
    return quantities(ours(variant), SIZE)


def their_quantities(variant: str, spoil: Callable[[Any], Any] | None = None) -> Tensors:
    makers, published = MAKERS[variant]
    net = Narrow(tv.BasicBlock, makers, [2, 2, 2, 2], partial(stem, published), num_classes=5)
    net.fc = nn.Linear(8 * WIDTH, 5)
    net.double().load_state_dict(ours(variant).state_dict())
    if spoil:
        spoil(net)
    return quantities(net, SIZE)


def frames_kept(net: Any) -> None:
    """The stride of the blocks is of pixels only."""
    for module in net.modules():
        if isinstance(module, nn.Conv3d):
            module.stride = (1, *module.stride[1:])


def shortcut_without_norm(net: Any) -> None:
    norm = net.layer2[0].downsample[1]
    norm.forward = lambda x: x * norm.weight.view(-1, 1, 1, 1) + norm.bias.view(-1, 1, 1, 1)


# -- written out ------------------------------------------------------------------------------------------------------


def our_c3d() -> C3D:
    return randomized(lambda: C3D(3, 5, 4, 12, 2, 3, 6, 0.0))


def shifted_sum(x: Tensor, weight: Tensor, bias: Tensor, reverse: bool) -> Tensor:
    """A convolution of 3 x 3 x 3 as the sum over its 27 places: each is a matrix times the shifted clip."""
    padded, (t, h, w) = F.pad(x, [1] * 6), x.shape[2:]
    out = bias.view(1, -1, 1, 1, 1).expand(len(x), -1, t, h, w)
    for k in range(27):
        dt, dy, dx = k // 9, k // 3 % 3, k % 3
        piece = padded[:, :, dt : dt + t, dy : dy + h, dx : dx + w]
        out = out + torch.einsum("oc,bcthw->bothw", weight[:, :, 2 - dt if reverse else dt, dy, dx], piece)
    return out


class WrittenC3D(nn.Module):
    """C3D from its parameters, without torch's convolution and pooling."""

    def __init__(self, net: C3D, reverse: bool = False) -> None:
        super().__init__()
        self.net, self.reverse = net, reverse

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.net.features:
            if isinstance(layer, nn.Conv3d):
                assert layer.bias is not None
                x = shifted_sum(x, layer.weight, layer.bias, self.reverse)
            elif isinstance(layer, nn.ReLU):
                x = x.clamp(min=0)
            else:
                b, c, t, h, w = x.shape
                frames = 1 if t == 4 and h == 12 else 2  # the first pooling keeps the frames
                x = (
                    x[..., : h // 2 * 2, : w // 2 * 2]
                    .reshape(b, c, t // frames, frames, h // 2, 2, w // 2, 2)
                    .amax((3, 5, 7))
                )
        x = x.flatten(1)
        for name in ("fc6", "fc7", "fc8"):
            dense: Any = self.net.get_submodule(name)
            x = torch.einsum("bi,oi->bo", x, dense.weight) + dense.bias
            x = x.clamp(min=0) if name != "fc8" else x
        return x


def written_c3d(reverse: bool = False) -> Tensors:
    found = quantities(WrittenC3D(our_c3d(), reverse))
    return {name.replace("grad net.", "grad "): value for name, value in found.items()}


def our_cnn_lstm() -> CNNLSTM:
    return randomized(lambda: CNNLSTM(3, 5, 12, 2, 6))


class WrittenLSTM(nn.Module):
    """The frames one by one, and the LSTM's equations (Hochreiter and Schmidhuber 1997, with the forget gate)."""

    def __init__(self, net: CNNLSTM, mixed: bool = False) -> None:
        super().__init__()
        self.net, self.mixed = net, mixed

    def forward(self, x: Tensor) -> Tensor:
        b, _, t = x.shape[:3]
        frames = torch.cat([x[k, :, i][None] for k in range(b) for i in range(t)])  # clip by clip
        vectors = self.net.frames(frames).flatten(1)
        steps = [vectors[i::t] for i in range(t)]
        if self.mixed:
            steps = list(vectors.split(b))
        lstm: Any = self.net.lstm
        h = c = vectors.new_zeros(b, lstm.hidden_size)
        for step in steps:
            gates = step @ lstm.weight_ih_l0.T + lstm.bias_ih_l0 + h @ lstm.weight_hh_l0.T + lstm.bias_hh_l0
            enter, forget, new, leave = gates.chunk(4, 1)
            c = torch.sigmoid(forget) * c + torch.sigmoid(enter) * torch.tanh(new)
            h = torch.sigmoid(leave) * torch.tanh(c)
        return self.net.head(h)


def written_cnn_lstm(mixed: bool = False) -> Tensors:
    found = quantities(WrittenLSTM(our_cnn_lstm(), mixed))
    return {name.replace("grad net.", "grad "): value for name, value in found.items()}


CHECKS = [
    *(
        Check(
            name=f"video/{variant}",
            claim=f"{variant} against torchvision's code at a sixteenth of its width: by name, logits, all gradients",
            package="torchvision",
            ours=partial(our_quantities, variant),
            reference=partial(their_quantities, variant),
            control=partial(their_quantities, variant, spoil),
            mistake=mistake,
        )
        for variant, spoil, mistake in (
            ("r2plus1d", frames_kept, "strides of pixels only: as many frames at the end as at the beginning"),
            ("r3d", frames_kept, "strides of pixels only: as many frames at the end as at the beginning"),
            ("mc3", shortcut_without_norm, "no normalization on a shortcut"),
        )
    ),
    Check(
        name="video/c3d",
        claim="C3D against sums over the 27 places of each kernel and maxima over blocks: logits, all gradients",
        package="torch",
        ours=lambda: quantities(our_c3d()),
        reference=written_c3d,
        control=partial(written_c3d, reverse=True),
        mistake="kernels reversed in time",
    ),
    Check(
        name="video/cnn_lstm",
        claim="CNN with LSTM against frame by frame and the LSTM's equations: logits, all gradients",
        package="torch",
        ours=lambda: quantities(our_cnn_lstm()),
        reference=written_cnn_lstm,
        control=partial(written_cnn_lstm, mixed=True),
        mistake="frames of different clips in one sequence: (B T) read as (T B)",
    ),
]
