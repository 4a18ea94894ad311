"""Folders of transformers' Marian, M2M-100, mBART and T5: which network they are for, and their names under ours.

Sizes are those of the ``config.json``, without which a folder is refused: heads, activation and scale do not show in
the tensors. A tensor that is not used is refused too, since the network would be another one.
"""

import re
from typing import Any

import torch
from torch import Tensor

from common.messages import UserError

Weights = dict[str, Tensor]
FAMILIES = {"marian": "marian", "m2m_100": "m2m_100", "mbart": "mbart", "t5": "t5", "mt5": "t5"}
ACTIVATIONS = {
    **{"relu": "relu", "gelu": "gelu", "swish": "silu", "silu": "silu"},
    **{"gelu_new": "gelu_tanh", "gelu_pytorch_tanh": "gelu_tanh"},
}
#: One matrix under several names.
TABLES = ("shared.weight", "encoder.embed_tokens.weight", "decoder.embed_tokens.weight")
#: Tables of sinusoidal positions in old files, which are computed here.
COMPUTED = re.compile(r"(encoder|decoder)\.embed_positions\.weights?")
UNUSED = "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight"  # of old files of T5


def family(config: dict[str, Any]) -> str:
    """The variant of a ``config.json``.

    Raises:
        UserError: There is none, or it is of another kind of model.
    """
    if not config:
        raise UserError("weights: there is no config.json beside the file: give the folder as transformers saves it")
    if (kind := config.get("model_type")) not in FAMILIES:
        raise UserError(f"weights: the config.json is of model_type {kind!r}: give one of {', '.join(FAMILIES)}")
    return FAMILIES[kind]


def require(config: dict[str, Any], **only: Any) -> None:
    """Refuses settings that the networks do not have."""
    for name, value in only.items():
        if name in config and config[name] != value:
            raise UserError(f"weights: the config.json has {name} {config[name]!r}: only {value!r} is supported")


def activation_of(name: str) -> str:
    if name not in ACTIVATIONS:
        raise UserError(f"weights: the config.json has the activation {name!r}: give one of {', '.join(ACTIVATIONS)}")
    return ACTIVATIONS[name]


def bart_sizes(config: dict[str, Any]) -> dict[str, Any]:
    """The arguments of the ``Bart`` that a folder is for.

    Raises:
        UserError: See ``family`` and ``require``.
    """
    variant = family(config)
    if variant == "t5":
        return {"variant": "t5"}  # which the network is not: the arguments are compared
    heads, ffn = config["encoder_attention_heads"], config["encoder_ffn_dim"]
    require(config, decoder_attention_heads=heads, decoder_ffn_dim=ffn)
    require(config, share_encoder_decoder_embeddings=True, tie_word_embeddings=True)
    found = {
        "variant": variant,
        "vocab_size": config["vocab_size"],
        "hidden_size": config["d_model"],
        "num_heads": heads,
        "ffn_size": ffn,
        "num_layers": config["encoder_layers"],
        "decoder_layers": config["decoder_layers"],
        "activation": activation_of(config.get("activation_function", "gelu")),
        "scale_embedding": bool(config.get("scale_embedding", False)),
    }
    return found | ({"max_positions": config["max_position_embeddings"]} if variant == "mbart" else {})


def t5_sizes(tensors: Weights, config: dict[str, Any]) -> dict[str, Any]:
    """The arguments of the ``T5`` that a folder is for.

    Whether the logits are divided follows from ``tie_word_embeddings`` in configs before transformers 5, and from
    ``scale_decoder_outputs`` later; mT5's never are. Whether the output matrix is the embedding shows in the tensors.

    Raises:
        UserError: See ``family`` and ``require``.
    """
    if (variant := family(config)) != "t5":
        return {"variant": variant}
    require(config, layer_norm_epsilon=1e-6)
    feed_forward = config.get("feed_forward_proj", "relu")
    name = feed_forward.removeprefix("gated-")
    head, table = tensors.get("lm_head.weight"), next((tensors[t] for t in TABLES if t in tensors), None)
    divided = config.get("scale_decoder_outputs", config.get("tie_word_embeddings", True))
    return {
        "variant": "t5",
        "vocab_size": config["vocab_size"],
        "hidden_size": config["d_model"],
        "num_heads": config["num_heads"],
        "ffn_size": config["d_ff"],
        "num_layers": config["num_layers"],
        "decoder_layers": config.get("num_decoder_layers") or config["num_layers"],
        "head_size": config["d_kv"],
        "activation": activation_of("gelu_new" if feed_forward == "gated-gelu" else name),
        "gated": feed_forward.startswith("gated-"),
        "tied": head is None or table is None or torch.equal(head, table),
        "scale_output": bool(divided) and config.get("model_type") != "mt5",
        "buckets": config.get("relative_attention_num_buckets", 32),
        "max_distance": config.get("relative_attention_max_distance", 128),
    }


