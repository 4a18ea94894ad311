"""fastText: a word is the mean of its own vector and those of its character n-grams, so that unseen words have one.

Bojanowski et al. 2017, "Enriching word vectors with subword information"; trained as word2vec. D2L 15.6.1.
Departs from the paper: the mean of the parts, as the authors' program has it, where the paper's equation is a sum.

    dive fit embeddings/fasttext        a text with known answers, offline; test/unseen are words that it never saw

The numbers it reaches are in RESULTS.md.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lit_models.embeddings.subwords import subword_table
from lit_models.embeddings.word2vec import Word2Vec, Word2VecTask
from lit_models.tasks.trains import trains


class FastText(Word2Vec):
    """As ``Word2Vec``; the vector of an input word is the mean of its row and those of its n-grams.

    Args:
        vocab_size: V, number of words.
        embed_size: E, length of a vector.
        buckets: Rows that the n-grams share; the authors' program has two million.
        shortest, longest: Lengths of n-grams.
        max_ngrams: Of one word.
    """

    subwords: Tensor  # (V, max_ngrams) int32

    def __init__(
        self,
        vocab_size: int,
        embed_size: int = 100,
        buckets: int = 20_000,
        shortest: int = 3,
        longest: int = 6,
        max_ngrams: int = 40,
    ) -> None:
        super().__init__(vocab_size, embed_size)
        self.buckets, self.limits, self.max_ngrams = buckets, (shortest, longest), max_ngrams
        self.pieces = nn.Embedding(buckets, embed_size)
        nn.init.uniform_(self.pieces.weight, -0.5 / embed_size, 0.5 / embed_size)
        self.register_buffer("subwords", torch.full((vocab_size, max_ngrams), -1, dtype=torch.int32))

    def spell(self, vocabulary: Sequence[str]) -> None:
        """Takes the n-grams of the words of a vocabulary."""
        table = subword_table(vocabulary, self.vocab_size, self.buckets, self.max_ngrams, self.limits)
        self.subwords = table.to(self.subwords.device)

    def embed(self, words: Tensor) -> Tensor:
        if not self.training:
            return self._mean(self.input(words), self.subwords[words].long(), 1)
        some, place = words.unique(return_inverse=True)  # a word of a batch has many neighbors: its mean is taken once
        return self._mean(self.input(some), self.subwords[some].long(), 1)[place]

    def _mean(self, own: Tensor | float, pieces: Tensor, count: int) -> Tensor:
        """The mean of ``count`` own vectors and the n-grams' (..., max_ngrams), -1 where there is none."""
        real = (pieces >= 0).unsqueeze(-1)
        total = (self.pieces(pieces.clamp(min=0)) * real).sum(-2)
        return (own + total) / (count + real.sum(-2)).clamp(min=1)

    def vectors(self) -> Tensor:
        return self.embed(torch.arange(self.vocab_size, device=self.subwords.device))

    def vectors_of(self, words: Sequence[str]) -> Tensor:
        """The vectors (N, E) of words that are not in the vocabulary, by their n-grams alone."""
        pieces = subword_table(words, len(words), self.buckets, self.max_ngrams, self.limits)
        return self._mean(0.0, pieces.to(self.subwords.device).long(), 0)


@trains(FastText)
class LitFastText(Word2VecTask):
    """fastText trained as skip-gram or CBOW with negative sampling."""

    def setup(self, stage: str) -> None:
        super().setup(stage)
        vocabulary: list[str] | None = self.data_attribute("vocabulary")
        if stage == "fit" and vocabulary:
            self.net.spell(vocabulary)  # type: ignore[operator]
