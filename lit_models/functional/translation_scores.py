"""How good translations are: BLEU and chrF++ with their signatures and intervals, and what tone marks do to them.

Papineni et al. 2002 (BLEU); Popovic 2017 (chrF++); Post 2018 (signatures); Koehn 2004 (bootstrap); through sacreBLEU.
Below 5 or so, BLEU counts names and numbers that were copied: chrF++ is the number to read there.

Many languages write tones and vowels with marks on letters, which Unicode has in two forms: a letter with its mark as
one sign (NFC), or the mark after the letter (NFD). A perfect Yoruba translation in the other form scores chrF++ 22, and
without any mark about the same. So both sides are brought to NFC, and two numbers are added where a language has marks:
chrF++ with the marks removed on both sides, and how many of the right words have wrong marks.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, NamedTuple

SAMPLES = 1000  # of the bootstrap, sacreBLEU's default


@dataclass(frozen=True)
class Score:
    """A score of a corpus.

    Args:
        value: 0 to 100.
        interval: Half the width of the interval that has 95 % of the bootstrap's scores; 0 if none was drawn.
        signature: What has to be equal for a comparison with another paper.
    """

    value: float
    interval: float
    signature: str

    def __str__(self) -> str:
        spread = f" ± {self.interval:.2f}" if self.interval else ""
        return f"{self.value:.2f}{spread} {self.signature}"


class Comparison(NamedTuple):
    """Two systems on the same sentences.

    Args:
        first, second: Their scores.
        half: Half the width of the interval that has 95 % of the bootstrap's differences.
        p: The probability of a difference as large by chance.
    """

    first: Score
    second: Score
    half: float
    p: float


def metric_named(name: str, references: Sequence[str] | None = None) -> Any:
    """sacreBLEU's metric ``bleu``, or ``chrf`` (chrF++: words and pairs of words count too), with its references."""
    from sacrebleu.metrics.bleu import BLEU  # imported here, since most commands do not need it
    from sacrebleu.metrics.chrf import CHRF

    given = None if references is None else [list(references)]
    return BLEU(references=given) if name == "bleu" else CHRF(word_order=2, references=given)


def corpus_score(name: str, outputs: Sequence[str], references: Sequence[str], samples: int = 0) -> Score:
    """BLEU or chrF++ of detokenized texts with one reference each, both in NFC.

    Args:
        name: ``bleu`` or ``chrf``.
        outputs, references: The texts.
        samples: Of the bootstrap; 0 for no interval.
    """
    metric = metric_named(name)
    both = [[unicodedata.normalize("NFC", text) for text in side] for side in (outputs, references)]
    found = metric.corpus_score(both[0], [both[1]], n_bootstrap=samples or 1)
    return Score(found.score, float(found._ci or 0.0) if samples else 0.0, str(metric.get_signature()))


def without_marks(text: str) -> str:
    """A text without marks on or below its letters: ``Ẹ̀kọ́`` becomes ``Eko``; letters such as ``ɗ`` stay."""
    parts = unicodedata.normalize("NFD", text)
    return unicodedata.normalize("NFC", "".join(c for c in parts if unicodedata.category(c) != "Mn"))


def has_marks(texts: Sequence[str]) -> bool:
    """Whether any text has a mark on a letter."""
    return any(without_marks(text) != unicodedata.normalize("NFC", text) for text in texts)


def mark_error_rate(outputs: Sequence[str], references: Sequence[str]) -> float:
    """Of the output's words that are right without their marks, the fraction whose marks are wrong; else 0.

    The words of an output are aligned with those of its reference by their longest common parts.
    """
    right = wrong = 0
    for output, reference in zip(outputs, references, strict=True):
        words, true = (unicodedata.normalize("NFC", text).split() for text in (output, reference))
        bare = [[without_marks(word) for word in side] for side in (words, true)]
        for block in SequenceMatcher(None, bare[0], bare[1], autojunk=False).get_matching_blocks():
            for k in range(block.size):
                right += 1
                wrong += words[block.a + k] != true[block.b + k]
    return wrong / right if right else 0.0


def paired_bootstrap(
    name: str, outputs: Sequence[str], others: Sequence[str], references: Sequence[str], samples: int = SAMPLES
) -> Comparison:
    """The scores of two systems on the same sentences, their difference and its p-value (Koehn 2004).

    Args:
        name: ``bleu`` or ``chrf``.
        outputs: Of the first system, the baseline.
        others: Of the second system.
        references: The true texts.
        samples: Sets of sentences that are drawn, the same for both systems.
    """
    from sacrebleu.significance import PairedTest

    nfc = [[unicodedata.normalize("NFC", text) for text in side] for side in (outputs, others, references)]
    systems: list[tuple[str, Sequence[str]]] = [("first", nfc[0]), ("second", nfc[1])]
    test = PairedTest(systems, {name: metric_named(name, nfc[2])}, None, "bs", samples)
    signatures, scores = test()
    (column,) = [key for key in scores if key != "System"]
    signature = str(next(iter(signatures.values())))
    entries: list[Any] = list(scores[column])
    first, second = (Score(entry.score, float(entry.ci or 0.0), signature) for entry in entries)
    p = float(entries[1].p_value) if nfc[0] != nfc[1] else 1.0  # sacreBLEU finds equal ones different
    return Comparison(first, second, half_of_gain(name, nfc[0], nfc[1], nfc[2], samples), p)


def half_of_gain(
    name: str, outputs: Sequence[str], others: Sequence[str], references: Sequence[str], samples: int
) -> float:
    """Half the width of the interval that has 95 % of the differences between two systems, sets drawn alike for both.

    sacreBLEU gives the interval of each system only, which is wider: what makes a set of sentences hard for one makes
    it hard for the other. The texts are in NFC, as ``paired_bootstrap`` makes them.
    """
    import numpy as np

    metric = metric_named(name, references)
    counts = [np.array(metric._extract_corpus_statistics(side, None)) for side in (outputs, others)]
    random = np.random.default_rng(0)
    rows = random.integers(len(references), size=(samples, len(references)))
    scores = [[metric._compute_score_from_stats(c[row].sum(0)).score for row in rows] for c in counts]
    low, high = np.quantile(np.subtract(scores[1], scores[0]), (0.025, 0.975))
    return float(high - low) / 2
