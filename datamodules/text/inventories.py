"""Pairs of sentences with a relation by rule over many words: what a box has, and what is said of it.

"the box has a pear , a hammer and an owl" entails "the box has a fruit and an owl", contradicts "the box has no tool",
and leaves "the box has a plum" and "the box has no plum" open. Each thing of the second sentence must be looked for
among the things of the first; the mean of their vectors does not tell one of 80 words.
"""

from random import Random
from typing import Any
from zlib import crc32

from datamodules.text.entailment import CLASSES, RuledPairs

# fmt: off
THINGS = {
    "bird": "owl crow swan robin heron finch raven stork",
    "fish": "trout salmon herring carp cod tuna perch eel",
    "fruit": "pear plum mango lemon cherry melon fig guava",
    "tool": "hammer saw drill wrench chisel pliers file rasp",
    "instrument": "violin flute drum cello oboe harp banjo trumpet",
    "garment": "shirt scarf coat glove hat sock skirt belt",
    "tree": "oak pine birch willow cedar elm maple baobab",
    "vehicle": "bus tram ferry lorry bicycle sledge canoe tractor",
    "vegetable": "carrot onion leek turnip cabbage yam okra beet",
    "vessel": "cup bowl jug kettle vase pot flask bucket",
}
# fmt: on
KIND = {word: kind for kind, words in THINGS.items() for word in words.split()}
PARTS = ("train",) * 7 + ("val",) + ("test",) * 2  # of premises, by a checksum


class Inventories(RuledPairs):
    """What is in a box.

    Args:
        **pairs: See ``RuledPairs``.
    """

    def __init__(self, vocab_size: int = 600, seq_len: int = 48, train_size: int = 16_000, **pairs: Any) -> None:
        super().__init__(vocab_size=vocab_size, seq_len=seq_len, train_size=train_size, **pairs)

    def draw(self, generator: Random, name: str) -> tuple[str, str, int]:
        return pair(generator, name)


def sentence(words: list[str], no: bool = False) -> str:
    """``the box has a X , a Y and a Z``."""
    things = [f"no {word}" if no else f"{'an' if word[0] in 'aeiou' else 'a'} {word}" for word in words]
    return "the box has " + " and ".join(part for part in (" , ".join(things[:-1]), things[-1]) if part)


def pair(draw: Random, part: str) -> tuple[str, str, int]:
    """Premise, hypothesis, class; each premise belongs to one part only."""
    while True:
        inside = draw.sample(list(KIND), draw.randint(4, 7))
        premise = sentence(inside)
        if PARTS[crc32(premise.encode()) % len(PARTS)] == part:
            break
    present = set(inside) | {KIND[word] for word in inside}
    absent = [word for word in (*KIND, *THINGS) if word not in present]
    label = draw.choice((0, 1, 2))
    known = [draw.choice((word, KIND[word])) for word in draw.sample(inside, draw.randint(1, 3))]
    if label == CLASSES.index("contradiction"):
        return premise, sentence(known[:1], no=True), label
    if label == CLASSES.index("entailment"):
        return premise, sentence(known), label
    if draw.choice((0, 0, 1)):
        return premise, sentence([draw.choice(absent)], no=True), label
    known[draw.randrange(len(known))] = draw.choice(absent)
    return premise, sentence(known), label
