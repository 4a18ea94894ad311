"""The weights of a parent run for a child with other vocabularies.

A child starts from a parent's network (Zoph et al. 2016, "Transfer learning for low-resource neural machine
translation"). Its embeddings and its output have one row for each token; a row means its token, not its number. A token
that both vocabularies have takes the parent's row, any other one keeps its initial values ("token matching", Aji et al.
2020, "In neural machine translation, what does transfer learning transfer?").
"""

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.distributed.tensor import DTensor

from common.messages import UserError

#: The tensors of our sequence-to-sequence networks that have a row for each token, and the side of its vocabulary.
ROWS_OF_TOKENS = {
    "source_embedding.weight": "source",
    "encoder.embedding.weight": "source",
    "target_embedding.weight": "target",
    "embedding.weight": "target",  # of both sides in networks with one embedding and a shared vocabulary
    "head.weight": "target",
    "head.bias": "target",
    "logits_bias": "target",
}
#: Tensors that are made from the child's pairs.
OWN = ("lexicon_ids", "lexicon_probability")


def processor_beside(weights: str) -> dict[str, Any]:
    """The ``processor.json`` of the run that has these weights; empty without one.

    Raises:
        UserError: The file is damaged.
    """
    path = Path(weights)
    for folder in (path, *path.parents[:2]):  # runs/TIME, runs/TIME/model.safetensors, runs/TIME/checkpoints/best.ckpt
        if (folder / "processor.json").is_file():
            try:
                found: dict[str, Any] = json.loads((folder / "processor.json").read_text(encoding="utf-8"))
            except ValueError as error:
                raise UserError(f"model.weights: {folder / 'processor.json'} is damaged ({error})") from None
            return found
    return {}


def parent_rows(child: dict[str, Any], parent: dict[str, Any]) -> dict[str, Tensor]:
    """For each side the parent's row of each of the child's tokens (V_child,), -1 for a token that the parent lacks.

    Empty if the vocabularies are equal, or if one of the two does not have vocabularies of both sides.

    Args:
        child, parent: What ``processor.json`` has.
    """
    names = {side: f"{side}_tokenizer" for side in ("source", "target")}
    if not all(name in processor for name in names.values() for processor in (child, parent)):
        return {}
    if all(child[name] == parent[name] for name in names.values()):
        return {}
    rows = {}
    for side, name in names.items():
        own, theirs = token_ids(child[name]), token_ids(parent[name])
        row = torch.full((max(own.values()) + 1,), -1)
        for token, i in own.items():
            row[i] = theirs.get(token, -1)
        rows[side] = row
    return rows


def token_ids(saved: dict[str, Any]) -> dict[str, int]:
    """The id of each token of a tokenizer as ``processor.json`` has it: a list of tokens, or byte pairs."""
    if "tokens" in saved:
        return {token: i for i, token in enumerate(saved["tokens"])}
    from tokenizers import Tokenizer

    found: dict[str, int] = Tokenizer.from_str(saved["model"]).get_vocab()
    return found


def with_rows(own: dict[str, Tensor], found: dict[str, Tensor], rows: dict[str, Tensor]) -> dict[str, Tensor]:
    """The parent's tensors as the child takes them: each token's row by its text; all other tensors as they are.

    Args:
        own: The child's ``state_dict``.
        found: The parent's tensors.
        rows: See ``parent_rows``.
    """
    moved = dict(found)
    for name, tensor in own.items():
        side = ROWS_OF_TOKENS.get(name)
        if name in OWN:
            moved[name] = tensor.clone()
        elif side and name in found and found[name].shape[1:] == tensor.shape[1:]:  # else ``put_weights`` refuses it
            value = tensor.full_tensor() if isinstance(tensor, DTensor) else tensor.clone()  # a part of it under FSDP
            row = rows[side][: len(value)]
            known = (row >= 0) & (row < len(found[name]))
            value[: len(row)][known] = found[name][row[known]].to(value)
            moved[name] = value
    return moved
