"""The base of texts for word vectors: a vocabulary, its counts, and windows or counts of neighbors.

Batches are ``(center (B,), context (B, 2 window))`` with -1 where a window ends (``batches: windows``), or ``(row,
column, count)``, each (B,) (``batches: counts``, for GloVe and PPMI). Counts are of the whole text, and pairs of words
are held out: a count in a small text is no estimate of one in a large text. Words that are rarer than ``min_count`` are
left out of the text, as word2vec does; there is no token for unknown words.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor

from common.messages import UserError
from datamodules.base import TensorDataModule, TensorLoader, global_seed
from datamodules.text.word_windows import CenterLoader, all_windows, cooccurrences, keep_probability

Sentences = Sequence[Sequence[str]]


class WordCorpus(TensorDataModule):
    """A text as words for word vectors. A subclass supplies ``sentences`` and, where it has some, ``tests``.

    Args:
        vocab_size: The most frequent words, at most; entries that are left over are never met.
        window: Neighbors on each side.
        batches: ``windows`` for word2vec and fastText, ``counts`` for GloVe and PPMI.
        subsample: Threshold of the paper's subsampling of frequent words; 0 keeps all. Counts are of the whole text.
        dynamic_window: Draw each window's size from 1 to ``window``.
        weighted: A neighbor at distance d counts 1 / d (GloVe), else 1.
        min_count: Rarer words are left out.
        **loader: See ``TensorDataModule``; rows are centers, or pairs of words.
    """

    links = ("vocab_size",)
    input_means = "words by their places in the vocabulary of processor.json"

    def __init__(
        self,
        vocab_size: int = 10_000,
        window: int = 5,
        batches: Literal["windows", "counts"] = "windows",
        subsample: float = 1e-4,
        dynamic_window: bool = True,
        weighted: bool = True,
        min_count: int = 1,
        **loader: Any,
    ) -> None:
        super().__init__(**loader)
        for name, value in (("vocab_size", vocab_size), ("window", window)):
            if value < 1:
                raise UserError(f"data.{name} is {value}: give a whole number of at least 1")
        self.vocab_size, self.window, self.batches, self.subsample = vocab_size, window, batches, subsample
        self.dynamic_window, self.weighted, self.min_count = dynamic_window, weighted, min_count
        self.vocabulary: list[str] | None = None
        self.word_counts = torch.zeros(vocab_size, dtype=torch.int64)
        #: What the vectors are tested with: see ``common/data_protocol.py``.
        self.word_tests: dict[str, dict[str, Any]] = {}

    # -- for the subclass ---------------------------------------------------------------------------------------------

    def sentences(self) -> dict[str, Sentences]:
        """The sentences of train, val and test, each a list of words."""
        raise NotImplementedError

    def tests(self) -> dict[str, dict[str, Any]]:
        """``similarity``, ``analogies``, ``neighbors`` and ``unseen``, each by name."""
        return {}

    # -- words --------------------------------------------------------------------------------------------------------

    def processor(self) -> dict[str, Any]:
        counts = self.word_counts[: len(self.vocabulary or [])].tolist()
        return {**super().processor(), "vocabulary": self.vocabulary, "word_counts": counts}

    def load_processor(self, processor: dict[str, Any]) -> None:
        super().load_processor(processor)
        self.take_vocabulary(list(zip(processor["vocabulary"], processor["word_counts"], strict=True)))

    def take_vocabulary(self, counted: list[tuple[str, int]]) -> None:
        self.vocabulary = [word for word, _ in counted]
        self.word_counts = torch.zeros(self.vocab_size, dtype=torch.int64)
        self.word_counts[: len(counted)] = torch.tensor([count for _, count in counted])

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        parts = self.sentences()
        if self.vocabulary is None:
            counts = Counter(word for sentence in parts["train"] for word in sentence)
            counted = [(w, n) for w, n in sorted(counts.items(), key=lambda x: (-x[1], x[0])) if n >= self.min_count]
            if len(counted) < 2:
                raise UserError(
                    f"{type(self).__name__} has {len(counted)} words that occur {self.min_count} times: give it more "
                    "text, or a smaller data.min_count"
                )
            self.take_vocabulary(counted[: self.vocab_size])
        assert self.vocabulary is not None
        self.word_tests = self.tests()
        number = {word: i for i, word in enumerate(self.vocabulary)}
        splits: dict[str, tuple[Tensor, ...]] = {}
        if self.batches == "counts":
            text = as_tensors([sentence for part in parts.values() for sentence in part], number)
            counted_pairs = cooccurrences(*text, self.window, self.vocab_size, self.weighted)
            splits = split_cells(counted_pairs) if "train" in parts else dict.fromkeys(parts, counted_pairs)
        else:
            for name, sentences in parts.items():
                text = as_tensors(sentences, number)
                splits[name] = text if name == "train" else all_windows(*text, self.window)
        splits["predict"] = (torch.arange(len(self.vocabulary)),)
        self.predict_names = self.vocabulary
        return splits

    def transform(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return tuple(x if x.is_floating_point() else x.long() for x in batch)

    def baselines(self) -> dict[str, dict[str, Any]]:
        """Chance: any word may be the answer."""
        chance = 1 / max(1, len(self.vocabulary or []))
        tests = [name for kind in ("analogies", "neighbors") for name in self.word_tests.get(kind, {})]
        return {"chance": {"what": "a random word", "metrics": {f"test/{name}": chance for name in tests}}}

    def train_dataloader(self) -> TensorLoader:
        if self.batches == "counts":
            return super().train_dataloader()
        rank, world = self._rank_and_world()
        cuda = self.trainer is not None and self.trainer.strategy.root_device.type == "cuda"
        keep = keep_probability(self.word_counts, self.subsample)
        loader: dict[str, Any] = {"seed": global_seed(), "rank": rank, "world": world, "pin_memory": cuda}
        words, sentence = self.splits["train"]
        centers = CenterLoader(words, sentence, keep, self.window, self.dynamic_window, self.batch_size, **loader)
        return self.for_training(centers)


def as_tensors(sentences: Sentences, number: dict[str, int]) -> tuple[Tensor, Tensor]:
    """The known words of sentences (N,) int32, and the number of each one's sentence (N,) int32."""
    words, lengths = [], []
    for sentence in sentences:
        known = [number[word] for word in sentence if word in number]
        words += known
        lengths.append(len(known))
    places = torch.repeat_interleave(torch.arange(len(lengths), dtype=torch.int32), torch.tensor(lengths).long())
    return torch.tensor(words, dtype=torch.int32), places


def split_cells(counts: tuple[Tensor, ...], fraction: float = 0.05) -> dict[str, tuple[Tensor, ...]]:
    """Pairs of words for training, and a fraction of them each for validation and test, both orders together."""
    rows, columns, _ = counts
    low, high = torch.minimum(rows, columns).long(), torch.maximum(rows, columns).long()
    pairs, place = torch.unique(low * (int(high.max()) + 1) + high, return_inverse=True)
    draw = torch.rand(len(pairs), generator=torch.Generator().manual_seed(0))[place]
    parts = {"val": draw < fraction, "test": (draw >= fraction) & (draw < 2 * fraction), "train": draw >= 2 * fraction}
    return {name: tuple(t[part] for t in counts) for name, part in parts.items()}
