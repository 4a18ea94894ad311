"""Networks of recommenders against plain loops and torch.nn: factorization machines, DeepFM, SASRec."""

from functools import partial
from typing import Any

import torch
from torch import nn

from lit_models.recommender.deepfm import DeepFM
from lit_models.recommender.fm import FM
from lit_models.recommender.sasrec import SASRec
from scripts.evidence.parity.recommender import randomized
from scripts.evidence.verify import Check, Tensors

# -- factorization machines -----------------------------------------------------------------------------------------

CLICKS = torch.tensor([[0, 4, 9], [1, 5, 9], [0, 6, 8], [3, 4, 7]])
CLICKED = [1.0, 0.0, 0.0, 1.0]


def machine(deep: bool) -> Any:
    return randomized(DeepFM(10, 3, 2, (4,), 0.0) if deep else FM(10, 2))


def our_fm(deep: bool) -> Tensors:
    net = machine(deep)
    loss = nn.functional.binary_cross_entropy_with_logits(net(CLICKS), torch.tensor(CLICKED, dtype=torch.float64))
    loss.backward()
    return {"loss": loss.detach()} | {f"grad {name}": p.grad for name, p in net.named_parameters()}


def looped_fm(deep: bool, twice: bool = False) -> Tensors:
    """One impression and one pair of fields at a time; ``twice``: a sigmoid in the network and one in the loss."""
    w = {name: p.detach().clone().requires_grad_() for name, p in machine(deep).named_parameters()}
    loss = torch.zeros((), dtype=torch.float64)
    for row, y in zip(CLICKS.tolist(), CLICKED, strict=True):
        logit = w["bias"][0] + sum(w["weight.weight"][value, 0] for value in row)
        for f in range(len(row)):
            for g in range(f):
                logit = logit + sum(w["vector.weight"][row[f], k] * w["vector.weight"][row[g], k] for k in range(2))
        if deep:
            hidden = torch.cat([w["vector.weight"][value] for value in row])
            hidden = (w["mlp.0.weight"] @ hidden + w["mlp.0.bias"]).clamp(min=0)
            logit = logit + w["mlp.3.weight"][0] @ hidden + w["mlp.3.bias"][0]
        p = torch.sigmoid(torch.sigmoid(logit) if twice else logit)
        loss = loss - (y * p.log() + (1 - y) * (1 - p).log()) / len(CLICKED)
    loss.backward()
    return {"loss": loss.detach()} | {f"grad {name}": p.grad for name, p in w.items() if p.grad is not None}


# -- SASRec ---------------------------------------------------------------------------------------------------------

HISTORY = torch.tensor([[10, 10, 3, 1, 7], [2, 4, 6, 8, 0]])  # ten items, padded


def sasrec() -> Any:
    return randomized(SASRec(10, context=5, hidden_size=8, num_layers=1, num_heads=2, dropout=0.0)).eval()


def our_sasrec() -> Tensors:
    net = sasrec()
    scores = net(torch.zeros(2, dtype=torch.long), HISTORY)
    scores.square().sum().backward()
    return {"scores": scores.detach(), "grad items": net.item.weight.grad[:10]}


def torch_sasrec(masked: bool = True) -> Tensors:
    """The same weights in torch.nn's encoder layer."""
    net = sasrec()
    ours = net.layers[0]
    layer = nn.TransformerEncoderLayer(8, 2, 8, 0.0, "relu", batch_first=True, norm_first=True).double()
    with torch.no_grad():
        pairs = (
            (layer.self_attn.in_proj_weight, ours.attention.qkv.weight),
            (layer.self_attn.in_proj_bias, ours.attention.qkv.bias),
            (layer.self_attn.out_proj.weight, ours.attention.output.weight),
            (layer.self_attn.out_proj.bias, ours.attention.output.bias),
            (layer.linear1.weight, ours.feed_forward.inner.weight),
            (layer.linear1.bias, ours.feed_forward.inner.bias),
            (layer.linear2.weight, ours.feed_forward.outer.weight),
            (layer.linear2.bias, ours.feed_forward.outer.bias),
            (layer.norm1.weight, ours.attention_norm.weight),
            (layer.norm1.bias, ours.attention_norm.bias),
            (layer.norm2.weight, ours.feed_forward_norm.weight),
            (layer.norm2.bias, ours.feed_forward_norm.bias),
        )
        for theirs, mine in pairs:
            theirs.copy_(mine)
    table = net.item.weight.detach().clone().requires_grad_()
    length = HISTORY.shape[1]
    x = nn.functional.embedding(HISTORY, table) + net.place
    mask = torch.ones(length, length, dtype=torch.bool).triu(1).expand(2, -1, -1)  # True: not attended to
    if masked:
        mask = mask | ((HISTORY == 10)[:, None] & ~torch.eye(length, dtype=torch.bool))
    states = net.norm(layer(x, src_mask=mask.repeat_interleave(2, 0)))
    scores = states[:, -1] @ table[:10].T
    scores.square().sum().backward()
    return {"scores": scores.detach(), "grad items": table.grad[:10]}  # type: ignore[index]


CHECKS = [
    Check(
        "recommender/sasrec",
        "SASRec's scores and gradients against torch.nn.TransformerEncoderLayer with the same weights",
        "torch",
        our_sasrec,
        torch_sasrec,
        lambda: torch_sasrec(False),
        "padding is attended to",
    ),
    Check(
        "recommender/fm",
        "a factorization machine's loss and gradients against a loop over pairs of fields",
        "torch",
        partial(our_fm, False),
        partial(looped_fm, False),
        partial(looped_fm, False, True),
        "two sigmoids, as in the book",
    ),
    Check(
        "recommender/deepfm",
        "DeepFM's loss and gradients against a loop over pairs of fields and its network by hand",
        "torch",
        partial(our_fm, True),
        partial(looped_fm, True),
        partial(looped_fm, True, True),
        "two sigmoids, as in the book",
    ),
]
