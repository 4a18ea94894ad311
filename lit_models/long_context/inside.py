"""Seeing inside a transformer: induction scores, logit lens, activation patching, linear probes with a control task.

Olsson et al. 2022, "In-context learning and induction heads"; nostalgebraist 2020, "Interpreting GPT: the logit lens";
Meng et al. 2022, "Locating and editing factual associations in GPT" (patching); Hewitt and Liang 2019, "Designing and
interpreting probes with control tasks".

The residual stream of a network is a list: what goes into its first layer, and what leaves each layer, all (B, T, D).
"""

from collections.abc import Callable

import torch
from torch import Tensor

Unembed = Callable[[Tensor], Tensor]  # (..., D) -> logits (..., V)
#: ``run(tokens, layer, stream)``: logits (B, T, V); a given stream replaces what goes into layer ``layer``.
Run = Callable[[Tensor, int, Tensor | None], Tensor]


def last_occurrence(tokens: Tensor) -> Tensor:
    """For each token of (B, T) the place of the same token before it, -1 where it is the first one."""
    same = (tokens[:, :, None] == tokens[:, None]).tril(-1)  # (B, T, T): query, key
    places = torch.arange(tokens.shape[1], device=tokens.device)
    return torch.where(same, places, -1).amax(2)


def induction_score(weights: Tensor, tokens: Tensor) -> Tensor:
    """How much each head attends to the token *after* the last occurrence of the present one.

    Weights (B, H, T, T) -> (H,), the mean over the tokens that occurred before.
    """
    before = last_occurrence(tokens)
    row, place = (before >= 0).nonzero(as_tuple=True)
    return weights[row, :, place, before[row, place] + 1].mean(0)


def previous_score(weights: Tensor) -> Tensor:
    """How much each head attends to the token before: weights (B, H, T, T) -> (H,)."""
    return weights.diagonal(-1, 2, 3).mean((0, 2))


def logit_lens(streams: list[Tensor], unembed: Unembed, targets: Tensor) -> Tensor:
    """The probability of the right next token, if the last layers were left out: (layers + 1,).

    Args:
        streams: The residual stream (B, T, D) before the first layer and after each.
        unembed: The last normalization and the output matrix.
        targets: (B, T); below 0 there is none.
    """
    real = targets >= 0
    right = targets[real][:, None]
    return torch.stack([unembed(stream[real]).softmax(-1).gather(1, right).mean() for stream in streams])


def activation_patching(
    run: Run, streams: list[Tensor], corrupted: list[Tensor], tokens: Tensor, answer: Tensor
) -> Tensor:
    """Where the answer comes from: how much of its logit comes back when one place of one layer is repaired.

    Args:
        run: The network.
        streams: The residual stream (B, T, D) before each layer and after the last, of the right input.
        corrupted: The same of an input in which something is changed that the answer depends on.
        tokens: The corrupted input (B, T).
        answer: The right token after the last one (B,).

    Returns:
        (layers + 1, T): 0 if a repaired place changes nothing, 1 if it brings back the logit of the right input; the
        means over the batch of the two differences, divided.
    """
    pick = answer[:, None]

    def logit(layer: int, stream: Tensor | None) -> Tensor:
        return run(tokens, layer, stream)[:, -1].gather(1, pick).mean()

    low, high = logit(0, None), logit(0, streams[0])
    restored = torch.zeros(len(streams), tokens.shape[1])
    for layer, (right, wrong) in enumerate(zip(streams, corrupted, strict=True)):
        for place in range(tokens.shape[1]):
            patched = wrong.clone()
            patched[:, place] = right[:, place]
            restored[layer, place] = (logit(layer, patched) - low) / (high - low)
    return restored


def control_labels(tokens: Tensor, num_classes: int, seed: int = 0) -> Tensor:
    """Labels of a task that has nothing to learn but the tokens themselves: each token id has a random class."""
    generator = torch.Generator().manual_seed(seed)
    table = torch.randint(num_classes, (int(tokens.max()) + 1,), generator=generator)
    return table.to(tokens.device)[tokens]


def probe_accuracy(features: Tensor, labels: Tensor, num_classes: int, ridge: float = 1e-3) -> float:
    """Fraction of labels that a linear probe reads from the features: fitted on the first half, tested on the second.

    The probe is ridge regression on one-hot labels, which has a closed form.

    Args:
        features: (N, D).
        labels: (N,).
        num_classes: Number of classes.
        ridge: Strength of the penalty, per sample.
    """
    x = torch.cat([features, torch.ones_like(features[:, :1])], 1).double()
    half, y = len(x) // 2, torch.nn.functional.one_hot(labels, num_classes).double()
    train = x[:half]
    gram = train.T @ train + ridge * half * torch.eye(x.shape[1], dtype=x.dtype, device=x.device)
    weights = torch.linalg.solve(gram, train.T @ y[:half])
    return float(((x[half:] @ weights).argmax(1) == labels[half:]).double().mean())
