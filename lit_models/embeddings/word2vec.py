"""word2vec: vectors of words that predict their neighbors.

Mikolov et al. 2013, "Efficient estimation of word representations in vector space" (skip-gram, CBOW) and "Distributed
representations of words and phrases" (negative sampling, subsampling). D2L 15.1 to 15.4, which has code for one of the
four variants: skip-gram with negative sampling.
Departs from the book: negatives are drawn anew in each step, not once for all epochs, and unknown words and padding are
not among them; a negative that is the target itself is left out, as in the authors' program (the book leaves out all
words of the window). The loss is the mean per pair.

    dive fit embeddings/word2vec                    skip-gram, negative sampling, a text with known answers, offline
    dive fit embeddings/word2vec_cbow               CBOW
    dive fit embeddings/word2vec_hierarchical       skip-gram, hierarchical softmax
    dive fit embeddings/word2vec_ptb                the book's recipe
    dive fit embeddings/word2vec --data WordFile --data.path FILE.txt      your own text
    dive embed embeddings/word2vec --query bakudarn

The numbers they reach are in RESULTS.md.
"""

from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from common.messages import UserError
from lit_models.embeddings.huffman import path_tables
from lit_models.functional.alias_method import alias_draw, alias_tables
from lit_models.layers.precision import at_least_float32
from lit_models.tasks.processes import rank_and_world
from lit_models.tasks.trains import trains
from lit_models.tasks.word_vectors import WordVectors


class Word2Vec(nn.Module):
    """Scores of outputs, given the mean of input words: inputs (P, C), outputs (P, K) -> (P, K) dot products.

    Skip-gram has one input word, CBOW all of a window, filled with -1. With negative sampling the outputs are words,
    with hierarchical softmax inner nodes of a Huffman tree.

    Args:
        vocab_size: V, number of words.
        embed_size: E, length of a vector.
        softmax: ``negative``: word against drawn words; ``hierarchical``: a decision at each node of a tree.
        sparse: Gradients of the rows in a batch only, for ``torch.optim.SGD``, ``Adagrad`` or ``SparseAdam``.
    """

    gathered_at_once, forward_methods = True, ("vectors",)  # for sharded weights: tables are used without being called

    def __init__(
        self,
        vocab_size: int,
        embed_size: int = 100,
        softmax: Literal["negative", "hierarchical"] = "negative",
        sparse: bool = False,
    ) -> None:
        super().__init__()
        self.vocab_size, self.softmax = vocab_size, softmax
        outputs = vocab_size if softmax == "negative" else max(1, vocab_size - 1)
        self.input = nn.Embedding(vocab_size, embed_size, sparse=sparse)
        self.output = nn.Embedding(outputs, embed_size, sparse=sparse)
        nn.init.uniform_(self.input.weight, -0.5 / embed_size, 0.5 / embed_size)  # as the authors' program
        nn.init.zeros_(self.output.weight)

    def vectors(self) -> Tensor:
        """The vector of each word (V, E): its row of the input table."""
        return self.input.weight.clone()  # sharded weights are whole inside of a method only

    def mean_input(self, inputs: Tensor) -> Tensor:
        """Words (P, C), -1 where there is none -> the mean of their vectors (P, E)."""
        if inputs.shape[1] == 1:
            return self.embed(inputs[:, 0].clamp(min=0))
        real = (inputs >= 0).unsqueeze(-1)
        total = (self.embed(inputs.clamp(min=0)) * real).sum(1)
        return total / real.sum(1).clamp(min=1)

    def embed(self, words: Tensor) -> Tensor:
        """The vectors (..., E) of words (...)."""
        return self.input(words)

    def forward(self, inputs: Tensor, outputs: Tensor) -> Tensor:
        return torch.einsum("pe,pke->pk", self.mean_input(inputs), self.output(outputs))


def pairs_of(center: Tensor, context: Tensor, architecture: str) -> tuple[Tensor, Tensor]:
    """Inputs (P, C) and targets (P,) of centers (B,) and contexts (B, W), -1 where a window ends.

    ``skipgram``: each center is the input for each word of its window. ``cbow``: the window is the input for its
    center.
    """
    if architecture == "cbow":
        some = (context >= 0).any(1)
        return context[some], center[some]
    real = context >= 0
    return center.repeat_interleave(real.sum(1))[:, None], context[real]


