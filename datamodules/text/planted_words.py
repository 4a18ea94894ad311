"""A generated text whose word vectors have known right answers: topics, synonyms, analogies, and words never seen.

A thing has a topic r and a kind c. It occurs among words of its topic and words of its kind, chosen independently, so
that log P(neighbor | thing) is a function of r plus a function of c: vectors of such words are sums of two parts, and
(r, c) - (r, d) + (s, d) is near (s, c) (Levy and Goldberg 2014, "Linguistic regularities"). A thing of the first topics
has two names that stand in for each other: synonyms. A name is a stem of the topic and an ending of the kind, so that
fastText can tell the topic of a name that never occurs in the text. Frequent words without a topic are in between.
"""

from itertools import product
from typing import Any

import torch

from datamodules.text.word_corpus import Sentences, WordCorpus

TOPICS, KINDS = 12, 4
SYNONYMS = range(6)  # the topics whose things have two names
HIDDEN = ((7, 1), (8, 2), (9, 3), (10, 0))  # things that never occur
STEMS = (
    *("baku", "limo", "seta", "ruvo", "jani", "polu", "deme", "figa", "huzo", "nepi", "tawo", "kile"),
    *("codo", "wumi", "xaro", "yibe", "zelo", "vafu"),  # of second names
)
ENDINGS = ("darn", "mest", "gulf", "pinx")
FREQUENT = ["a", "e", "i", "o", "u", "y", "ng", "rr", "ss", "tt"]


def name_of(topic: int, kind: int, second: bool = False) -> str:
    """The name of a thing, or its second name."""
    return STEMS[topic + TOPICS * second] + ENDINGS[kind]


class PlantedWords(WordCorpus):
    """A text of ``num_sentences`` sentences of eleven words; 90 % train, 5 % validation, 5 % test.

    Args:
        vocab_size, window, subsample: There are 296 words; a sentence is one thing's, so that a window may reach
            over all of it; no word is frequent enough to be left out.
        num_sentences: Length of the text.
        **corpus: See ``WordCorpus``.
    """

    def __init__(
        self,
        vocab_size: int = 300,
        window: int = 5,
        subsample: float = 0.0,
        num_sentences: int = 12_000,
        **corpus: Any,
    ) -> None:
        super().__init__(vocab_size, window, subsample=subsample, **corpus)
        self.num_sentences = num_sentences

    def sentences(self) -> dict[str, Sentences]:
        lines = generate(self.num_sentences)
        first, second = int(0.9 * len(lines)), int(0.95 * len(lines))
        return {"train": lines[:first], "val": lines[first:second], "test": lines[second:]}

    def tests(self) -> dict[str, dict[str, Any]]:
        synonyms = [
            pair
            for r, c in product(SYNONYMS, range(KINDS))
            for pair in ((name_of(r, c), [name_of(r, c, True)]), (name_of(r, c, True), [name_of(r, c)]))
        ]
        seen = [(r, c) for r, c in product(range(len(SYNONYMS), TOPICS), range(KINDS)) if (r, c) not in HIDDEN]
        analogies = [
            (name_of(r, c), name_of(r, d), name_of(s, c), name_of(s, d))
            for (r, c), (s, d) in product(seen, seen)
            if r != s and c != d and (r, d) in seen and (s, c) in seen
        ]
        unseen = [
            (name_of(r, c), [w for w in self.vocabulary or [] if STEMS[r] in w or ENDINGS[c] in w]) for r, c in HIDDEN
        ]
        return {
            "neighbors": {"neighbors": synonyms},
            "analogies": {"analogies": analogies},
            "unseen": {"unseen": unseen},
        }


def generate(count: int, seed: int = 0) -> list[list[str]]:
    """``count`` sentences: a thing's name in the middle of five words of its topic or kind and five frequent words."""
    generator = torch.Generator().manual_seed(seed)

    def draw(high: int, *size: int) -> list[Any]:
        return torch.randint(high, size, generator=generator).tolist()

    things = [pair for pair in product(range(TOPICS), range(KINDS)) if pair not in HIDDEN]
    frequent = torch.multinomial(1 / torch.arange(1.0, 101), 5 * count, True, generator=generator).reshape(count, 5)
    lines = []
    rows = zip(draw(len(things), count), draw(2, count), draw(8, count, 5), draw(2, count, 5), strict=True)
    for (thing, second, which, side), common in zip(rows, frequent.tolist(), strict=True):
        r, c = things[thing]
        around = [f"{STEMS[r]}{w}" if left else f"{ENDINGS[c]}{w}" for w, left in zip(which, side, strict=True)]
        words = around + [f"{FREQUENT[k % 10]}{k // 10}" for k in common]
        order = torch.randperm(len(words), generator=generator).tolist()
        words = [words[k] for k in order]
        lines.append([*words[:5], name_of(r, c, bool(second) and r in SYNONYMS), *words[5:]])
    return lines
