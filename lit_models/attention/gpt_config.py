"""The ``GPT`` that a file of Hugging Face's weights fits: sizes from its tensors, the rest from its ``config.json``.

The number of heads, epsilon and the base of the positions do not change the shapes of the tensors. Supported model
types are ``gpt2``, ``llama`` and ``mistral`` (Llama with a window); settings that ``GPT`` does not have are refused.
"""

import re
from typing import Any

import torch
from torch import Tensor

from common.messages import UserError, note

#: The only supported values of these keys; ``GPT`` does not have an option for others.
FIXED: dict[str, dict[str, tuple[Any, ...]]] = {
    "gpt2": {
        "activation_function": ("gelu_new", "gelu_pytorch_tanh", "gelu_fast"),
        "scale_attn_weights": (True,),
        "scale_attn_by_inverse_layer_idx": (False,),
        "add_cross_attention": (False,),
    },
    "llama": {
        "hidden_act": ("silu", "swish"),
        "attention_bias": (False,),
        "mlp_bias": (False,),
        "partial_rotary_factor": (1.0,),
    },
}
FAMILIES = {"gpt2": "gpt2", "llama": "llama", "mistral": "llama"}  # model types and our variants


def sizes_of(tensors: dict[str, Tensor], config: dict[str, Any], ours: dict[str, Any]) -> dict[str, Any]:
    """The arguments of the ``GPT`` that the weights are for, named as in ``ours``.

    Without a config, the number of heads and similar arguments are not included, and a note says so.

    Args:
        tensors: By Hugging Face's names, with or without ``transformer.`` or ``model.``.
        config: The ``config.json``; may be empty.
        ours: The arguments of the network that is to take them.

    Raises:
        UserError: Weights of another kind of model, or a config with something that ``GPT`` does not have.
    """
    names = {re.sub(r"^(transformer|model)\.", "", name): tensor for name, tensor in tensors.items()}
    kind = config.get("model_type")
    if kind is not None and kind not in FAMILIES:
        raise UserError(f"weights: the config.json is of model_type {kind!r}: GPT takes {', '.join(FAMILIES)}")
    variant = FAMILIES[kind] if kind else "gpt2" if "wpe.weight" in names else "llama"
    check_fixed(config, variant)
    try:
        found = (gpt2_sizes if variant == "gpt2" else llama_sizes)(names, config, ours)
    except KeyError as error:
        raise UserError(f"weights: the file lacks {error.args[0]}: it is no {kind or 'GPT-2 and no Llama'}") from None
    if not config:
        unseen = [f"{name} {value}" for name, value in ours.items() if name not in found]
        note(f"there is no config.json beside the weights: that they are for {', '.join(unseen)} is not checked")
    return found


def check_fixed(config: dict[str, Any], variant: str) -> None:
    """Refuses settings for which ``GPT`` does not have an option."""
    for name, values in FIXED[variant].items():
        if name in config and config[name] not in values:
            raise UserError(f"weights: the config.json has {name} {config[name]!r}: GPT has {values[0]!r} alone")


def gpt2_sizes(names: dict[str, Tensor], config: dict[str, Any], ours: dict[str, Any]) -> dict[str, Any]:
    vocab_size, hidden_size = table_of(names, "wte.weight").shape
    found = {
        "variant": "gpt2",
        "vocab_size": vocab_size,
        "seq_len": len(names["wpe.weight"]),
        "hidden_size": hidden_size,
        "num_layers": depth(names, r"h\.(\d+)\."),
        "ffn_size": names["h.0.mlp.c_fc.weight"].shape[1],
        "tied": is_tied(names, config, "wte.weight", True),
    }
    if config:
        heads = config.get("n_head", 12)
        found |= {"num_heads": heads, "num_kv_heads": heads, "window": 0}
        found["norm_eps"] = float(config.get("layer_norm_epsilon", 1e-5))
    return found


def llama_sizes(names: dict[str, Tensor], config: dict[str, Any], ours: dict[str, Any]) -> dict[str, Any]:
    vocab_size, hidden_size = table_of(names, "embed_tokens.weight").shape
    heads = config.get("num_attention_heads", 32) if config else ours["num_heads"]
    key_rows = len(names["layers.0.self_attn.k_proj.weight"])
    found = {
        "variant": "llama",
        "vocab_size": vocab_size,
        "hidden_size": hidden_size,
        "num_layers": depth(names, r"layers\.(\d+)\."),
        "num_kv_heads": key_rows * heads // hidden_size,
        "ffn_size": len(names["layers.0.mlp.gate_proj.weight"]),
        "tied": is_tied(names, config, "embed_tokens.weight", False),
    }
    if config:
        if (head_dim := config.get("head_dim") or hidden_size // heads) * heads != hidden_size:
            raise UserError(f"weights: the config.json has head_dim {head_dim}: GPT has hidden_size / num_heads alone")
        found |= {"num_heads": heads, "window": config.get("sliding_window") or 0, "rope_theta": base_of(config)}
        found["norm_eps"] = float(config.get("rms_norm_eps", 1e-6))
        if ours.get("seq_len", 0) > config.get("max_position_embeddings", 2048):
            note(f"the weights saw {config.get('max_position_embeddings', 2048)} positions, data.seq_len is larger")
    return found


def base_of(config: dict[str, Any]) -> float:
    """The base of the rotary positions, in the format of old and new versions of transformers."""
    scaling = config.get("rope_parameters") or config.get("rope_scaling") or {}
    kind = scaling.get("rope_type", scaling.get("type", "default"))
    if kind != "default":
        raise UserError(f"weights: the config.json scales its rotary positions ({kind}): GPT has plain ones alone")
    return float(scaling.get("rope_theta") or config.get("rope_theta") or 10_000.0)


def depth(names: dict[str, Tensor], pattern: str) -> int:
    """The number of layers in the names."""
    return 1 + max((int(found[1]) for name in names if (found := re.match(pattern, name))), default=-1)


def table_of(names: dict[str, Tensor], embedding: str) -> Tensor:
    """The embedding, or the output matrix if a file has it only under that name."""
    return names[embedding] if embedding in names or "lm_head.weight" not in names else names["lm_head.weight"]


def is_tied(names: dict[str, Tensor], config: dict[str, Any], embedding: str, default: bool) -> bool:
    """Whether embedding and output matrix are the same: two tensors are compared, a single one serves as both."""
    if embedding in names and "lm_head.weight" in names:
        return torch.equal(names[embedding], names["lm_head.weight"])
    if config and not config.get("tie_word_embeddings", default):
        raise UserError(
            "weights: the file lacks lm_head.weight, and its config.json says that it is a matrix of its own"
        )
    return True
