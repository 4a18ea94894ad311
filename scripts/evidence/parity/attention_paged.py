"""Texts of different lengths in one step, their keys and values in blocks of one pool, against each text alone."""

from functools import partial
from typing import Any

import torch
from torch import Tensor

from lit_models.attention.paged_gpt import PagedGPT, Text, most_probable
from lit_models.layers.paged_cache import Paged
from scripts.evidence.parity.attention_gpt import ROTARY, V, hugging_face, ours
from scripts.evidence.verify import Check, Tensors

LENGTHS, STEPS = (14, 9, 5), 4  # of the texts; of them all together, after what stands before


def texts() -> list[Tensor]:
    torch.manual_seed(6)
    return [torch.randint(4, V, (length,)) for length in LENGTHS]


def together(variant: str) -> Tensors:
    """Logits (steps, V) of the last tokens of each text; blocks of three tokens."""
    server: Any = PagedGPT(ours(variant).double().eval(), blocks=16, size=3)
    places = [Text(k, [], 0, most_probable, -1, Paged(server.pool)) for k in range(len(LENGTHS))]
    found: list[list[Tensor]] = [[] for _ in LENGTHS]
    with torch.no_grad():
        for place, text in zip(places, texts(), strict=True):
            server.logits([text[:-STEPS].tolist()], [place])
        for t in range(-STEPS, 0):
            logits = server.logits([[int(text[t])] for text in texts()], places)
            for rows, row in zip(found, logits, strict=True):
                rows.append(row)
    return {f"text {k}": torch.stack(rows) for k, rows in enumerate(found)}


def alone(variant: str) -> Tensors:
    """transformers' network reads each text by itself."""
    net = hugging_face(variant)
    with torch.no_grad():
        return {f"text {k}": net(text[None]).logits[0, -STEPS:].double() for k, text in enumerate(texts())}


def padded(variant: str) -> Tensors:
    """Wrong: shorter texts are filled up at the left, and the filling is read."""
    net, longest = hugging_face(variant), max(LENGTHS)
    rows = torch.stack([torch.nn.functional.pad(text, (longest - len(text), 0)) for text in texts()])
    with torch.no_grad():
        return {f"text {k}": row[-STEPS:].double() for k, row in enumerate(net(rows).logits)}


CHECKS = [
    Check(
        name=f"attention/{variant}_paged",
        claim=f"texts of three lengths in one step of variant {variant}, in blocks, against each alone",
        package="transformers",
        without="gradients: a cache has none",
        ours=partial(together, variant),
        reference=partial(alone, variant),
        control=partial(padded, variant),
        mistake="shorter texts filled up at the left, and the filling read",
        **({"tolerance": 1e-5, "why": ROTARY} if variant == "llama" else {}),  # type: ignore[arg-type]
    )
    for variant in ("gpt2", "llama")
]