def from_bart(weights: Weights, layers: int, decoder_layers: int, variant: str) -> Weights:
    """Weights under ``MarianMTModel``'s, ``M2M100ForConditionalGeneration``'s or
    ``MBartForConditionalGeneration``'s names (with or without ``model.``) under ours.

    Raises:
        KeyError: One is missing.
        UserError: There is one that the network does not have.
    """
    theirs = {name.removeprefix("model."): tensor for name, tensor in weights.items()}
    ours = {"embedding.weight": one_table(theirs, (*TABLES, "lm_head.weight"))}
    if "final_logits_bias" in theirs and variant != "m2m_100":
        ours["logits_bias"] = theirs.pop("final_logits_bias").flatten()
    for side, count in (("encoder", layers), ("decoder", decoder_layers)):
        if variant == "mbart":
            ours[f"{side}_positions.weight"] = theirs.pop(f"{side}.embed_positions.weight")[None]
            take(theirs, ours, f"{side}.layernorm_embedding", f"{side}_embedding_norm")
        if variant != "marian":
            take(theirs, ours, f"{side}.layer_norm", f"{side}_norm")
        for i in range(count):
            their, our = f"{side}.layers.{i}", f"{side}.{i}"
            attentions = {"self_attn": ("attention", "self_attn_layer_norm", "attention_norm")}
            if side == "decoder":
                attentions["encoder_attn"] = ("cross_attention", "encoder_attn_layer_norm", "memory_norm")
            for name, (attention, their_norm, norm) in attentions.items():
                for kind in ("weight", "bias"):
                    parts = [theirs.pop(f"{their}.{name}.{part}_proj.{kind}") for part in "qkv"]
                    ours[f"{our}.{attention}.qkv.{kind}"] = torch.cat(parts)
                take(theirs, ours, f"{their}.{name}.out_proj", f"{our}.{attention}.output")
                take(theirs, ours, f"{their}.{their_norm}", f"{our}.{norm}")
            take(theirs, ours, f"{their}.fc1", f"{our}.feed_forward.inner")
            take(theirs, ours, f"{their}.fc2", f"{our}.feed_forward.outer")
            take(theirs, ours, f"{their}.final_layer_norm", f"{our}.feed_forward_norm")
    refuse_left_over({name: t for name, t in theirs.items() if not COMPUTED.fullmatch(name)}, variant)
    return ours


def from_t5(weights: Weights, layers: int, decoder_layers: int, tied: bool) -> Weights:
    """Weights under ``T5ForConditionalGeneration``'s names under ours.

    Raises:
        KeyError: One is missing.
        UserError: There is one that the network does not have.
    """
    theirs = {name: tensor for name, tensor in weights.items() if name != UNUSED}
    head = theirs.pop("lm_head.weight", None)
    if not any(name in theirs for name in TABLES) and head is not None:
        theirs["shared.weight"] = head
    ours = {"embedding.weight": one_table(theirs, TABLES)}
    if head is None and not tied:
        raise KeyError("lm_head.weight")
    ours["head.weight"] = ours["embedding.weight"] if tied else head  # type: ignore[assignment]
    for side, count in (("encoder", layers), ("decoder", decoder_layers)):
        relative = f"{side}.block.0.layer.0.SelfAttention.relative_attention_bias.weight"
        ours[f"{side}_bias.weight"] = theirs.pop(relative)
        ours[f"{side}_norm.weight"] = theirs.pop(f"{side}.final_layer_norm.weight")
        for i in range(count):
            their, our = f"{side}.block.{i}.layer", f"{side}.{i}"
            attentions = [("SelfAttention", "attention", "attention_norm")]
            if side == "decoder":
                attentions.append(("EncDecAttention", "cross_attention", "memory_norm"))
            for k, (name, attention, norm) in enumerate(attentions):
                parts = [theirs.pop(f"{their}.{k}.{name}.{part}.weight") for part in "qkv"]
                ours[f"{our}.{attention}.qkv.weight"] = torch.cat(parts)
                ours[f"{our}.{attention}.output.weight"] = theirs.pop(f"{their}.{k}.{name}.o.weight")
                ours[f"{our}.{norm}.weight"] = theirs.pop(f"{their}.{k}.layer_norm.weight")
            last = f"{their}.{len(attentions)}"
            gated = f"{last}.DenseReluDense.wi_0.weight" in theirs
            inner = ["wi_0", "wi_1"] if gated else ["wi"]
            ours[f"{our}.feed_forward.inner.weight"] = torch.cat(
                [theirs.pop(f"{last}.DenseReluDense.{part}.weight") for part in inner]
            )
            ours[f"{our}.feed_forward.outer.weight"] = theirs.pop(f"{last}.DenseReluDense.wo.weight")
            ours[f"{our}.feed_forward_norm.weight"] = theirs.pop(f"{last}.layer_norm.weight")
    refuse_left_over(theirs, "t5")
    return ours


def take(theirs: Weights, ours: Weights, name: str, our: str) -> None:
    """Moves a weight and its bias."""
    for kind in ("weight", "bias"):
        ours[f"{our}.{kind}"] = theirs.pop(f"{name}.{kind}")


def one_table(theirs: Weights, names: tuple[str, ...]) -> Tensor:
    """The matrix that a file has under one or several of the names.

    Raises:
        KeyError: It has none of them.
        UserError: It has different ones.
    """
    found = [theirs.pop(name) for name in names if name in theirs]
    if not found:
        raise KeyError(names[0])
    if any(not torch.equal(found[0], other) for other in found[1:]):
        raise UserError("weights: the embeddings of the file differ: only one matrix for both sides is supported")
    return found[0]


def refuse_left_over(theirs: Weights, variant: str) -> None:
    """Refuses tensors that are not used by the network."""
    if left := list(theirs):
        more = f" and {len(left) - 3} more" if len(left) > 3 else ""
        raise UserError(f"weights: variant {variant} has no place for {', '.join(left[:3])}{more} of the file")
