"""Mixtures of experts against transformers' Mixtral block, Switch layer and their balancing and z losses."""

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from lit_models.functional.routing import balance_loss, z_loss
from lit_models.layers.feed_forward import SwiGLU
from lit_models.layers.mixture_of_experts import MixtureOfExperts, recorded
from lit_models.moe.experts import LitExperts
from scripts.evidence.verify import Check, Tensors

D, FFN, E = 8, 6, 4
SINGLE = "transformers' router computes in single precision"


def inputs() -> Tensor:
    torch.manual_seed(3)
    return torch.randn(2, 9, D, dtype=torch.float64, requires_grad=True)


def weights() -> dict[str, Tensor]:
    torch.manual_seed(4)
    shapes = {"router": (E, D), "gate_up": (E, 2 * FFN, D), "down": (E, D, FFN), "wi": (E, FFN, D)}
    return {name: 0.5 * torch.randn(shape, dtype=torch.float64) for name, shape in shapes.items()}


def result(output: Tensor, x: Tensor, router: Tensor) -> Tensors:
    output.sin().sum().backward()
    return {"output": output, "grad x": x.grad, "grad router": router.grad}  # type: ignore[dict-item]


# -- Mixtral ---------------------------------------------------------------------------------------------------------


def our_mixtral() -> Tensors:
    x, given = inputs(), weights()
    layer = MixtureOfExperts(D, E, partial(SwiGLU, D, FFN), top_k=2).double()
    layer.router.weight.data.copy_(given["router"])
    for number, expert in enumerate(layer.experts):
        expert.inner.weight.data.copy_(given["gate_up"][number])  # type: ignore[union-attr,operator]
        expert.outer.weight.data.copy_(given["down"][number])  # type: ignore[union-attr,operator]
    return result(layer(x), x, layer.router.weight)


def their_mixtral(normalized: bool = True) -> Tensors:
    from transformers import MixtralConfig
    from transformers.models.mixtral.modeling_mixtral import MixtralSparseMoeBlock

    x, given = inputs(), weights()
    sizes: Any = {"hidden_size": D, "intermediate_size": FFN, "num_local_experts": E, "num_experts_per_tok": 2}
    block = MixtralSparseMoeBlock(MixtralConfig(**sizes)).double()
    block.gate.weight.data.copy_(given["router"])
    block.experts.gate_up_proj.data.copy_(given["gate_up"])
    block.experts.down_proj.data.copy_(given["down"])
    if not normalized:
        flat = x.flatten(0, 1)
        values, chosen = (flat @ block.gate.weight.T).softmax(-1).topk(2, -1)
        return result(block.experts(flat, chosen, values).view_as(x), x, block.gate.weight)
    return result(block(x), x, block.gate.weight)


# -- Switch ----------------------------------------------------------------------------------------------------------

CAPACITY = 3  # of nine tokens and four experts: some are dropped


