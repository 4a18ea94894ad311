"""Convolutional networks against torchvision's: its parameters' names, logits in both modes, every gradient.

Our state dict is loaded into torchvision's network as it is, by its names. One pass in training mode moves the running
statistics, which the pass in evaluation mode then uses. Parameters are counted at the published size; the dense layers
of AlexNet and VGG are computed with 64 units instead of 4,096, which would take seconds without testing more.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Any

import torch
import torchvision.models as tv
from torch import Tensor, nn
from torch.nn import functional as F

from lit_models.cnn.alexnet import AlexNet
from lit_models.cnn.densenet import DenseNet
from lit_models.cnn.googlenet import GoogLeNet
from lit_models.cnn.regnet import AnyNet, stages_of_line
from lit_models.cnn.resnet import ResNet
from lit_models.cnn.resnext import ResNeXt
from lit_models.cnn.vgg import VGG
from scripts.evidence.verify import Check, Tensors

HIDDEN = 64


@dataclass(frozen=True, eq=False)
class Pair:
    """Two networks that are to be the same.

    Args:
        theirs: Name of torchvision's function.
        ours: Makes our network at its published size; takes ``hidden_size`` where ``dense``.
        mistake: What ``spoil`` does.
        spoil: Makes torchvision's network plausibly wrong.
        size: Height and width of the images.
        dense: Whether the network has the two wide dense layers.
        options: Arguments for torchvision's function.
        device: Where networks are made: on ``meta`` without memory, but torchvision's RegNet computes with tensors.
        slow: See ``Check``.
    """

    theirs: str
    ours: Callable[..., nn.Module]
    mistake: str
    spoil: Callable[[Any], Any]
    size: int = 33
    dense: bool = False
    options: dict[str, Any] = field(default_factory=dict)
    device: str = "meta"
    slow: bool = False

    def our_network(self, full: bool = False) -> nn.Module:
        return self.ours() if full or not self.dense else self.ours(hidden_size=HIDDEN)

    def their_network(self, full: bool = False) -> nn.Module:
        net: Any = getattr(tv, self.theirs)(weights=None, **self.options)
        if self.dense and not full:
            first, second, last = (i for i, layer in enumerate(net.classifier) if isinstance(layer, nn.Linear))
            net.classifier[first] = nn.Linear(net.classifier[first].in_features, HIDDEN)
            net.classifier[second] = nn.Linear(HIDDEN, HIDDEN)
            net.classifier[last] = nn.Linear(HIDDEN, 1000)
        return net


def empty(make: Callable[[], nn.Module], device: str) -> nn.Module:
    """A network in float64 whose weights hold anything: initializing them takes longer than the comparison."""
    with torch.device(device):
        return make().double().to_empty(device="cpu")


@lru_cache(maxsize=1)
def weights(pair: Pair) -> dict[str, Tensor]:
    """Random weights under our names: convolutions that keep the scale, normalizations that are not the identity."""
    generator = torch.Generator().manual_seed(1)
    found = empty(pair.our_network, pair.device).state_dict()
    for name, value in found.items():
        if value.is_floating_point():
            draw = torch.empty(value.shape).uniform_(-1, 1, generator=generator)
            if value.ndim > 1:
                value.copy_(draw * (3 / value[0].numel()) ** 0.5)
            else:
                value.copy_(draw / 4 if name.endswith(("bias", "running_mean")) else 1 + draw / 4)
        else:
            value.zero_()
    return found


def all_logits(net: Any, x: Tensor) -> list[Tensor]:
    """The logits of a pass, with GoogLeNet's heads on the way in training."""
    if isinstance(net, GoogLeNet):
        return net.all_logits(x)
    out = net(x)
    return [out] if isinstance(out, Tensor) else [out.logits, out.aux_logits1, out.aux_logits2]


