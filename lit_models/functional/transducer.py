"""The losses of two transducers: the probability of a text over all paths of a lattice of frames and labels, by hand.

Graves 2012, "Sequence transduction with recurrent neural networks", equations 16 to 20. Not in D2L. CTC's labels are
independent given the sound; a transducer's distribution in frame t also depends on the u labels that were said before.
A path begins at (0, 0), goes one frame on with a blank, one label on with a label, and ends with the blank of the last
frame: each text has a path, however short the sound. Departs from the paper: logarithms, and a row of the lattice, all
u of one frame, is computed at once by a cumulative sum.

In a monotonic lattice a label also goes one frame on: a frame gives at most one label (Sak et al. 2017, "Recurrent
neural aligner"; Tripathi et al. 2019, "Monotonic recurrent neural network transducer and decoding strategies"). In
Graves' lattice a frame that gave a label is met again, now with the label said, and must give a blank. The next frame
of an equal label looks the same to the network (what is heard and what was said), and must give the label once more;
where a frame is met once, no such pair exists.

``dive verify rnn/transducer`` compares losses and gradients with a sum over every path.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from lit_models.functional.ctc import BLANK, NEVER


def forward_variables(blank: Tensor, label: Tensor) -> Tensor:
    """log alpha (B, T, U + 1): of all ways to frame t with u labels said.

    alpha(t, u) = alpha(t - 1, u) blank(t - 1, u) + alpha(t, u - 1) label(t, u - 1).

    Args:
        blank: log P(blank | t, u), (B, T, U + 1).
        label: log P(label u + 1 | t, u), (B, T, U).
    """
    said = pad(label, (1, 0)).cumsum(2)  # (B, T, U + 1): the labels of a frame up to u
    row = torch.full_like(blank[:, 0], NEVER)
    row[:, 0] = 0.0
    rows: list[Tensor] = []
    for t in range(blank.shape[1]):
        come = row if t == 0 else rows[-1] + blank[:, t - 1]
        rows.append(said[:, t] + (come - said[:, t]).logcumsumexp(1))
    return torch.stack(rows, 1)


def backward_variables(blank: Tensor, label: Tensor, frames: Tensor, sizes: Tensor) -> Tensor:
    """log beta (B, T + 1, U + 1): of all ways from frame t with u labels said to the end; log 0 behind the end."""
    said = pad(label, (1, 0)).cumsum(2)
    place = torch.arange(blank.shape[2], device=blank.device)
    row = torch.full_like(blank[:, 0], NEVER)
    rows = [row]
    for t in range(blank.shape[1] - 1, -1, -1):
        last = frames.eq(t + 1)[:, None] & (place == sizes[:, None])
        leave = torch.where(last, blank[:, t], row + blank[:, t])  # by a blank: to the next frame, or to the end
        row = (leave + said[:, t]).flip(1).logcumsumexp(1).flip(1) - said[:, t]
        rows.append(row)
    return torch.stack(rows[::-1], 1)


def monotonic_forward(blank: Tensor, label: Tensor) -> Tensor:
    """log alpha (B, T, U + 1) of a monotonic lattice: of all ways to the beginning of frame t with u labels said.

    alpha(t, u) = alpha(t - 1, u) blank(t - 1, u) + alpha(t - 1, u - 1) label(t - 1, u - 1).
    """
    row = torch.full_like(blank[:, 0], NEVER)
    row[:, 0] = 0.0
    rows = [row]
    for t in range(blank.shape[1] - 1):
        said = pad(row[:, :-1] + label[:, t], (1, 0), value=NEVER)
        row = torch.logaddexp(row + blank[:, t], said)
        rows.append(row)
    return torch.stack(rows, 1)


def monotonic_backward(blank: Tensor, label: Tensor, frames: Tensor, sizes: Tensor) -> Tensor:
    """log beta (B, T + 1, U + 1) of a monotonic lattice; at the end of the last frame 0 where all labels are said."""
    place = torch.arange(blank.shape[2], device=blank.device)
    end = torch.where(place == sizes[:, None], 0.0, NEVER).to(blank.dtype)
    row = torch.where(frames.eq(blank.shape[1])[:, None], end, NEVER)
    rows = [row]
    for t in range(blank.shape[1] - 1, -1, -1):
        said = pad(row[:, 1:] + label[:, t], (0, 1), value=NEVER)
        row = torch.where(frames.eq(t)[:, None], end, torch.logaddexp(row + blank[:, t], said))
        rows.append(row)
    return torch.stack(rows[::-1], 1)


class Transducer(torch.autograd.Function):
    """-log P(target) of each row, and its derivative: minus the probability that a path makes each step (eq. 20)."""

    @staticmethod
    def forward(ctx: Any, log_probs: Tensor, targets: Tensor, frames: Tensor, monotonic: bool) -> Tensor:
        sizes = (targets != BLANK).sum(1)
        blank = log_probs[..., BLANK]
        index = targets[:, None, :, None].expand(-1, log_probs.shape[1], -1, -1)
        label = log_probs[:, :, :-1].gather(3, index)[..., 0]  # (B, T, U)
        beta = (monotonic_backward if monotonic else backward_variables)(blank, label, frames, sizes)
        log_p = beta[:, 0, 0]
        if log_probs.requires_grad:
            alpha = (monotonic_forward if monotonic else forward_variables)(blank, label)
            after = beta[:, 1:]
            if monotonic:
                after_label = after[..., 1:]
            else:
                t, u = (torch.arange(n, device=frames.device) for n in blank.shape[1:])
                end = (t == frames[:, None] - 1)[..., None] & (u == sizes[:, None])[:, None]  # (B, T, U + 1)
                after, after_label = torch.where(end, 0.0, after), beta[:, :-1, 1:]
            whole = torch.where(log_p.isfinite(), log_p, 0.0)[:, None, None]  # no path: every count is exp(log 0)
            by_blank = (alpha + blank + after - whole).exp()
            by_label = (alpha[..., :-1] + label + after_label - whole).exp()
            counts = torch.zeros_like(log_probs)
            counts[:, :, :-1].scatter_add_(3, index, by_label[..., None])  # of padding: 0, as no way ends behind it
            counts[..., BLANK] += by_blank
            ctx.save_for_backward(counts)
        return -log_p

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None]:  # type: ignore[override]
        (counts,) = ctx.saved_tensors
        return -counts * grad[:, None, None, None], None, None, None


def transducer_loss(log_probs: Tensor, targets: Tensor, frames: Tensor) -> Tensor:
    """-log P(target) in nats, of each row (B,).

    Args:
        log_probs: Finite log-probabilities of labels 0 (blank) to K in frame t after u labels, (B, T, U + 1, K + 1).
        targets: Labels 1 to K, (B, U), padded with 0 at the end.
        frames: Frames of each row, at least 1, (B,).
    """
    return Transducer.apply(log_probs, targets, frames, False)  # type: ignore[no-any-return]


def monotonic_loss(log_probs: Tensor, targets: Tensor, frames: Tensor) -> Tensor:
    """The same in the lattice in which a label also goes one frame on.

    A target of more labels than its sound has frames has no path: its loss is infinite, and its gradient 0.

    Args:
        log_probs, targets, frames: See ``transducer_loss``.
    """
    return Transducer.apply(log_probs, targets, frames, True)  # type: ignore[no-any-return]
