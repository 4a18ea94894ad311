"""word2vec: pairs of words in whole batches against the book's lists, training on both, and gensim's program.

The text is random: 150,000 words of a vocabulary of 9,000, each as frequent as its rank's inverse, in sentences of 22.
The book's side (D2L 15.3) goes through the sentences word by word, keeps lists of centers, of their contexts and of
drawn words, and pads them batch by batch in the loader's ``collate_fn``.
"""

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader

from datamodules.text.word_corpus import Sentences, WordCorpus
from datamodules.text.word_windows import CenterLoader, keep_probability
from lit_models.embeddings.word2vec import LitWord2Vec, noise_weights, pairs_of
from lit_models.functional.alias_method import alias_tables
from scripts.evidence.benches import ours as recipe
from scripts.evidence.benches.part import Goal, Part
from scripts.evidence.benches.workloads import Clock, rates_in_turns, take_turns
from scripts.front.build import build

PART = Part(
    "Word vectors",
    """\
150,000 random words of a vocabulary of 9,000, whose frequencies fall as one over their rank. `pairs`: an epoch of pairs
of words with five drawn words each, in batches of 512 centers; `d2l` in the manner of the book, as lists of numbers.
`word2vec`: training with 512 centers per step, `embeddings/word2vec_ptb` as `dive fit` runs it, and the book's loop
(samples are centers). `words`: the settings of `embeddings/word2vec_english`, and gensim with the same on one thread
(samples are words of the text).""",
    "samples",
    (
        Goal("pairs", "d2l", 20.0, None, "a whole batch of windows in one lookup"),
        Goal("word2vec", "d2l", 4.0, None, "no lists, and no padding one by one"),
    ),
)
WORDS, VOCABULARY, SENTENCE, WINDOW, DRAWN, SUBSAMPLE, CENTERS, SIZE = 150_000, 9000, 22, 5, 5, 1e-4, 512, 100
STEPS, WARMUP = 60, 5
Row = dict[str, Any]
Example = tuple[int, list[int], list[int]]  # a center, its context, and words that are drawn


