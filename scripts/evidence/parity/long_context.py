"""Mamba against transformers, other networks against their equations, scans against loops, in double precision."""

from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from lit_models.layers.linear_scan import linear_scan
from lit_models.long_context.induction import AttentionOnly
from lit_models.long_context.linear_attention import linear_attention, linear_attention_loop
from lit_models.long_context.long_gpt import LongGPT
from lit_models.long_context.mamba import Mamba
from lit_models.long_context.needle import long_network
from lit_models.long_context.selective_scan import parallel_scan
from scripts.evidence.verify import Check, Tensors

SIZES: dict[str, Any] = {"vocab_size": 31, "hidden_size": 16, "num_layers": 2, "state_size": 4}


def tokens(length: int = 19, vocabulary: int = 31) -> Tensor:
    return torch.randint(vocabulary, (2, length), generator=torch.Generator().manual_seed(0))


# -- Mamba ------------------------------------------------------------------------------------------------------------


def mamba() -> Mamba:
    torch.manual_seed(1)
    net = Mamba(**SIZES).double()
    with torch.no_grad():
        for p in net.parameters():
            p.add_(0.1 * torch.randn_like(p))
    return net


def with_gradients(net: Any, call: Any) -> Tensors:
    """Logits, and the gradient of the mean cross-entropy of the next token for every parameter."""
    ids = tokens()
    logits = call(ids[:, :-1])
    F.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten()).backward()
    return {"logits": logits.detach()} | {f"grad {name}": p.grad for name, p in net.named_parameters()}


def our_mamba() -> Tensors:
    net = mamba()
    return with_gradients(net, net)


def their_mamba(step: float = 0.0) -> Tensors:
    """``MambaForCausalLM`` on the CPU (its slow path), with our weights by their names."""
    from transformers import MambaConfig, MambaForCausalLM

    config = MambaConfig(
        vocab_size=31, hidden_size=16, num_hidden_layers=2, state_size=4, use_cache=False, residual_in_fp32=False
    )
    net = MambaForCausalLM(config).double()
    net.load_state_dict(mamba().state_dict())
    with torch.no_grad():
        for layer in net.backbone.layers:
            layer.mixer.dt_proj.bias.add_(step)  # type: ignore[union-attr, operator]
    return with_gradients(net, lambda ids: net(ids).logits.double())  # its logits are in single precision


# -- scans ------------------------------------------------------------------------------------------------------------


def scanned(scan: Any, length: int = 37) -> Tensors:
    decay = torch.rand(2, length, 3, 4, dtype=torch.float64, requires_grad=True)
    drive = torch.randn(2, length, 3, 4, dtype=torch.float64, requires_grad=True)
    start = torch.randn(2, 3, 4, dtype=torch.float64, requires_grad=True)
    states = scan(decay, drive, start)
    (states * torch.randn_like(states)).sum().backward()
    assert decay.grad is not None and drive.grad is not None and start.grad is not None
    return {
        "states": states.detach(), "grad decay": decay.grad, "grad drive": drive.grad, "grad start": start.grad,
    }  # fmt: skip


def late(decay: Tensor, drive: Tensor, start: Tensor) -> Tensor:
    """The decay of the step before: an error of one place."""
    return linear_scan(torch.cat([decay[:, :1], decay[:, :-1]], 1), drive, start)


def attended(form: Any, length: int = 90) -> Tensors:
    q, k = (torch.rand(2, 2, length, 4, dtype=torch.float64, requires_grad=True) for _ in range(2))
    v = torch.randn(2, 2, length, 4, dtype=torch.float64, requires_grad=True)
    mean, state = form(q, k, v, torch.zeros(2, 2, 4, 5, dtype=torch.float64))
    (mean * torch.randn_like(mean)).sum().backward()
    assert q.grad is not None and k.grad is not None and v.grad is not None
    return {"mean": mean.detach(), "state": state.detach(), "grad q": q.grad, "grad k": k.grad, "grad v": v.grad}


