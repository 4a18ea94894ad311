"""Speech: CTC against torch's and against every path, prefix beam search against every path, edit distance and jiwer."""

from collections import defaultdict
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lit_models.functional import ctc
from lit_models.functional.character_ngram import CharacterNgram
from lit_models.functional.ctc_decoding import best_path, prefix_beam
from lit_models.functional.edit_distance import alignment
from scripts.evidence.verify import Check, Tensors

#: A usual target, repeated labels, an empty one, one that just fits, one that is too long for its three frames.
TARGETS = torch.tensor([[1, 2, 3, 0], [2, 2, 2, 0], [0, 0, 0, 0], [3, 3, 1, 0], [1, 1, 2, 3]])
LENGTHS = torch.tensor([7, 6, 5, 4, 3])


def logits(rows: int = 5, frames: int = 7, labels: int = 4) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    return (2 * torch.randn(rows, frames, labels, generator=generator, dtype=torch.float64)).requires_grad_()


def of_losses(losses: Tensor, x: Tensor) -> Tensors:
    """Losses, which of them are infinite, and the gradient of a weighted sum of the finite ones."""
    possible = losses.isfinite()
    weights = torch.arange(1, len(losses) + 1, dtype=torch.float64)
    (gradient,) = torch.autograd.grad((losses * weights)[possible].sum(), x)
    return {
        "losses": torch.where(possible, losses, 0.0).detach(),
        "impossible": (~possible).double(),
        "grad logits": gradient.nan_to_num(),
    }


def our_ctc() -> Tensors:
    x = logits()
    return of_losses(ctc.ctc_loss(x.log_softmax(2), TARGETS, LENGTHS), x)


def their_ctc(wrong: bool = False) -> Tensors:
    """torch's; wrong: all rows have all frames."""
    x = logits()
    lengths = torch.full_like(LENGTHS, 7) if wrong else LENGTHS
    return of_losses(ctc.torch_ctc_loss(x.log_softmax(2), TARGETS, lengths), x)


def every_path(merge_first: bool = True) -> Tensors:
    """The same by adding up every path of K + 1 labels over the frames, of which each gives one text."""
    x = logits()
    losses = []
    for row, target in enumerate(TARGETS.tolist()):
        log_p, wanted, paths = x[row].log_softmax(1), [label for label in target if label], []
        for path in product(range(x.shape[2]), repeat=int(LENGTHS[row])):
            text = best_path(path) if merge_first else blanks_first(path)
            if text == wanted:
                paths.append(torch.stack([log_p[t, label] for t, label in enumerate(path)]).sum())
        losses.append(-torch.stack(paths).logsumexp(0) if paths else torch.tensor(float("inf"), dtype=x.dtype))
    return of_losses(torch.stack(losses), x)


def blanks_first(path: Any) -> list[int]:
    """Wrong: blanks are removed before repeated labels are merged, so that no text repeats a label."""
    labels = [label for label in path if label]
    return [label for last, label in zip([0, *labels], labels, strict=False) if label != last]


# -- prefix beam search -----------------------------------------------------------------------------------------------

WEIGHT, BONUS, SOUNDS = 0.7, 0.3, 6


def language_model() -> CharacterNgram:
    return CharacterNgram.learn([[1, 2, 3], [1, 2], [3, 1, 2, 3], [2, 3]], num_labels=4, order=3, k=1.0)


def found_by_beam(width: int) -> Tensors:
    """The best text of each sound, and its scores."""
    texts, scores = [], []
    for y in logits(SOUNDS, 5).detach().log_softmax(2).numpy():
        best = prefix_beam(y, width, language_model(), WEIGHT, BONUS)[0]
        texts.append([*best.labels, *[0] * (5 - len(best.labels))])
        scores.append([best.log_p, best.score])
    return {"texts": torch.tensor(texts).double(), "scores": torch.tensor(scores, dtype=torch.float64)}


def found_by_trying() -> Tensors:
    """Every path is added to its text; the language model by its definition, from counts of dictionaries."""
    texts, scores, model = [], [], language_model()
    for y in logits(SOUNDS, 5).detach().log_softmax(2).numpy():
        sums: dict[tuple[int, ...], float] = defaultdict(lambda: -np.inf)
        for path in product(range(4), repeat=5):
            text = tuple(best_path(path))
            sums[text] = np.logaddexp(sums[text], sum(y[t, label] for t, label in enumerate(path)))
        score, text = max((p + WEIGHT * model.log_p(t) + BONUS * len(t), t) for t, p in sums.items())
        texts.append([*text, *[0] * (5 - len(text))])
        scores.append([sums[text], score])
    return {"texts": torch.tensor(texts).double(), "scores": torch.tensor(scores, dtype=torch.float64)}


# -- edit distance ----------------------------------------------------------------------------------------------------

TRUE = ["0123456789", "5512", "7", "1231231234", "0000"]
HEARD = ["123456789", "5123", "", "1321231134", "00100"]


def our_edits() -> Tensors:
    counts = []
    for true, heard in zip(TRUE, HEARD, strict=True):
        pairs = alignment(true, heard)
        inserted, deleted = (sum(pair[side] is None for pair in pairs) for side in (0, 1))
        wrong = sum(a != b for a, b in pairs) - inserted - deleted
        counts.append([wrong + inserted + deleted, wrong + deleted + sum(a == b for a, b in pairs)])
    rate = sum(c[0] for c in counts) / sum(c[1] for c in counts)
    return {"edits and true labels": torch.tensor(counts).double(), "rate": torch.tensor([rate]).double()}


def their_edits(mean_of_rates: bool = False) -> Tensors:
    import jiwer

    counts, rates = [], []
    for true, heard in zip(TRUE, HEARD, strict=True):
        found = jiwer.process_characters(true, heard)
        counts.append([found.substitutions + found.insertions + found.deletions, len(true)])
        rates.append(found.cer)
    rate = sum(rates) / len(rates) if mean_of_rates else jiwer.cer(TRUE, HEARD)
    return {"edits and true labels": torch.tensor(counts).double(), "rate": torch.tensor([rate]).double()}


CHECKS = [
    Check(
        name="rnn/ctc",
        claim="CTC's loss and gradient, with repeated labels, an empty target and one that is too long, against torch",
        package="torch",
        ours=our_ctc,
        reference=their_ctc,
        control=partial(their_ctc, wrong=True),
        mistake="padding counts as frames",
    ),
    Check(
        name="rnn/ctc_paths",
        claim="CTC's loss and gradient against the sum over every path",
        package="torch",
        ours=our_ctc,
        reference=every_path,
        control=partial(every_path, merge_first=False),
        mistake="blanks are removed before repeated labels are merged",
    ),
    Check(
        name="rnn/prefix_beam",
        without="gradients: texts have none",
        claim="Prefix beam search with an n-gram model and a bonus against every path added to its text",
        package="numpy",
        ours=partial(found_by_beam, 10_000),
        reference=found_by_trying,
        control=partial(found_by_beam, 1),
        mistake="a beam of one prefix",
    ),
    Check(
        name="rnn/edit_distance",
        without="gradients: counts have none",
        claim="Edit distance and the error rate of a set against jiwer",
        package="jiwer",
        ours=our_edits,
        reference=their_edits,
        control=partial(their_edits, mean_of_rates=True),
        mistake="the mean of the texts' own rates",
    ),
]
