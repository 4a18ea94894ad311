"""Both variants of the vision transformer against torchvision and torch."""

from typing import Any

import torch
from torch import Tensor, nn

from lit_models.attention.vit import ViT
from scripts.evidence.parity.attention import FFN, HEADS, D, copy_layer, seeded, with_gradients
from scripts.evidence.verify import Check, Tensors


def images() -> Tensor:
    torch.manual_seed(1)
    return torch.rand(2, 3, 12, 12, dtype=torch.float64, requires_grad=True)


def compared(net: nn.Module, patches: Tensor, token: Tensor) -> Tensors:
    x = images()
    return with_gradients(net(x), x=x, patches=patches, token=token)


# -- torchvision's variant --------------------------------------------------------------------------------------------


def torchvision_vit() -> Any:
    from torchvision.models import VisionTransformer

    return seeded(lambda: VisionTransformer(12, 4, 2, HEADS, D, FFN, num_classes=5))


def our_vit() -> Tensors:
    net = ViT(3, 5, 12, 4, D, 2, HEADS, FFN).double()
    net.load_state_dict({net.rename(key): value for key, value in torchvision_vit().state_dict().items()})
    return compared(net, net.patches.weight, net.class_token)


def their_vit(eps: float = 1e-6) -> Tensors:
    net = torchvision_vit()
    for module in net.modules():
        if isinstance(module, nn.LayerNorm):
            module.eps = eps
    return compared(net, net.conv_proj.weight, net.class_token)


def their_vit_with_torchs_epsilon() -> Tensors:
    return their_vit(1e-5)


# -- the book's variant -----------------------------------------------------------------------------------------------


class BookViT(nn.Module):
    """D2L 11.8 with torch's own layers, whose attention has biases: they are zero, as the book's has none."""

    def __init__(self, pre_norm: bool = True) -> None:
        super().__init__()
        settings: Any = {"activation": "gelu", "batch_first": True, "norm_first": pre_norm, "dropout": 0.0}
        self.patches = nn.Conv2d(3, D, 4, 4)
        self.token, self.positions = nn.Parameter(torch.zeros(1, 1, D)), nn.Parameter(torch.zeros(10, D))
        self.layers = nn.ModuleList(nn.TransformerEncoderLayer(D, HEADS, FFN, **settings) for _ in range(2))
        self.head = nn.Sequential(nn.LayerNorm(D), nn.Linear(D, 5))

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(len(x), -1, -1), x], 1) + self.positions
        for layer in self.layers:
            x = layer(x)
        return self.head(x[:, 0])


def book_vit(pre_norm: bool = True) -> BookViT:
    net = seeded(lambda: BookViT(pre_norm))
    for layer in net.layers:
        for bias in (layer.self_attn.in_proj_bias, layer.self_attn.out_proj.bias):
            nn.init.zeros_(bias)
    return net


def our_book_vit() -> Tensors:
    theirs, net = book_vit(), ViT(3, 5, 12, 4, D, 2, HEADS, FFN, variant="book").double()
    assert net.positions is not None
    net.patches.load_state_dict(theirs.patches.state_dict())
    net.class_token.data, net.positions.weight.data = theirs.token.data, theirs.positions.data[None]
    net.norm.load_state_dict(theirs.head[0].state_dict())
    net.head.load_state_dict(theirs.head[1].state_dict())
    for mine, other in zip(net.layers, theirs.layers, strict=True):
        copy_layer(mine, other)
    return compared(net, net.patches.weight, net.class_token)


def their_book_vit(pre_norm: bool = True) -> Tensors:
    net = book_vit(pre_norm)
    return compared(net, net.patches.weight, net.token)


def their_book_vit_with_late_norms() -> Tensors:
    return their_book_vit(pre_norm=False)


CHECKS = [
    Check(
        name="attention/vit",
        claim="Vision transformer with torchvision's weights against torchvision.models.VisionTransformer",
        package="torchvision",
        ours=our_vit,
        reference=their_vit,
        control=their_vit_with_torchs_epsilon,
        mistake="LayerNorm with torch's epsilon instead of 1e-6",
    ),
    Check(
        name="attention/vit_book",
        claim="Vision transformer of variant book against torch's encoder layers",
        package="torch",
        ours=our_book_vit,
        reference=their_book_vit,
        control=their_book_vit_with_late_norms,
        mistake="the normalization after each part",
    ),
]
