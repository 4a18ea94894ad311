"""Converts Hugging Face's names for the weights of GPT-2 and Llama to ours.

GPT-2's matrices are (in, out), as in TensorFlow, and are transposed; its query, key and value are in one matrix, as
ours are. Llama's three matrices, and the two of its gated part, are stacked. A tensor that is not used is refused,
since the network would be a different one. The sizes are checked before (``lit_models/attention/gpt_config.py``).
"""

import re

import torch
from torch import Tensor, nn

from common.messages import UserError

Weights = dict[str, Tensor]
GPT2_PARTS = {
    "ln_1": "attention_norm",
    "attn.c_attn": "attention.qkv",
    "attn.c_proj": "attention.output",
    "ln_2": "feed_forward_norm",
    "mlp.c_fc": "feed_forward.inner",
    "mlp.c_proj": "feed_forward.outer",
}
#: Entries of old files that are not weights: masks and frequencies, which are computed here.
COMPUTED = re.compile(r"h\.\d+\.attn\.(bias|masked_bias)|(layers\.\d+\.self_attn\.)?rotary_emb\.inv_freq")
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
        UserError: There is one that GPT-2 does not have.
    """
    theirs = {name.removeprefix("transformer."): tensor for name, tensor in weights.items()}
    ours = tables(theirs, "wte.weight") | {"positions.weight": theirs.pop("wpe.weight")[None]}
    for kind in ("weight", "bias"):
        ours[f"norm.{kind}"] = theirs.pop(f"ln_f.{kind}")
        for i in range(num_layers):
            for their, our in GPT2_PARTS.items():
                tensor = theirs.pop(f"h.{i}.{their}.{kind}")
                ours[f"layers.{i}.{our}.{kind}"] = tensor.T if tensor.ndim == 2 else tensor
    refuse_left_over(theirs, "gpt2")
    return ours


def from_llama(weights: Weights, num_layers: int) -> Weights:
    """Weights under ``LlamaForCausalLM``'s names (with or without ``model.``) under ours.

    Raises:
        KeyError: One is missing.
        UserError: There is one that Llama does not have, such as a bias.
    """
    theirs = {name.removeprefix("model."): tensor for name, tensor in weights.items()}
    ours = tables(theirs, "embed_tokens.weight") | {"norm.weight": theirs.pop("norm.weight")}
    for i in range(num_layers):
        for our, parts in LLAMA_PARTS.items():
            ours[f"layers.{i}.{our}.weight"] = torch.cat([theirs.pop(f"layers.{i}.{part}.weight") for part in parts])
    refuse_left_over(theirs, "llama")
    return ours


def tables(theirs: Weights, embedding: str) -> Weights:
    """Takes our embedding and output matrix; if the two are one tensor, a file may have either."""
    head = theirs.pop("lm_head.weight", None)
    if embedding not in theirs and head is None:
        raise KeyError(embedding)
    table = theirs.pop(embedding, head)
    return {"embedding.weight": table, "head.weight": table if head is None else head}  # type: ignore[dict-item]


def refuse_left_over(theirs: Weights, variant: str) -> None:
    """Refuses tensors that are not used by the network."""
    if left := [name for name in theirs if not COMPUTED.fullmatch(name)]:
        more = f" and {len(left) - 3} more" if len(left) > 3 else ""
        raise UserError(f"weights: a GPT of variant {variant} has no place for {', '.join(left[:3])}{more} of the file")


def convert(net: nn.Module, weights: Weights) -> Weights:
    """Hugging Face's weights under the names of a ``GPT``, by its variant."""
    return (from_llama if net.variant == "llama" else from_gpt2)(weights, int(net.num_layers))  # type: ignore[arg-type]
