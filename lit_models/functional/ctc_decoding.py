"""From a network's distributions over labels to a text: the best path, prefix beam search, and when each label is said.

Graves et al. 2006, section 3.2, for the best path; Hannun et al. 2014, "First-pass large vocabulary continuous speech
recognition using bi-directional recurrent DNNs", for prefix beam search with a language model. Not in D2L.

The best path takes the best label of each frame. It is not the best text: the probability of a text is the sum of all
its paths. Prefix beam search adds up the paths of the same text, apart by whether they end in a blank, since a label
after a blank is a new one and a label after itself is not. With a beam of all prefixes it finds the best text; ``dive
verify rnn/prefix_beam`` compares it with a sum over every path.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lit_models.functional.character_ngram import CharacterNgram
from lit_models.functional.ctc import BLANK

Prefix = tuple[int, ...]
NEVER = float("-inf")


@dataclass(frozen=True)
class Scored:
    """A text and its scores.

    Args:
        labels: 1 to K.
        log_p: log of the sum over the paths that were kept, in nats.
        score: With the language model and the bonus.
    """

    labels: Prefix
    log_p: float
    score: float


def best_path(labels: Sequence[int], before: int = BLANK) -> list[int]:
    """Merges repeated labels and removes blanks: ``[0, 1, 1, 0, 1]`` becomes ``[1, 1]``.

    Args:
        labels: The best label of each frame.
        before: The label of the frame before the first, where a sound comes in pieces.
    """
    return [label for last, label in zip([before, *labels], labels, strict=False) if label not in (BLANK, last)]


def prefix_beam(
    log_probs: np.ndarray,
    width: int = 8,
    language_model: CharacterNgram | None = None,
    weight: float = 0.0,
    bonus: float = 0.0,
) -> list[Scored]:
    """The best texts, the best first, by log P(text | sound) + weight log P(text) + bonus (number of labels).

    Args:
        log_probs: Of labels 0 (blank) to K in each frame, (T, K + 1).
        width: Prefixes that are kept after each frame.
        language_model: Of labels; None for a weight of 0.
        weight: Of the language model.
        bonus: For each label: a language model alone prefers short texts.
    """
    beams: dict[Prefix, tuple[float, float]] = {(): (0.0, NEVER)}  # log P of paths that end in a blank, or do not
    spoken: dict[Prefix, float] = {(): 0.0}  # weight log P(prefix) + bonus (labels)
    table = None if language_model is None or not weight else language_model.table
    order = 1 if language_model is None else language_model.order

    def next_scores(prefix: Prefix) -> np.ndarray | None:
        if table is None:
            return None
        context = (*([0] * (order - 1)), *prefix)[len(prefix) :]  # the last order - 1 labels
        return weight * table[context]  # type: ignore[no-any-return]

    for y in log_probs.tolist():
        found: dict[Prefix, list[float]] = defaultdict(lambda: [NEVER, NEVER])
        for prefix, (blank, other) in beams.items():
            both = np.logaddexp(blank, other)
            last = prefix[-1] if prefix else BLANK
            stay = found[prefix]
            stay[0] = np.logaddexp(stay[0], both + y[BLANK])
            if prefix:
                stay[1] = np.logaddexp(stay[1], other + y[last])  # the same label once more: the same text
            said = next_scores(prefix)
            for label in range(1, len(y)):
                longer = (*prefix, label)
                from_paths = blank if label == last else both
                if from_paths == NEVER or y[label] == NEVER:
                    continue
                grown = found[longer]
                grown[1] = np.logaddexp(grown[1], from_paths + y[label])
                if longer not in spoken:
                    spoken[longer] = spoken[prefix] + bonus + (0.0 if said is None else float(said[label]))
        best = sorted(found, key=lambda p: np.logaddexp(found[p][0], found[p][1]) + spoken[p], reverse=True)[:width]
        beams = {prefix: (found[prefix][0], found[prefix][1]) for prefix in best}
    results = []
    for prefix, (blank, other) in beams.items():
        said = next_scores(prefix)
        end = 0.0 if said is None else float(said[0])  # label 0 of a language model is the end of a text
        log_p = float(np.logaddexp(blank, other))
        results.append(Scored(prefix, log_p, log_p + spoken[prefix] + end))
    return sorted(results, key=lambda found: found.score, reverse=True)


def align(log_probs: np.ndarray, labels: Sequence[int]) -> list[tuple[int, int]]:
    """The first and last frame of each label on the most probable path of a text (Viterbi); empty if it has no path.

    Args:
        log_probs: Of labels 0 (blank) to K in each frame, (T, K + 1).
        labels: 1 to K.
    """
    extended = [BLANK, *(part for label in labels for part in (label, BLANK))]
    places = np.array(extended)
    skip = np.zeros(len(places), dtype=bool)
    skip[2:] = (places[2:] != BLANK) & (places[2:] != places[:-2])
    score = np.full(len(places), NEVER)
    score[0] = 0.0
    steps = np.zeros((len(log_probs), len(places)), dtype=int)  # how many places a path came forward
    for t, y in enumerate(log_probs):
        one, two = np.full_like(score, NEVER), np.full_like(score, NEVER)
        one[1:], two[2:] = score[:-1], score[:-2]
        options = np.stack([score, one, np.where(skip, two, NEVER)])
        steps[t] = options.argmax(0)
        score = options.max(0) + y[places]
    place = max(range(max(0, len(places) - 2), len(places)), key=lambda s: score[s])
    if score[place] == NEVER or not labels:
        return []
    spans: dict[int, tuple[int, int]] = {}
    for t in range(len(log_probs) - 1, -1, -1):
        if place % 2:
            spans[place // 2] = (t, spans.get(place // 2, (t, t))[1])
        place -= int(steps[t, place])
    return [spans[n] for n in range(len(labels))]