class Relu(nn.Module):
    """Switch's expert: two matrices without biases."""

    def __init__(self) -> None:
        super().__init__()
        self.wi, self.wo = nn.Linear(D, FFN, bias=False), nn.Linear(FFN, D, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.wo(self.wi(x).relu())


def our_switch() -> Tensors:
    x, given = inputs(), weights()
    layer = MixtureOfExperts(D, E, Relu, capacity_factor=CAPACITY * E / 9).double().train()
    layer.router.weight.data.copy_(given["router"])
    for number, expert in enumerate(layer.experts):
        expert.wi.weight.data.copy_(given["wi"][number])  # type: ignore[union-attr,operator]
        expert.wo.weight.data.copy_(given["down"][number])  # type: ignore[union-attr,operator]
    return result(layer(x), x, layer.router.weight)


def their_switch(weighted: bool = True) -> Tensors:
    from transformers import SwitchTransformersConfig
    from transformers.models.switch_transformers.modeling_switch_transformers import SwitchTransformersSparseMLP

    x, given = inputs(), weights()
    sizes: Any = {"d_model": D, "hidden_size": D, "d_ff": FFN, "num_experts": E, "expert_capacity": CAPACITY}
    config = SwitchTransformersConfig(**sizes, router_jitter_noise=0.0, dropout_rate=0.0)
    layer: Any = SwitchTransformersSparseMLP(config).double()
    layer.router.dtype = torch.float64
    layer.router.classifier.weight.data.copy_(given["router"])
    for number in range(E):
        layer.experts[f"expert_{number}"].wi.weight.data.copy_(given["wi"][number])
        layer.experts[f"expert_{number}"].wo.weight.data.copy_(given["down"][number])
    router = layer.router.classifier.weight
    if not weighted:  # the output of the expert is not multiplied by its probability
        chosen, probability, _ = layer.router(x)
        plain = layer.experts(x.view(-1, D), chosen.view(-1, 1, E), torch.ones(18, 1, dtype=torch.float64))
        return result(plain.view_as(x) + 0 * probability, x, router)
    return result(layer(x), x, router)


# -- the losses ------------------------------------------------------------------------------------------------------


def our_losses() -> Tensors:
    """Of GPT's two layers of experts, as the task adds them up."""
    torch.manual_seed(5)
    settings: Any = {"vocab_size": 11, "hidden_size": D, "num_layers": 2, "num_heads": 2, "variant": "llama"}
    model = LitExperts(num_experts=E, experts_per_token=2, balance=0.5, z=0.25, **settings).double()
    with recorded(model.net) as routings:
        model(torch.arange(18).view(2, 9) % 11)
    model.router_losses(routings, torch.ones(2, 9, dtype=torch.bool)).backward()
    scores = [r.logits.detach() for r in routings]
    grads = [layer.feed_forward.router.weight.grad for layer in model.net.layers]  # type: ignore[union-attr]
    found: Any = {f"scores {i}": s for i, s in enumerate(scores)}
    found |= {"balance": sum(balance_loss(r) for r in routings), "z": sum(z_loss(r) for r in routings)}
    return found | {"grad router": grads[1]}


def their_losses(wrong: bool = False) -> Tensors:
    from transformers.models.mixtral.modeling_mixtral import load_balancing_loss_func
    from transformers.models.switch_transformers.modeling_switch_transformers import router_z_loss_func

    torch.manual_seed(5)
    settings: Any = {"vocab_size": 11, "hidden_size": D, "num_layers": 2, "num_heads": 2, "variant": "llama"}
    model = LitExperts(num_experts=E, experts_per_token=2, **settings).double()
    with recorded(model.net) as routings:
        model(torch.arange(18).view(2, 9) % 11)
    each: Any = [load_balancing_loss_func((r.logits.flatten(0, 1),), E, 2) for r in routings]
    balance = torch.stack(each).sum()
    if wrong:  # the probabilities alone: minimal when they are even, whoever is chosen
        balance = torch.stack([E * r.logits.softmax(-1).mean((0, 1)).square().sum() for r in routings]).sum()
    each = [router_z_loss_func(r.logits) for r in routings]
    z = torch.stack(each).sum()
    (0.5 * balance + 0.25 * z).backward()
    found: Any = {f"scores {i}": r.logits.detach() for i, r in enumerate(routings)}
    layer: Any = model.net.layers[1]
    return found | {"balance": balance.double(), "z": z, "grad router": layer.feed_forward.router.weight.grad}


CHECKS = [
    Check(
        name="moe/mixtral_block",
        claim="Two experts for each token against transformers' MixtralSparseMoeBlock",
        package="transformers",
        ours=our_mixtral,
        reference=their_mixtral,
        control=partial(their_mixtral, normalized=False),
        mistake="the weights of the two experts not normalized",
        tolerance=1e-5,
        why=SINGLE,
    ),
    Check(
        name="moe/switch_layer",
        claim="One expert for each token, with capacity, against transformers' SwitchTransformersSparseMLP",
        package="transformers",
        ours=our_switch,
        reference=their_switch,
        control=partial(their_switch, weighted=False),
        mistake="the expert's output not multiplied by its probability: the router has no gradient",
    ),
    Check(
        name="moe/losses",
        claim="Balancing and z loss of two layers against transformers'",
        package="transformers",
        ours=our_losses,
        reference=their_losses,
        control=partial(their_losses, wrong=True),
        mistake="the balancing loss without the choices",
        tolerance=1e-6,
        why=SINGLE,
    ),
]