class Word2VecTask(WordVectors):
    """The training of word2vec in its four variants, and of fastText. Batch: center (B,), context (B, W).

    Args:
        vocab_size, softmax: See ``Word2Vec``.
        architecture: ``skipgram``: a word predicts each word of its window; ``cbow``: the window predicts the word.
        num_negatives: K, drawn words for each pair.
        noise_power: Words are drawn in proportion to their counts to this power.
        max_depth: Largest number of decisions in the Huffman tree.
        **task: See ``Task``.
    """

    own: Tensor  # (V,) and other (V,): the tables of the words that are drawn
    other: Tensor
    nodes: Tensor  # (V, max_depth)
    turns: Tensor

    def __init__(
        self,
        vocab_size: int,
        softmax: Literal["negative", "hierarchical"] = "negative",
        architecture: Literal["skipgram", "cbow"] = "skipgram",
        num_negatives: int = 5,
        noise_power: float = 0.75,
        max_depth: int = 40,
        **task: Any,
    ) -> None:
        super().__init__(**task)
        self.architecture, self.num_negatives, self.noise_power = architecture, num_negatives, noise_power
        self.softmax, self.max_depth, self.longest = softmax, max_depth, max_depth
        counts = torch.ones(vocab_size, dtype=torch.int64)
        if softmax == "negative":
            for name, table in zip(("own", "other"), alias_tables(counts), strict=True):
                self.register_buffer(name, table)
        else:
            nodes, turns = path_tables(counts.tolist(), vocab_size, max_depth)
            self.register_buffer("nodes", nodes)
            self.register_buffer("turns", turns)

    def setup(self, stage: str) -> None:
        """The words that are drawn, or the tree, by the counts of the training text.

        Raises:
            UserError: The run is in pure half precision, which has not enough digits for the probabilities of rare
                words; or several GPUs shall sum sparse gradients, which NCCL does not.
        """
        trainer, net = self._trainer, self.net
        if trainer is not None and trainer.precision in ("bf16-true", "16-true"):
            raise UserError(f"trainer.precision {trainer.precision} is too coarse for rare words: give bf16-mixed")
        cuda = trainer is not None and trainer.strategy.root_device.type == "cuda"
        if cuda and net.input.sparse and rank_and_world(self)[1] > 1:  # type: ignore[union-attr]
            raise UserError(
                "several GPUs do not sum sparse gradients: give --model.sparse false or --trainer.devices 1"
            )
        counts: Tensor | None = self.data_attribute("word_counts")
        if stage != "fit" or counts is None or not bool(counts.any()):
            return
        if self.softmax == "negative":
            tables = alias_tables(noise_weights(counts, self.noise_power))
            self.own, self.other = (table.to(self.device) for table in tables)
        else:
            real = counts[counts > 0].tolist()  # the vocabulary is by frequency: words that occur stand first
            nodes, turns = path_tables(real, len(counts), self.max_depth)
            self.nodes, self.turns = nodes.to(self.device), turns.to(self.device)

    def draw(self, *size: int) -> Tensor:
        """Words by the noise distribution, of any shape."""
        return alias_draw(self.own, self.other, *size)

    def mean_loss(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, Tensor | int]:
        """The mean over pairs; a batch without any (sentences of one word) has the loss 0."""
        inputs, targets = pairs_of(batch[0], batch[1], self.architecture)
        count = torch.tensor(float(len(targets)), device=targets.device)
        if not len(targets):
            return sum(p.sum() for p in self.net.parameters()) * 0.0, count  # type: ignore[return-value]
        if self.softmax == "negative":
            negatives = self.draw(len(targets), self.num_negatives)
            terms = self.negative_sampling(inputs, targets, negatives)
        else:
            terms = self.hierarchical_softmax(inputs, targets)
        return terms.mean(), count

    def negative_sampling(self, inputs: Tensor, targets: Tensor, negatives: Tensor) -> Tensor:
        """-log sigmoid(score of the target) - sum log sigmoid(-score of a negative), for each pair (P,)."""
        scores = at_least_float32(self(inputs, torch.cat([targets[:, None], negatives], 1)))  # (P, 1 + K)
        wrong = F.softplus(scores[:, 1:]).masked_fill(negatives == targets[:, None], 0)
        return F.softplus(-scores[:, 0]) + wrong.sum(1)

    def hierarchical_softmax(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """-log of the product of the decisions on the way to each target (P,)."""
        nodes, turns = self.nodes[targets], self.turns[targets]
        depth = int((nodes >= 0).sum(1).max())
        nodes, turns = nodes[:, :depth].long(), turns[:, :depth]
        scores = at_least_float32(self(inputs, nodes.clamp(min=0)))
        return (F.softplus(torch.where(turns, scores, -scores)) * (nodes >= 0)).sum(1)


def noise_weights(counts: Tensor, power: float) -> Tensor:
    """Counts (V,) to a power; words without a count are never drawn."""
    return torch.where(counts > 0, counts.double() ** power, 0.0)


@trains(Word2Vec)
class LitWord2Vec(Word2VecTask):
    """word2vec in its four variants."""
