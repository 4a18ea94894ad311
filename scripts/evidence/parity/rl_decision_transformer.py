"""The decision transformer against transformers' ``DecisionTransformerModel``, by its weights."""

from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import DecisionTransformerConfig, DecisionTransformerModel

from lit_models.rl.decision_transformer import DecisionTransformer
from scripts.evidence.verify import Check, Tensors

ROWS, STEPS, FEATURES, ACTIONS, HIDDEN, LAYERS = 3, 5, 4, 2, 16, 2
EMBEDDINGS = ("embed_timestep", "embed_return", "embed_state", "embed_action")


def reference() -> Any:
    torch.manual_seed(1)
    config = DecisionTransformerConfig(
        state_dim=FEATURES,
        act_dim=ACTIONS,
        hidden_size=HIDDEN,
        max_ep_len=12,
        n_layer=LAYERS,
        n_head=2,
        action_tanh=False,
        bos_token_id=None,
        eos_token_id=None,
    )
    model = DecisionTransformerModel(config).double().eval()
    for parameter in model.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    model.encoder.wpe.weight.data.zero_()  # of places 0 alone, a second bias of embed_ln: it is not in the paper
    return model


def batch() -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    torch.manual_seed(2)
    action = F.one_hot(torch.randint(ACTIONS, (ROWS, STEPS)), ACTIONS).double()
    step = torch.arange(3, 3 + STEPS).expand(ROWS, -1)
    numbers = torch.randn(ROWS, STEPS).double(), torch.randn(ROWS, STEPS, FEATURES).double()
    return *numbers, action, step, torch.randn(ROWS, STEPS, ACTIONS).double()


def translated(theirs: dict[str, Tensor]) -> dict[str, Tensor]:
    """Their weights, or gradients, by our names; GPT-2's dense layers are stored transposed."""
    found = {name: value for name, value in theirs.items() if name.startswith((*EMBEDDINGS, "embed_ln"))}
    parts = {"ln_1": "attention_norm", "attn.c_attn": "attention.qkv", "attn.c_proj": "attention.output"}
    parts |= {"ln_2": "feed_forward_norm", "mlp.c_fc": "feed_forward.inner", "mlp.c_proj": "feed_forward.outer"}
    for kind in ("weight", "bias"):
        found[f"norm.{kind}"] = theirs[f"encoder.ln_f.{kind}"]
        found[f"predict_action.{kind}"] = theirs[f"predict_action.0.{kind}"]
        for layer in range(LAYERS):
            for their, our in parts.items():
                value = theirs[f"encoder.h.{layer}.{their}.{kind}"]
                found[f"layers.{layer}.{our}.{kind}"] = value.T if value.ndim == 2 else value
    return found


def outcome(output: Tensor, gradients: dict[str, Tensor]) -> Tensors:
    return {"output": output.detach()} | {f"grad {name}": value for name, value in gradients.items()}


def ours() -> Tensors:
    *inputs, weight = batch()
    net = DecisionTransformer(FEATURES, ACTIONS, max_steps=12, hidden_size=HIDDEN, num_layers=LAYERS).double().eval()
    net.load_state_dict(translated(reference().state_dict()))
    (weight * (output := net(*inputs))).sum().backward()
    return outcome(output, {name: p.grad for name, p in net.named_parameters() if p.grad is not None})


def theirs(in_order: bool = True) -> Tensors:
    """With transformers; not ``in_order``: the steps of an episode all count as its first."""
    to_go, observation, action, step, weight = batch()
    model = reference()
    given = {"states": observation, "actions": action, "rewards": None, "returns_to_go": to_go[..., None]}
    output = model(**given, timesteps=step if in_order else 0 * step).action_preds
    (weight * output).sum().backward()
    return outcome(output, translated({n: p.grad for n, p in model.named_parameters() if p.grad is not None}))


CHECKS = [
    Check(
        name="rl/decision_transformer",
        claim="action logits and all gradients on windows of episodes against transformers' DecisionTransformerModel, "
        "with its weights",
        package="transformers",
        ours=ours,
        reference=theirs,
        control=partial(theirs, in_order=False),
        mistake="all steps have the first one's embedding",
        tolerance=1e-10,
    ),
]
