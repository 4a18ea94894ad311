"""Files of RWKV weights: which version and which sizes they are for, and older names.

The names of a network's parameters are those of BlinkDL's files; ``torch.load`` with ``weights_only`` reads them, on
whatever device and in whatever precision they were saved (``lit_models/layers/weight_files.py``).
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from common.messages import UserError

#: Keys of block 0 that tell the versions apart; each version has all of its own.
MARKS = {
    4: ("att.time_decay", "att.time_first", "att.time_mix_k", "ffn.time_mix_r"),
    5: ("att.time_decay", "att.time_mix_g", "att.gate.weight", "att.ln_x.weight", "ffn.time_mix_r"),
    6: ("att.time_maa_x", "att.time_maa_w1", "att.time_decay_w1", "att.ln_x.weight", "ffn.time_maa_r"),
    7: ("att.w0", "att.r_k", "att.k_k", "att.a1", "att.ln_x.weight", "ffn.x_k"),
}
COMMON = ("emb.weight", "blocks.0.ln0.weight", "blocks.0.ln1.weight", "ln_out.weight", "head.weight")


def version_of(names: Iterable[str]) -> int:
    """The version of the network that has parameters of these names.

    Raises:
        UserError: They are not those of one of the four; names the nearest version and the first key that it lacks.
    """
    names = set(names)
    lacks = {
        v: [k for k in (*COMMON, *(f"blocks.0.{m}" for m in marks)) if k not in names] for v, marks in MARKS.items()
    }
    fits = [version for version, keys in lacks.items() if not keys and not (version == 4 and not lacks[5])]
    if len(fits) == 1:
        return fits[0]
    nearest = min(lacks, key=lambda v: len(lacks[v]) / len(MARKS[v]))
    raise UserError(f"weights: these are not those of RWKV: nearest is version {nearest}, without {lacks[nearest][0]}")


def sizes_of(tensors: dict[str, Tensor]) -> dict[str, Any]:
    """The arguments of the network ``rwkv`` that the tensors are for.

    Raises:
        UserError: As ``version_of``; or a shape that this project's networks do not have.
    """
    version = version_of(tensors)
    vocab_size, hidden_size = tensors["emb.weight"].shape
    found: dict[str, Any] = {
        "version": version,
        "vocab_size": vocab_size,
        "hidden_size": hidden_size,
        "num_layers": 1 + max(int(name.split(".")[1]) for name in tensors if name.startswith("blocks.")),
        "ffn_size": tensors["blocks.0.ffn.key.weight"].shape[0],
    }
    if (width := tensors["blocks.0.att.key.weight"].shape[0]) != hidden_size:
        raise UserError(f"weights: att has {width} channels and the network {hidden_size}: here the two are equal")
    if version == 5:
        heads = tensors["blocks.0.att.time_decay"].shape
        if len(heads) < 2 or heads[1] == 1:
            raise UserError("weights: they are for RWKV-5.0 or 5.1 (one decay per head), of version 5 only 5.2 is here")
        found["head_size"] = heads[1]
    if version == 6:
        found["head_size"] = tensors["blocks.0.att.time_faaaa"].shape[1]
        found["ranks"] = {
            "mix": tensors["blocks.0.att.time_maa_w2"].shape[1],
            "decay": tensors["blocks.0.att.time_decay_w1"].shape[1],
        }
    if version == 7:
        found["head_size"] = tensors["blocks.0.att.r_k"].shape[1]
        layer = max(0, min(1, found["num_layers"] - 1))  # v1 of layer 0 may be missing
        found["ranks"] = {p: tensors[f"blocks.0.att.{p}1"].shape[1] for p in "wag"}
        v1 = tensors.get(f"blocks.{layer}.att.v1")
        if v1 is not None:
            found["ranks"]["v"] = v1.shape[1]
    return found


def current_names(tensors: dict[str, Tensor], own: dict[str, Tensor]) -> dict[str, Tensor]:
    """Tensors of a file under the names and in the shapes that a network has now.

    ``time_first`` of RWKV-5 is the logarithm of ``time_faaaa``; what layer 0 does not use may be missing, as in files
    that the ``rwkv`` package converted.

    Args:
        tensors: Of a file.
        own: The network's.
    """
    found = {}
    for name, tensor in tensors.items():
        if name not in own and name.endswith("att.time_first"):
            name, tensor = name.replace("time_first", "time_faaaa"), torch.exp(tensor.float())
        fits = (
            name in own and tensor.numel() == own[name].numel() and tensor.squeeze().shape == own[name].squeeze().shape
        )
        found[name] = tensor.view(own[name].shape) if fits else tensor
    unused = {name for name in own if name.startswith("blocks.0.att.v") and name[-1] in "012"}
    return found | {name: own[name] for name in unused - found.keys()}