def looks_ahead(q: Tensor, k: Tensor, v: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
    """Without the present token: each mean is that of the token before."""
    mean, state = linear_attention_loop(q, k, v, state)
    return torch.cat([mean[:, :, :1], mean[:, :, :-1]], 2), state


# -- LongGPT -----------------------------------------------------------------------------------------------------------


def long_gpt(position: str, call: Any = None) -> Tensors:
    torch.manual_seed(1)
    net: Any = long_network(31, 8, 24, 16, 2, 2, position).double()  # type: ignore[arg-type]
    return with_gradients(net, call(net) if call else net)


def by_formula(wrong: bool = False) -> Any:
    """The same network with attention written out from its equations: ALiBi's scores from one loop over pairs."""

    def of(net: LongGPT) -> Any:
        def call(ids: Tensor) -> Tensor:
            x, length = net.embedding(ids), ids.shape[1]
            distance = torch.tensor([[i - j + int(wrong) * (i > j) for j in range(length)] for i in range(length)])
            for layer in net.layers:
                attention: Any = layer.attention
                q, k, v = layer.attention_norm(x).matmul(attention.qkv.weight.T).chunk(3, -1)  # type: ignore[union-attr, operator]
                heads = []
                for h, slope in enumerate(attention.slopes.double()):
                    part = slice(8 * h, 8 * h + 8)
                    scores = q[..., part] @ k[..., part].transpose(1, 2) / 8**0.5 - slope * distance
                    scores = scores.masked_fill(distance < 0, -torch.inf)
                    heads.append(scores.softmax(-1) @ v[..., part])
                x = x + torch.cat(heads, -1) @ attention.output.weight.T
                x = x + layer.feed_forward(layer.feed_forward_norm(x))  # type: ignore[union-attr, operator]
            return net.norm(x) @ net.embedding.weight.T

        return call

    return of


# -- the attention-only network ---------------------------------------------------------------------------------------


def attention_only() -> AttentionOnly:
    torch.manual_seed(1)
    return AttentionOnly(31, 20, 16, 2, 2).double()


def our_induction() -> Tensors:
    net = attention_only()
    return with_gradients(net, net)


def with_torch(scale: float = 1.0) -> Tensors:
    """``torch.nn.MultiheadAttention`` on the same weights."""
    net = attention_only()
    mask = torch.ones(18, 18, dtype=torch.bool).triu(1)

    def call(ids: Tensor) -> Tensor:
        x = net.positions(net.embedding(ids))
        for norm, attention in zip(net.norms, net.attentions, strict=True):
            own: Any = attention
            y = norm(x) * scale
            x = x + F.multi_head_attention_forward(
                *(y.transpose(0, 1),) * 3, 16, 2, own.qkv.weight, torch.zeros(48).double(), None, None, False, 0.0,
                own.output.weight, None, attn_mask=mask, need_weights=False,
            )[0].transpose(0, 1)  # fmt: skip
        return net.head(net.norm(x))

    return with_gradients(net, call)


CHECKS = [
    Check(
        name="long_context/mamba",
        claim="Mamba, two layers: logits and the gradients of all parameters against MambaForCausalLM, weights by name",
        package="transformers",
        ours=our_mamba,
        reference=their_mamba,
        control=partial(their_mamba, 0.01),
        mistake="the bias of the step + 0.01",
        tolerance=2e-6,
        why="transformers computes the recurrence's numbers in single precision",
    ),
    Check(
        name="long_context/scan",
        claim="The parallel scan of 37 steps against the sequential one, values and gradients",
        package="torch",
        ours=partial(scanned, parallel_scan),
        reference=partial(scanned, linear_scan),
        control=partial(scanned, late),
        mistake="the decay of the step before",
    ),
    Check(
        name="long_context/linear_attention",
        claim="Linear attention in chunks against the loop over time, values and gradients",
        package="torch",
        ours=partial(attended, linear_attention),
        reference=partial(attended, linear_attention_loop),
        control=partial(attended, looks_ahead),
        mistake="the mean of the token before",
    ),
    Check(
        name="long_context/needle",
        claim="LongGPT with ALiBi: logits and gradients against the equations, head by head",
        package="torch",
        ours=partial(long_gpt, "alibi"),
        reference=partial(long_gpt, "alibi", by_formula()),
        control=partial(long_gpt, "alibi", by_formula(wrong=True)),
        mistake="each distance to an earlier key one larger",
        tolerance=1e-8,
        why="the slopes are kept in single precision",
    ),
    Check(
        name="long_context/induction",
        claim="The attention-only network: logits and gradients against multi_head_attention_forward",
        package="torch",
        ours=our_induction,
        reference=with_torch,
        control=partial(with_torch, 1.01),
        mistake="inputs of the attention 1 % too large",
    ),
]
