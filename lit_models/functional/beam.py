"""Beam search: keeps the k best partial outputs at each step. D2L 10.8, which has no code for it.

A hypothesis is scored by log P / L^alpha, where L is the number of its tokens, the end of sequence included (Wu et al.
2016; alpha 0.75 in the book). Of the k best continuations at each step those that end are stored as finished; the k
best that do not end continue. A row ends when it has k finished hypotheses (``early_stopping`` in transformers) or at
``max_tokens``, where the k best continuations count, ended or not.

A beam of one is greedy search; a beam of V^(T-1) is exhaustive search over T tokens of a vocabulary of V.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from lit_models.functional.decoding import OUT, Step
from lit_models.functional.state import reorder


@dataclass(frozen=True)
class Hypothesis:
    """An output and its score. If the output ended, its last token is the end of sequence.

    Args:
        tokens: The generated token ids.
        score: The log-probability divided by the length penalty.
        log_probability: Sum over the tokens.
    """

    tokens: list[int]
    score: float
    log_probability: float


def beam_search(
    step: Step,
    last: Tensor,
    state: Any,
    width: int,
    max_tokens: int,
    eos_id: int,
    length_penalty: float = 0.75,
    num_best: int = 1,
) -> list[list[Hypothesis]]:
    """The ``num_best`` best hypotheses of each row, best first.

    Args:
        step: Step function on B * width rows; its scores must be log-probabilities.
        last: The token each row begins with (B,).
        state: The state before ``last``, with B rows (or None): it is repeated for the beams.
        width: Number k of beams.
        max_tokens: Largest number T of tokens.
        eos_id: The token that ends a hypothesis.
        length_penalty: alpha; 0 compares plain log-probabilities, which favors short outputs.
        num_best: At most ``width``.
    """
    if not 1 <= num_best <= width:
        raise ValueError(f"num_best is {num_best}: give 1 to {width}, the width of the beam")
    rows, device = len(last), last.device
    first = torch.arange(rows, device=device)[:, None] * width  # (B, 1): each row's first beam
    state = reorder(state, torch.arange(rows, device=device).repeat_interleave(width))
    last = last.repeat_interleave(width)
    total = torch.full((rows, width), OUT, dtype=torch.float64, device=device)
    total[:, 0] = 0  # all beams begin the same: only the first one counts
    tokens = torch.empty(rows, width, 0, dtype=torch.long, device=device)
    finished: list[list[Hypothesis]] = [[] for _ in range(rows)]
    open_rows = torch.ones(rows, dtype=torch.bool)

    for length in range(1, max_tokens + 1):
        with torch.no_grad():
            scores, state = step(last, state)  # (B * k, V)
        most = min(2 * width, scores.shape[1])  # at most k of 2k can end here
        likely, likely_tokens = scores.topk(most, dim=1)  # of each beam: only these can be among the best of all
        sums = total[:, :, None] + likely.double().reshape(rows, width, most)
        best, place = sums.flatten(1).topk(min(2 * width, width * most), dim=1)
        beam, token = place // most, likely_tokens.reshape(rows, -1).gather(1, place)
        ends = token == eos_id if length < max_tokens else torch.ones_like(token, dtype=torch.bool)
        counts = (ends & (best > OUT))[:, :width] & open_rows.to(device)[:, None]
        for row, rank in counts.nonzero().tolist():
            before = tokens[row, beam[row, rank]].tolist()
            log_p = float(best[row, rank])
            output = [*before, int(token[row, rank])]
            finished[row].append(Hypothesis(output, log_p / length**length_penalty, log_p))
            if len(finished[row]) == width:
                open_rows[row] = False
        if length == max_tokens or not bool(open_rows.any()):
            break
        alive = best.masked_fill(token == eos_id, OUT)
        total, chosen = alive.topk(width, dim=1)
        beam, last_tokens = beam.gather(1, chosen), token.gather(1, chosen)
        tokens = torch.cat([tokens.gather(1, beam[:, :, None].expand(-1, -1, length - 1)), last_tokens[:, :, None]], 2)
        last = last_tokens.flatten()
        state = reorder(state, (first + beam).flatten(), beams=True)

    return [sorted(found, key=lambda h: -h.score)[:num_best] for found in finished]
