"""Summaries made of a document's sentences: the first ones, and the best ones by ROUGE, which knows the reference.

The first sentences (lead) are the floor of every table of summaries, and the oracle is the ceiling of those that take
sentences as they are. The oracle's choice is what a classifier of sentences learns (Nallapati et al. 2017).
"""

from collections.abc import Sequence

from lit_models.functional.rouge import rouge


def lead(sentences: Sequence[str], most: int) -> list[int]:
    """The numbers of the first sentences."""
    return list(range(min(most, len(sentences))))


def greedy_oracle(
    sentences: Sequence[str],
    references: Sequence[str],
    most: int,
    stem: bool = False,
    by: Sequence[str] = ("r1", "r2"),
) -> list[int]:
    """The numbers of sentences that, one after the other, raise ROUGE-1 and ROUGE-2 most; none that lowers them.

    Args:
        sentences: Of the document.
        references: True summaries.
        most: Largest number of sentences.
        stem: For English.
        by: The scores whose sum is raised.
    """
    chosen: list[int] = []
    best = 0.0
    for _ in range(min(most, len(sentences))):
        scores: dict[int, float] = {}
        for i in range(len(sentences)):
            if i not in chosen:
                found = rouge(joined(sentences, [*chosen, i]), references, stem, order=False)
                scores[i] = sum(found[name] for name in by)
        new = max(scores, key=lambda i: (scores[i], -i))
        if scores[new] <= best:
            break
        best = scores[new]
        chosen.append(new)
    return sorted(chosen)


def joined(sentences: Sequence[str], chosen: Sequence[int]) -> str:
    """The text of some sentences in the order of the document."""
    return " ".join(sentences[i].strip() for i in sorted(chosen))
