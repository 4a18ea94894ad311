"""Pairs of sentences with a relation by rule: entailment, contradiction, neutral.

A sentence says that something with properties does something somewhere: "a small brown dog runs outside". What is
more general follows from it (a dog moves); what is more special, or about something else, is open; that there is no
such thing contradicts it. Natural logic in small: MacCartney and Manning 2007.
"""

from random import Random
from typing import Any
from zlib import crc32

import torch

from datamodules.text.bert_text import BertText, Texts

KINDS = {"animal": ("dog", "cat", "goat"), "person": ("girl", "man", "singer")}
ACTS = {"moves": ("runs", "turns", "rises"), "waits": ("stands", "rests", "sleeps")}
COLORS, SIZES, PLACES = ("brown", "white", "black"), ("small", "large"), ("outside", "nearby", "today")
PARTS = ("train",) * 7 + ("val",) + ("test",) * 2  # of premises, by a checksum
CLASSES = ["contradiction", "entailment", "neutral"]


class RuledPairs(BertText):
    """Premise and hypothesis; 0 contradiction, 1 entailment, 2 neutral. No premise of the test is in training.

    Args:
        num_classes, vocab_size, seq_len: Three; room for all words whole, and for their parts; two sentences.
        train_size, val_size, test_size: Pairs.
        **texts: See ``BertText``.
    """

    def __init__(
        self,
        num_classes: int = 3,
        vocab_size: int = 300,
        seq_len: int = 32,
        train_size: int = 20_000,
        val_size: int = 600,
        test_size: int = 1200,
        **texts: Any,
    ) -> None:
        super().__init__(num_classes, vocab_size=vocab_size, seq_len=seq_len, **texts)
        self.sizes = {"train": train_size, "val": val_size, "test": test_size}
        self.class_names = CLASSES

    def draw(self, generator: Random, name: str) -> tuple[str, str, int]:
        """A pair of a split, and its class."""
        raise NotImplementedError

    def read(self, stage: str) -> dict[str, Texts]:
        generator = Random(0)
        found: dict[str, Texts] = {}
        for name, size in self.sizes.items():
            rows = [self.draw(generator, name) for _ in range(size)]
            found[name] = ([a for a, _, _ in rows], [b for _, b, _ in rows], torch.tensor([y for _, _, y in rows]))
        return found


class Entailment(RuledPairs):
    """Sentences of one event."""

    def draw(self, generator: Random, name: str) -> tuple[str, str, int]:
        return pair(generator, name)


def sentence(parts: dict[str, str], no: bool = False) -> str:
    """The parts that there are, in English order."""
    words = ["no" if no else "a", *(parts[k] for k in ("size", "color", "noun", "verb", "place") if parts.get(k))]
    return " ".join(words)


def pair(draw: Random, part: str) -> tuple[str, str, int]:
    """Premise, hypothesis, class; each premise belongs to one part only."""
    while True:
        kind, act = draw.choice(list(KINDS)), draw.choice(list(ACTS))
        full = {"size": draw.choice(SIZES), "color": draw.choice(COLORS), "noun": draw.choice(KINDS[kind])}
        full |= {"verb": draw.choice(ACTS[act]), "place": draw.choice(PLACES)}
        premise = {k: v for k, v in full.items() if k in ("noun", "verb") or draw.choice((0, 1, 1))}
        if PARTS[crc32(sentence(premise).encode()) % len(PARTS)] == part:
            break
    general = {k: v for k, v in premise.items() if k in ("noun", "verb") or draw.choice((0, 1))}
    general["noun"] = draw.choice((premise["noun"], kind))
    general["verb"] = draw.choice((premise["verb"], act))
    label = draw.choice((0, 1, 2))
    if label == 2:
        change = draw.choice(("noun", "verb", "more"))
        missing = [k for k in ("size", "color", "place") if k not in premise]
        if change == "noun":
            general["noun"] = draw.choice([n for k, names in KINDS.items() if k != kind for n in (*names, k)])
        elif change == "verb" or not missing:
            general["verb"] = draw.choice([v for a, verbs in ACTS.items() if a != act for v in (*verbs, a)])
        else:
            general |= {k: full[k] for k in missing[:1]}
    return sentence(premise), sentence(general, no=label == 0), label
