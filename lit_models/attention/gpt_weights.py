"""Hugging Face's names for the weights of GPT-2 and Llama, and ours.

GPT-2's matrices are (in, out), as TensorFlow's were, and are turned; its query, key and value lie in one matrix, as
ours do, and Llama's three, and the two halves of its gate, are stacked.
"""

import torch
from torch import Tensor, nn

Weights = dict[str, Tensor]
GPT2_PARTS = {
    "ln_1": "attention_norm",
    "attn.c_attn": "attention.qkv",
    "attn.c_proj": "attention.output",
    "ln_2": "feed_forward_norm",
    "mlp.c_fc": "feed_forward.inner",
    "mlp.c_proj": "feed_forward.outer",
}
LLAMA_PARTS = {
    "attention_norm": ["input_layernorm"],
    "attention.qkv": ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"],
    "attention.output": ["self_attn.o_proj"],
    "feed_forward_norm": ["post_attention_layernorm"],
    "feed_forward.inner": ["mlp.gate_proj", "mlp.up_proj"],
    "feed_forward.outer": ["mlp.down_proj"],
}


def from_gpt2(weights: Weights, num_layers: int) -> Weights:
    """Weights under ``GPT2LMHeadModel``'s names (with or without ``transformer.``) under ours.

    Raises:
        KeyError: One is missing.
    """
    theirs = {name.removeprefix("transformer."): tensor for name, tensor in weights.items()}
    ours = tables(theirs, "wte.weight") | {"positions.weight": theirs["wpe.weight"][None]}
    for kind in ("weight", "bias"):
        ours[f"norm.{kind}"] = theirs[f"ln_f.{kind}"]
        for i in range(num_layers):
            for their, our in GPT2_PARTS.items():
                tensor = theirs[f"h.{i}.{their}.{kind}"]
                ours[f"layers.{i}.{our}.{kind}"] = tensor.T if tensor.ndim == 2 else tensor
    return ours


def from_llama(weights: Weights, num_layers: int) -> Weights:
    """Weights under ``LlamaForCausalLM``'s names (with or without ``model.``) under ours.

    Raises:
        KeyError: One is missing.
    """
    theirs = {name.removeprefix("model."): tensor for name, tensor in weights.items()}
    ours = tables(theirs, "embed_tokens.weight") | {"norm.weight": theirs["norm.weight"]}
    for i in range(num_layers):
        for our, parts in LLAMA_PARTS.items():
            ours[f"layers.{i}.{our}.weight"] = torch.cat([theirs[f"layers.{i}.{part}.weight"] for part in parts])
    return ours


def tables(theirs: Weights, embedding: str) -> Weights:
    """Our embedding and output matrix; where the two are one tensor, a file may have either."""
    table = theirs[embedding] if embedding in theirs else theirs["lm_head.weight"]
    return {"embedding.weight": table, "head.weight": theirs.get("lm_head.weight", table)}


def convert(net: nn.Module, weights: Weights) -> Weights:
    """Hugging Face's weights under the names of a ``GPT``, by its variant."""
    return (from_llama if net.variant == "llama" else from_gpt2)(weights, int(net.num_layers))  # type: ignore[arg-type]
