"""The attention over time of video diffusion against torch's multi-head attention, clip by clip and place by place."""

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lit_models.video.diffusion import TimeAttention
from scripts.evidence.verify import Check, Tensors

B, T, C, SIDE = 2, 3, 8, 2


def ours_and_input() -> tuple[TimeAttention, Tensor]:
    torch.manual_seed(2)
    net = TimeAttention(C, T, 4, 2).double()
    for parameter in net.parameters():
        nn.init.normal_(parameter, std=0.5)
    return net, torch.randn(B * T, C, SIDE, SIDE, dtype=torch.float64, requires_grad=True)


def quantities(net: TimeAttention, x: Tensor, out: Tensor) -> Tensors:
    (out * torch.linspace(-1, 1, out.numel(), dtype=torch.float64).view_as(out)).sum().backward()
    assert x.grad is not None
    gradients: Tensors = {f"grad {name}": p.grad for name, p in net.named_parameters() if p.grad is not None}
    return {"output": out.detach(), "grad x": x.grad} | gradients


def ours() -> Tensors:
    net, x = ours_and_input()
    return quantities(net, x, net(x))


def reference(mixed: bool = False) -> Tensors:
    net, x = ours_and_input()
    normed = F.group_norm(x, 2, net.norm.weight, net.norm.bias)
    found = torch.zeros_like(x)
    for b in range(B):
        rows = [b + B * t for t in range(T)] if mixed else [T * b + t for t in range(T)]
        for place in range(SIDE * SIDE):
            h, w = divmod(place, SIDE)
            tokens = (normed[rows, :, h, w] + net.frames)[:, None]  # (T, 1, C)
            attended, _ = F.multi_head_attention_forward(
                tokens, tokens, tokens, C, C // 4, net.qkv.weight, net.qkv.bias, None, None, False, 0.0,
                net.out.weight, net.out.bias, need_weights=False,
            )  # fmt: skip
            put = torch.zeros_like(x)
            put[rows, :, h, w] = 1
            spread = torch.zeros_like(x).index_put(
                (torch.tensor(rows), torch.arange(C)[:, None], torch.tensor(h), torch.tensor(w)), attended[:, 0].T
            )
            found = found + spread * put
    return quantities(net, x, x + found)


CHECKS = [
    Check(
        name="video/diffusion",
        claim="Attention over time against torch's multi-head attention at each place of each clip: output, gradients",
        package="torch",
        ours=ours,
        reference=reference,
        control=partial(reference, mixed=True),
        mistake="frames of different clips: (B T) read as (T B)",
    )
]
