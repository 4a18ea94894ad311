"""Texts, or pairs of texts, with a number each, as BERT reads them; and pairs whose number follows by rule.

``SceneScores``: two short descriptions and how many of their five parts agree, from 0 to 5: "a small brown dog runs
outside" and "nearby a small white dog stands" have the size and the noun, and another verb. Nouns and verbs of the same
kind (two animals, two ways of moving) count a half. The best possible error is 0.
"""

from random import Random
from typing import Any
from zlib import crc32

import torch
from torch import Tensor

from datamodules.text.bert_text import BertText, Texts
from datamodules.text.entailment import ACTS, COLORS, KINDS, PARTS, PLACES, SIZES

KIND = {word: kind for table in (KINDS, ACTS) for kind, words in table.items() for word in words}
CHOICES = {
    "size": SIZES,
    "color": COLORS,
    "noun": tuple(word for words in KINDS.values() for word in words),
    "verb": tuple(word for words in ACTS.values() for word in words),
    "place": PLACES,
}


class BertScores(BertText):
    """Rows x (B, T) int64 and numbers y (B,). A subclass supplies ``read``.

    Args:
        **texts: See ``BertText``.

    Attributes:
        target_mean, target_std: Of the training numbers.
    """

    links = ("vocab_size", "sep_id", "max_length")  # type: ignore[assignment]  # no classes

    def __init__(self, **texts: Any) -> None:
        super().__init__(num_classes=0, **texts)
        self.target_mean, self.target_std = 0.0, 1.0

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        splits = super().load(stage)
        if "train" in splits:
            y = splits["train"][1].double()
            self.target_mean, self.target_std = float(y.mean()), float(y.std(correction=0)) or 1.0
        return splits

    def baselines(self) -> dict[str, dict[str, Any]]:
        """The mean of the training numbers."""
        y, test = (self.splits[name][1].double() for name in ("train", "test"))
        errors = (test - y.mean()).square().mean()
        metrics = {"test/rmse": float(errors.sqrt()), "test/loss": float(errors / 2)}
        metrics |= {"test/r2": float(1 - errors / test.var(correction=0)), "test/pearson": 0.0, "test/spearman": 0.0}
        return {"chance": {"what": "the mean of the training numbers", "metrics": metrics}}


class SceneScores(BertScores):
    """Two descriptions and how many of their parts agree, 0 to 5. No first description of the test is in training.

    Args:
        vocab_size, seq_len: Room for all words whole, and for their parts; two sentences.
        train_size, val_size, test_size: Pairs.
        **texts: See ``BertText``.
    """

    def __init__(
        self,
        vocab_size: int = 300,
        seq_len: int = 32,
        train_size: int = 12_000,
        val_size: int = 600,
        test_size: int = 1200,
        **texts: Any,
    ) -> None:
        super().__init__(vocab_size=vocab_size, seq_len=seq_len, **texts)
        self.sizes = {"train": train_size, "val": val_size, "test": test_size}

    def read(self, stage: str) -> dict[str, Texts]:
        draw = Random(0)
        found: dict[str, Texts] = {}
        for name, size in self.sizes.items():
            rows = [pair(draw, name) for _ in range(size)]
            found[name] = ([a for a, _, _ in rows], [b for _, b, _ in rows], torch.tensor([y for _, _, y in rows]))
        return found


def described(parts: dict[str, str], place_first: bool) -> str:
    """``a SIZE COLOR NOUN VERB PLACE``, or the place at the beginning."""
    middle = "a " + " ".join(parts[name] for name in ("size", "color", "noun", "verb"))
    return f"{parts['place']} {middle}" if place_first else f"{middle} {parts['place']}"


def score(first: dict[str, str], second: dict[str, str]) -> float:
    """1 for each part that agrees, a half for a noun or a verb of the same kind."""
    total = 0.0
    for name, word in first.items():
        same_kind = KIND.get(word) is not None and KIND.get(word) == KIND.get(second[name])
        total += 1.0 if word == second[name] else 0.5 * same_kind
    return total


def pair(draw: Random, part: str) -> tuple[str, str, float]:
    """Two descriptions and their score; each first description belongs to one part only."""
    while True:
        first = {name: draw.choice(words) for name, words in CHOICES.items()}
        if PARTS[crc32(described(first, False).encode()) % len(PARTS)] == part:
            break
    kept = draw.random()  # of the parts, so that all scores occur
    second = {name: word if draw.random() < kept else draw.choice(CHOICES[name]) for name, word in first.items()}
    texts = (described(scene, draw.random() < 0.3) for scene in (first, second))
    return (*texts, score(first, second))  # type: ignore[return-value]
