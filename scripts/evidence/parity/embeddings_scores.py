"""Scores of word vectors and the n-grams of words against gensim's."""

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lit_models.embeddings.subwords import fnv1a, ngrams
from lit_models.functional.word_similarity import nearest, solve_analogies, spearman, unit
from lit_models.layers.vector_files import write_vectors
from scripts.evidence.verify import Check, Tensors

WORDS = ("where", "here", "hare", "ɔdɔ", "a", "wherever", "care")
NAMES = [f"w{k}" for k in range(40)]
QUESTIONS = [(a, a + 1, a + 2, a + 3) for a in range(30)]


def table() -> Tensor:
    torch.manual_seed(5)
    return torch.randn(40, 6).double()


def human() -> list[tuple[int, int, float]]:
    return [(i, (7 * i + 3) % 40, float((5 * i) % 11)) for i in range(30)]


def our_scores(exclude: bool = True) -> Tensors:
    vectors, pairs = table().float().double(), human()
    questions = torch.tensor(QUESTIONS)
    cosine = (unit(vectors[[a for a, _, _ in pairs]]) * unit(vectors[[b for _, b, _ in pairs]])).sum(1)
    rho = spearman(cosine, torch.tensor([s for _, _, s in pairs]))
    found = {"spearman": torch.tensor([rho], dtype=torch.float64)}
    found["nearest"], found["cosine"] = (t.double() for t in nearest(vectors, vectors[3], [3] if exclude else [], 9))
    for method in ("add", "mul"):
        found[method] = solve_analogies(vectors, questions[:, :3], method, exclude).double()  # type: ignore[arg-type]
    return found


def gensim_scores() -> Tensors:
    from gensim.models import KeyedVectors

    with tempfile.TemporaryDirectory() as folder:
        write_vectors(path := Path(folder) / "v.bin", NAMES, table(), "binary")
        vectors = KeyedVectors.load_word2vec_format(str(path), binary=True)
        (pairs := Path(folder) / "pairs.txt").write_text("".join(f"w{a}\tw{b}\t{s}\n" for a, b, s in human()))
        rho = vectors.evaluate_word_pairs(str(pairs), case_insensitive=False)[1].statistic
    near = vectors.most_similar("w3", topn=9)
    found = {"spearman": torch.tensor([rho], dtype=torch.float64)}
    found["nearest"] = torch.tensor([float(name[1:]) for name, _ in near], dtype=torch.float64)
    found["cosine"] = torch.tensor([value for _, value in near], dtype=torch.float64)
    kinds: dict[str, Callable[..., Any]] = {"add": vectors.most_similar, "mul": vectors.most_similar_cosmul}
    for name, kind in kinds.items():
        answers = [kind(positive=[f"w{b}", f"w{c}"], negative=[f"w{a}"], topn=1)[0][0] for a, b, c, _ in QUESTIONS]
        found[name] = torch.tensor([float(answer[1:]) for answer in answers], dtype=torch.float64)
    return found


def hashes(unsigned: bool = False) -> Tensors:
    def value(piece: str) -> int:
        if not unsigned:
            return fnv1a(piece)
        number = 2166136261
        for byte in piece.encode():
            number = (number ^ byte) * 16777619 & 0xFFFFFFFF
        return number

    return {word: torch.tensor([float(value(p) % 100) for p in by_place(word)], dtype=torch.float64) for word in WORDS}


def by_place(word: str) -> list[str]:
    """The n-grams and the word itself where it is short enough, in gensim's order: by place, then by length."""
    marked = f"<{word}>"
    pieces = set(ngrams(word)) | {marked}
    places = [(i, n) for i in range(len(marked)) for n in range(3, 7) if i + n <= len(marked)]
    return [marked[i : i + n] for i, n in places if marked[i : i + n] in pieces]


def gensim_hashes() -> Tensors:
    from gensim.models.fasttext import ft_ngram_hashes

    return {word: torch.tensor(ft_ngram_hashes(word, 3, 6, 100), dtype=torch.float64) for word in WORDS}


CHECKS = [
    Check(
        name="embeddings/scores",
        claim="Spearman's correlation, nearest neighbors, 3CosAdd and 3CosMul, through a binary file, against gensim",
        package="gensim",
        ours=our_scores,
        reference=gensim_scores,
        control=partial(our_scores, exclude=False),
        mistake="the words of the question may be answers, as in D2L 15.7",
        tolerance=1e-6,
        why="gensim computes cosines in single precision",
        without="gradients: scores have none",
    ),
    Check(
        name="embeddings/ngrams",
        claim="The buckets of a word's n-grams against gensim's fastText",
        package="gensim",
        ours=hashes,
        reference=gensim_hashes,
        control=partial(hashes, unsigned=True),
        mistake="bytes beyond ASCII are not signed",
        without="gradients: hashes have none",
    ),
]