def quantities(pair: Pair, make: Callable[..., nn.Module], spoil: Callable[[Any], Any] | None = None) -> Tensors:
    with torch.device(pair.device):
        count = sum(p.numel() for p in make(full=True).parameters())
    net = empty(make, pair.device)
    net.load_state_dict(weights(pair))
    if spoil:
        spoil(net)
    for module in net.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    torch.manual_seed(2)
    x, y = torch.randn(2, 3, pair.size, pair.size, dtype=torch.float64, requires_grad=True), torch.tensor([3, 1])
    logits = all_logits(net.train(), x)
    torch.stack([F.cross_entropy(part, y) for part in logits]).mean().backward()
    found: Tensors = {f"logits {i}": part.detach() for i, part in enumerate(logits)}
    found["logits in evaluation"] = all_logits(net.eval(), x.detach())[0].detach()
    found["number of parameters"] = torch.tensor([count], dtype=torch.float64)
    assert x.grad is not None
    gradients = {f"grad {name}": p.grad for name, p in net.named_parameters() if p.grad is not None}
    return found | {"grad images": x.grad} | gradients


# -- the controls ---------------------------------------------------------------------------------------------------


def pool_without_overlap(net: Any) -> None:
    for i in (2, 5, 12):
        net.features[i] = nn.MaxPool2d(2, stride=2)


def mean_pooling(net: Any) -> None:
    net.features[-1] = nn.AvgPool2d(2)


def usual_eps(net: Any) -> None:
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps = 1e-5


def shortcut_without_norm(net: Any) -> None:
    norm = net.layer2[0].downsample[1]
    norm.forward = lambda x: x * norm.weight.view(-1, 1, 1) + norm.bias.view(-1, 1, 1)


def stride_first(net: Any) -> None:
    net.layer2[0].conv1.stride, net.layer2[0].conv2.stride = (2, 2), (1, 1)


def interleaved_groups(net: Any) -> None:
    net.layer1[0].conv2.register_forward_pre_hook(lambda _, inputs: F.channel_shuffle(inputs[0], 32))


def max_transition(net: Any) -> None:
    net.features.transition1.pool = nn.MaxPool2d(2)


def no_relu_after_sum(net: Any) -> None:
    net.trunk_output.block1[0].activation = nn.Identity()


NO_NORM = "no normalization on a shortcut, as in the book"
STRIDE = "the stride on the bottleneck's first 1 x 1, as in the first paper"
POOLED = "mean instead of maximum in the last pooling"
OURS: dict[str, Any] = {"auxiliary": True, "transform_input": True}
GOOGLE = {"init_weights": False, "transform_input": True}
LINE = stages_of_line(22, 24, 24.48, 2.54, 16)
PAIRS = [
    Pair("alexnet", AlexNet, "poolings without overlap", pool_without_overlap, 71, dense=True),
    Pair("vgg11", VGG, POOLED, mean_pooling, 32, dense=True),
    Pair("vgg11_bn", partial(VGG, batch_norm=True), POOLED, mean_pooling, 32, dense=True),
    Pair("vgg16", partial(VGG, depth=16), POOLED, mean_pooling, 32, dense=True, slow=True),
    Pair("vgg16_bn", partial(VGG, depth=16, batch_norm=True), POOLED, mean_pooling, 32, dense=True, slow=True),
    Pair("googlenet", partial(GoogLeNet, **OURS), "eps 1e-5 instead of 1e-3", usual_eps, 64, options=GOOGLE),
    Pair("resnet18", ResNet, NO_NORM, shortcut_without_norm),
    Pair("resnet34", partial(ResNet, depth=34), NO_NORM, shortcut_without_norm, slow=True),
    Pair("resnet50", partial(ResNet, depth=50), STRIDE, stride_first),
    Pair("resnext50_32x4d", ResNeXt, "groups of every 32nd channel", interleaved_groups, slow=True),
    Pair("densenet121", DenseNet, "maximum instead of mean in a transition", max_transition, 64, slow=True),
    Pair("regnet_x_400mf", partial(AnyNet, *LINE), "no ReLU after a block's sum", no_relu_after_sum, device="cpu"),
]
CHECKS = [
    Check(
        name=f"cnn/{pair.theirs}",
        claim=f"{pair.theirs}: names and number of parameters, logits in training and evaluation, all gradients",
        package="torchvision",
        ours=partial(quantities, pair, pair.our_network),
        reference=partial(quantities, pair, pair.their_network),
        control=partial(quantities, pair, pair.their_network, pair.spoil),
        mistake=pair.mistake,
        slow=pair.slow,
    )
    for pair in PAIRS
]