@cache
def text() -> tuple[Tensor, Tensor]:
    """Words (N,), and the number of each one's sentence (N,)."""
    weights = 1 / torch.arange(1, VOCABULARY + 1)
    words = weights.multinomial(WORDS, True, generator=torch.Generator().manual_seed(0))
    return words.int(), (torch.arange(WORDS) // SENTENCE).int()


def lines_of_text() -> list[list[str]]:
    """The sentences as words, which are written as their numbers."""
    return [list(map(str, line.tolist())) for line in text()[0].split(SENTENCE)]


class RandomWords(WordCorpus):
    """The random text instead of the recipe's."""

    def __init__(self, vocab_size: int = VOCABULARY, window: int = WINDOW, **corpus: Any) -> None:
        super().__init__(vocab_size, window, **corpus)

    def sentences(self) -> dict[str, Sentences]:
        lines = lines_of_text()
        return {"train": lines, "val": lines[:2]}


# -- ours ----------------------------------------------------------------------------------------------------------


def our_pairs() -> int:
    """An epoch of pairs with their drawn words; returns how many pairs there are."""
    words, sentence = text()
    counts = torch.bincount(words.long(), minlength=VOCABULARY)
    model = LitWord2Vec(vocab_size=VOCABULARY, embed_size=1)
    model.own, model.other = alias_tables(noise_weights(counts, model.noise_power))
    found = 0
    for center, context in CenterLoader(words, sentence, keep_probability(counts, SUBSAMPLE), WINDOW, True, CENTERS):
        _, targets = pairs_of(center.long(), context.long(), "skipgram")
        model.draw(len(targets), DRAWN)
        found += len(targets)
    return found


def train_ours(clock: Clock, name: str) -> None:
    """A recipe as ``dive fit`` runs it, on the random text."""
    data = ["--data", f"{RandomWords.__module__}.{RandomWords.__name__}", "--data.subsample", str(SUBSAMPLE)]
    _, model, made = build([name, *data, "--seed_everything", str(torch.initial_seed())])
    recipe.fit(model, made, clock)


# -- the book's manner ---------------------------------------------------------------------------------------------


def book_examples() -> list[Example]:
    """Centers with their contexts and drawn words, in Python, as the book prepares them once."""
    sentences = [line.tolist() for line in text()[0].split(SENTENCE)]
    counts = Counter(word for line in sentences for word in line)
    total = sum(counts.values())
    kept = [[w for w in line if random.random() < (SUBSAMPLE * total / counts[w]) ** 0.5] for line in sentences]
    drawn = draws(counts)
    examples = []
    for line in kept:
        for place, center in enumerate(line):
            if len(line) < 2:
                continue
            reach = random.randint(1, WINDOW)
            context = line[max(0, place - reach) : place] + line[place + 1 : place + 1 + reach]
            seen: set[int] = set(context)
            negatives: list[int] = []
            while len(negatives) < DRAWN * len(context):
                if (word := next(drawn)) not in seen:
                    negatives.append(word)
            examples.append((center, context, negatives))
    return examples


def draws(counts: Counter[int]) -> Iterator[int]:
    """Words by their counts to the power 0.75, ten thousand at a time."""
    words = sorted(counts)
    weights = [counts[word] ** 0.75 for word in words]
    while True:
        yield from random.choices(words, weights, k=10_000)


def padded(examples: list[Example]) -> tuple[Tensor, ...]:
    """Centers (B, 1), contexts and drawn words (B, L), which of them are real, and which are contexts."""
    longest = max(len(context) + len(negatives) for _, context, negatives in examples)
    rows, masks, labels = [], [], []
    for _, context, negatives in examples:
        short = longest - len(context) - len(negatives)
        rows.append([*context, *negatives, *[0] * short])
        masks.append([1] * (longest - short) + [0] * short)
        labels.append([1] * len(context) + [0] * (longest - len(context)))
    return torch.tensor([[center] for center, *_ in examples]), *map(torch.tensor, (rows, masks, labels))


def train_book(clock: Clock) -> None:
    """The book's loop: a masked cross-entropy, plain Adam; the lists were prepared before the clock runs."""
    examples = prepared()
    loader: Any = DataLoader(examples, CENTERS, shuffle=True, collate_fn=padded)  # type: ignore[arg-type]
    center, context = nn.Embedding(VOCABULARY, SIZE), nn.Embedding(VOCABULARY, SIZE)
    optimizer = torch.optim.Adam([*center.parameters(), *context.parameters()], 0.002)
    for words, others, mask, label in clock.batches(lambda: loader):
        scores = torch.bmm(center(words), context(others).transpose(1, 2)).squeeze(1)
        terms = F.binary_cross_entropy_with_logits(scores, label.float(), mask.float(), reduction="none")
        loss = (terms.mean(1) * mask.shape[1] / mask.sum(1)).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        clock.tick(len(words))


@cache
def prepared() -> list[Example]:
    random.seed(0)
    return book_examples()


# -- gensim --------------------------------------------------------------------------------------------------------


def gensim_words(seed: int = 0) -> float:
    """Words of the text a second of gensim's skip-gram on one thread, an epoch; its vocabulary is built before."""
    from gensim.models import Word2Vec

    lines = lines_of_text()
    model = Word2Vec(
        **{"vector_size": SIZE, "window": WINDOW, "negative": DRAWN, "sg": 1, "sample": SUBSAMPLE},
        **{"min_count": 1, "workers": 1, "epochs": 1, "seed": seed},
    )
    model.build_vocab(lines)
    start = time.perf_counter()
    model.train(lines, total_words=WORDS, epochs=1)
    return WORDS / (time.perf_counter() - start)


def our_words(steps: int) -> float:
    """Words of the text a second of ours: a center stands for as many words as the text has for one that is kept."""
    counts = torch.bincount(text()[0].long(), minlength=VOCABULARY)
    kept = float((keep_probability(counts, SUBSAMPLE) * counts).sum())
    clock = Clock(steps, WARMUP)
    train_ours(clock, "embeddings/word2vec_english")
    return clock.samples / clock.seconds * WORDS / kept


def timed(make: Callable[[], int]) -> float:
    start = time.perf_counter()
    return make() / (time.perf_counter() - start)


def book_pairs() -> int:
    return sum(len(context) for _, context, _ in book_examples())


def measure(threads: int, repeats: int, say: Callable[[str], None], steps: int = STEPS) -> list[Row]:
    """Pairs a second that are prepared, centers a second of training, words a second beside gensim."""
    torch.set_num_threads(threads)
    prepared()
    pairs: dict[str, Callable[[], float]] = {"ours": partial(timed, our_pairs), "d2l": partial(timed, book_pairs)}
    words: dict[str, Callable[[], float]] = {"ours": partial(our_words, steps), "gensim": gensim_words}
    sides: dict[str, Callable[[Clock], None]] = {
        "ours": partial(train_ours, name="embeddings/word2vec_ptb"),
        "d2l": train_book,
    }
    return [
        *rates_in_turns("pairs", threads, pairs, repeats, WORDS, say),
        *take_turns("word2vec", threads, sides, repeats, steps, WARMUP, say),
        *rates_in_turns("words", threads, words, repeats, WORDS, say),
    ]
