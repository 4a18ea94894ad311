"""Connectionist temporal classification: the probability of a text over all its alignments, and its gradient, by hand.

Graves et al. 2006, "Connectionist temporal classification: labelling unsegmented sequence data with recurrent neural
networks", equations 6 to 15. Not in D2L. A network gives each frame a distribution over labels and a blank (label 0
here). A path of T labels becomes a text when repeated labels are merged and then blanks are removed: ``- 1 1 - 1 2``
reads ``1 1 2``. The probability of a text is the sum over all its paths, computed by forward and backward variables.
Departs from the paper: everything is a logarithm, where the paper rescales probabilities at each frame.

``dive verify rnn/ctc`` compares loss and gradient with torch's, and with a sum over every path.
"""

from typing import Any

import torch
from torch import Tensor

BLANK = 0
NEVER = float("-inf")  # the logarithm of 0


def frames_needed(targets: Tensor) -> Tensor:
    """The least number of frames (B,) of targets (B, S): one for each label, and one blank between two equal ones."""
    repeated = (targets[:, 1:] == targets[:, :-1]) & (targets[:, 1:] != BLANK)
    return (targets != BLANK).sum(1) + repeated.sum(1)


def with_blanks(targets: Tensor) -> Tensor:
    """Targets (B, S) with a blank before, between and after their labels: (B, 2 S + 1), the paper's l'."""
    extended = targets.new_full((len(targets), 2 * targets.shape[1] + 1), BLANK)
    extended[:, 1::2] = targets
    return extended


def may_skip(extended: Tensor) -> Tensor:
    """Whether a path may enter a place (B, L) from two places before: at a label that differs from the one before."""
    skip = torch.zeros_like(extended, dtype=torch.bool)
    skip[:, 2:] = (extended[:, 2:] != BLANK) & (extended[:, 2:] != extended[:, :-2])
    return skip


def shifted(x: Tensor, places: int) -> Tensor:
    """x (B, L) moved by some places to the right, or to the left where negative; what comes in is log 0."""
    moved = torch.full_like(x, NEVER)
    if places >= 0:
        moved[:, places:] = x[:, : x.shape[1] - places]
    else:
        moved[:, :places] = x[:, -places:]
    return moved


def forward_variables(emitted: Tensor, lengths: Tensor, skip: Tensor) -> Tensor:
    """log alpha (T + 1, B, L): of all beginnings of paths that are at place s after t frames, frame t included.

    alpha_t(s) = y_t(l'_s) (alpha_{t-1}(s) + alpha_{t-1}(s - 1) + alpha_{t-1}(s - 2) if it may skip); the variables of a
    sound stay as they are after its last frame.
    """
    alpha = torch.full_like(emitted[0], NEVER)
    alpha[:, 0] = 0.0  # before the first frame, at the first blank
    every = [alpha]
    for t, y in enumerate(emitted):
        longer = torch.where(skip, shifted(alpha, 2), NEVER)
        entered = torch.logaddexp(torch.logaddexp(alpha, shifted(alpha, 1)), longer) + y
        alpha = torch.where((t < lengths)[:, None], entered, alpha)
        every.append(alpha)
    return torch.stack(every)


def backward_variables(emitted: Tensor, lengths: Tensor, skip: Tensor, ends: Tensor) -> Tensor:
    """log beta (T, B, L): of all ends of paths that are at place s in frame t, without what frame t emits."""
    beta = torch.where(ends, 0.0, NEVER).to(emitted.dtype)
    every = [beta] * len(emitted)
    skip_from = torch.zeros_like(skip)
    skip_from[:, :-2] = skip[:, 2:]
    for t in range(len(emitted) - 2, -1, -1):
        later = beta + emitted[t + 1]
        longer = torch.where(skip_from, shifted(later, -2), NEVER)
        left = torch.logaddexp(torch.logaddexp(later, shifted(later, -1)), longer)
        beta = torch.where((t + 1 < lengths)[:, None], left, beta)
        every[t] = beta
    return torch.stack(every)


class CTC(torch.autograd.Function):
    """-log P(target) of each row, and its derivative by the log-probabilities: minus the expected count of each label.

    d log P / d log y_t(k) = sum over the places s of label k of alpha_t(s) beta_t(s) / P (equations 14 and 15), the
    probability that a path of this text emits k in frame t.
    """

    @staticmethod
    def forward(ctx: Any, log_probs: Tensor, targets: Tensor, lengths: Tensor) -> Tensor:
        extended = with_blanks(targets)  # (B, L)
        skip = may_skip(extended)
        index = extended.expand(log_probs.shape[1], -1, -1)
        emitted = log_probs.transpose(0, 1).gather(2, index)  # (T, B, L), log y_t(l'_s)
        alpha = forward_variables(emitted, lengths, skip)
        last = 2 * (targets != BLANK).sum(1, keepdim=True)  # (B, 1), the final blank
        place = torch.arange(extended.shape[1], device=extended.device)
        ends = (place == last) | (place == last - 1)
        log_p = torch.where(ends, alpha[-1], NEVER).logsumexp(1)  # (B,)
        if log_probs.requires_grad:
            beta = backward_variables(emitted, lengths, skip, ends)
            real = torch.arange(len(emitted), device=lengths.device)[:, None] < lengths  # (T, B)
            count = (alpha[1:] + beta).softmax(2)  # (T, B, L); the sum over the places is P in each frame
            count = torch.where((real & log_p.isfinite())[..., None], count, 0.0)
            ctx.save_for_backward(torch.zeros_like(log_probs).transpose(0, 1).scatter_add(2, index, count))
        return -log_p

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:  # type: ignore[override]
        (count,) = ctx.saved_tensors
        return -count.transpose(0, 1) * grad[:, None, None], None, None


def ctc_loss(log_probs: Tensor, targets: Tensor, lengths: Tensor) -> Tensor:
    """-log P(target) in nats, of each row (B,).

    A target that is longer than its sound has frames (``frames_needed``) has no path: its loss is infinite, and its
    gradient 0.

    Args:
        log_probs: Of labels 0 (blank) to K in each frame, (B, T, K + 1).
        targets: Labels 1 to K, (B, S), padded with 0 at the end. An empty one is a sound of blanks only.
        lengths: Frames of each row, (B,); what is behind them has no effect.
    """
    return CTC.apply(log_probs, targets, lengths)  # type: ignore[no-any-return]


def torch_ctc_loss(log_probs: Tensor, targets: Tensor, lengths: Tensor) -> Tensor:
    """The same by ``torch.nn.functional.ctc_loss``, whose loops are faster. Infinite losses have gradients of NaN."""
    sizes = (targets != BLANK).sum(1)
    return torch.nn.functional.ctc_loss(log_probs.transpose(0, 1), targets, lengths, sizes, BLANK, reduction="none")
