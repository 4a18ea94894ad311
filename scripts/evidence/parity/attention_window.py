"""Attention with a sliding window: against a dense mask by loops, and GPT with a window against Mistral."""

import math
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from lit_models.attention.gpt import GPT
from lit_models.attention.gpt_weights import convert
from lit_models.layers.multi_head import MultiHeadAttention
from scripts.evidence.parity.attention_gpt import CONTEXT, HEADS, ROTARY, D, V, quantities, tokens
from scripts.evidence.verify import Check, Tensors

WIDE, LOOKING, GROUPS, WINDOW, T = 8, 4, 2, 3, 7


def layer() -> tuple[MultiHeadAttention, Tensor]:
    torch.manual_seed(2)
    net = MultiHeadAttention(WIDE, LOOKING, GROUPS, bias=True, causal=True, window=WINDOW).double()
    for parameter in net.parameters():
        nn.init.normal_(parameter, std=0.5)
    return net, torch.randn(2, T, WIDE, dtype=torch.float64, requires_grad=True)


def finish(net: nn.Module, x: Tensor, y: Tensor, weights: Tensor) -> Tensors:
    y.sin().sum().backward()
    found: Any = {"outputs": y.detach(), "weights": weights.detach(), "grad x": x.grad}
    return found | {f"grad {name}": p.grad for name, p in net.named_parameters()}


def ours() -> Tensors:
    net, x = layer()
    y = net(x)  # by the fused kernel
    net.need_weights = True
    with torch.no_grad():
        net(x)
    assert net.weights is not None
    return finish(net, x, y, net.weights)


def by_loops(width: int) -> Tensors:
    """Each query alone with the ``width`` keys that end in its own, each head alone."""
    net, x = layer()
    d = WIDE // LOOKING
    projected = x @ net.qkv.weight.T + net.qkv.bias  # (B, T, D + 2 G d): queries, keys, values
    query = projected[..., :WIDE]
    key, value = projected[..., WIDE : WIDE + GROUPS * d], projected[..., WIDE + GROUPS * d :]
    means = []
    every = torch.zeros(2, LOOKING, T, T, dtype=torch.float64)
    for row in range(2):
        for t in range(T):
            heads = []
            for head in range(LOOKING):
                own = slice(head * d, (head + 1) * d)
                shared = slice(head // (LOOKING // GROUPS) * d, (head // (LOOKING // GROUPS) + 1) * d)
                seen = [k for k in range(T) if t - width < k <= t]
                scores = [query[row, t, own] @ key[row, k, shared] / math.sqrt(d) for k in seen]
                exponents = torch.stack(scores).exp()
                weights = exponents / exponents.sum()
                every[row, head, t, seen] = weights.detach()
                heads.append(weights @ value[row, seen, shared])
            means.append(torch.cat(heads))
    y = torch.stack(means).view(2, T, WIDE) @ net.output.weight.T + net.output.bias
    return finish(net, x, y, every)


# -- a whole network --------------------------------------------------------------------------------------------------


def mistral(window: int = WINDOW) -> Any:
    import transformers

    transformers.logging.set_verbosity_error()
    torch.manual_seed(2)
    make: Any = transformers.MistralConfig  # takes more arguments than its signature has
    config = make(
        vocab_size=V,
        hidden_size=D,
        intermediate_size=40,
        num_hidden_layers=2,
        num_attention_heads=HEADS,
        num_key_value_heads=2,
        head_dim=D // HEADS,
        max_position_embeddings=CONTEXT,
        sliding_window=window,
        tie_word_embeddings=False,
        attn_implementation="eager",
    )
    net: Any = transformers.MistralForCausalLM(config)
    for parameter in net.parameters():
        nn.init.normal_(parameter, mean=1.0 if parameter.ndim == 1 else 0.0, std=0.3)
    return net.double().eval()


def our_gpt() -> Tensors:
    """All at once, and token by token through the ring of the cache."""
    torch.set_default_dtype(torch.float64)  # the tables of positions are made in it
    settings: Any = {"num_kv_heads": 2, "ffn_size": 40, "variant": "llama", "tied": False, "norm_eps": 1e-6}
    net = GPT(V, CONTEXT, D, 2, HEADS, window=WINDOW, **settings).eval()
    torch.set_default_dtype(torch.float32)
    net.load_state_dict(convert(net, mistral().state_dict()))
    state, steps = None, []
    with torch.no_grad():
        for token in tokens().split(1, 1):
            logits, state = net.decode(token, state)
            steps.append(logits)
    first: Any = net.layers[0]
    weights: Any = {"embedding": net.embedding.weight, "output": first.attention.output.weight}
    return quantities(net(tokens()), weights) | {"logits by step": torch.cat(steps, 1)}


def their_gpt(window: int) -> Tensors:
    net = mistral(window)
    logits = net(tokens()).logits
    first = net.model.layers[0].self_attn.o_proj.weight
    found = quantities(logits, {"embedding": net.model.embed_tokens.weight, "output": first})
    return found | {"logits by step": logits.detach()}


CHECKS = [
    Check(
        name="attention/window",
        claim="attention over a window of three tokens, grouped heads, against loops over queries, heads and keys",
        package="torch",
        ours=ours,
        reference=partial(by_loops, WINDOW),
        control=partial(by_loops, WINDOW + 1),
        mistake="three tokens besides its own",
    ),
    Check(
        name="attention/mistral",
        claim="GPT of variant llama with a window, at once and by its ring, against MistralForCausalLM",
        package="transformers",
        ours=our_gpt,
        reference=partial(their_gpt, WINDOW),
        control=partial(their_gpt, WINDOW + 1),
        mistake="three tokens besides its own",
        tolerance=1e-5,
        why=ROTARY,
    ),
]
