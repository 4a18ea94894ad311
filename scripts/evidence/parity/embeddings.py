"""Word vectors against plain loops: losses, gradients, counts."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from datamodules.text.word_windows import cooccurrences
from lit_models.embeddings.fasttext import LitFastText
from lit_models.embeddings.glove import LitGloVe
from lit_models.embeddings.huffman import path_tables
from lit_models.embeddings.ppmi import ppmi_matrix, singular_vectors
from lit_models.embeddings.subwords import fnv1a
from lit_models.embeddings.word2vec import LitWord2Vec, pairs_of
from scripts.evidence.verify import Check, Tensors

V, E = 7, 4
CENTER = torch.tensor([2, 0, 5])
CONTEXT = torch.tensor([[1, -1, 3, 2], [-1, -1, 4, -1], [0, 6, 6, -1]])
NEGATIVES = ((1, 1, 6), (0, 2, 3), (2, 4, 2), (4, 4, 0), (5, 1, 3), (6, 3, 6), (6, 1, 6))
COUNTS = (40, 21, 9, 9, 5, 2, 1)
WORDS = ("where", "here", "hare", "ɔdɔ", "a", "wherever", "care")


def randomized(model: Any) -> Any:
    torch.manual_seed(3)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.7)
    return model.double()


def quantities(loss: Tensor, parameters: dict[str, Tensor]) -> Tensors:
    loss.sum().backward()
    return {"loss": loss.detach()} | {f"grad {name}": p.grad for name, p in parameters.items() if p.grad is not None}


def model(softmax: str, architecture: str) -> Any:
    found: Any = LitWord2Vec(vocab_size=V, embed_size=E, softmax=softmax, architecture=architecture)  # type: ignore[arg-type]
    if softmax == "hierarchical":
        found.nodes, found.turns = path_tables(COUNTS, V, 40)
    return randomized(found)


def our_word2vec(softmax: str, architecture: str) -> Tensors:
    net = model(softmax, architecture)
    inputs, targets = pairs_of(CENTER, CONTEXT, architecture)
    if softmax == "hierarchical":
        loss = net.hierarchical_softmax(inputs, targets)
    else:
        loss = net.negative_sampling(inputs, targets, torch.tensor(NEGATIVES[: len(targets)]))
    return quantities(loss, dict(net.net.named_parameters()))


def pair_list(architecture: str) -> list[tuple[list[int], int]]:
    """Input words and the target of each pair, by loops over the windows."""
    pairs: list[tuple[list[int], int]] = []
    for center, window in zip(CENTER.tolist(), CONTEXT.tolist(), strict=True):
        words = [w for w in window if w >= 0]
        pairs += [(words, center)] if architecture == "cbow" else [([center], word) for word in words]
    return pairs


def looped_word2vec(softmax: str, architecture: str, mistake: str = "") -> Tensors:
    """One dot product at a time."""
    weights = {
        name: p.detach().clone().requires_grad_() for name, p in model(softmax, architecture).net.named_parameters()
    }
    loss = []
    for number, (inputs, target) in enumerate(pair_list(architecture)):
        size = CONTEXT.shape[1] if mistake == "padding" else len(inputs)
        vector = sum((weights["input.weight"][w] for w in inputs), torch.zeros(E, dtype=torch.float64)) / size
        if softmax == "negative":
            scores = [(weights["output.weight"][target] @ vector, True)]
            scores += [
                (weights["output.weight"][w] @ vector, False)
                for w in NEGATIVES[number]
                if w != target or mistake == "collisions"
            ]
        else:
            scores = [(weights["output.weight"][node] @ vector, not turn) for node, turn in walk(target)]
            scores = scores[1:] if mistake == "root" else scores
        logs = [torch.log(torch.sigmoid(s if right else -s)) for s, right in scores]
        loss.append(-sum(logs, torch.zeros((), dtype=torch.float64)))
    return quantities(torch.stack(loss), weights)


def walk(word: int) -> list[tuple[int, bool]]:
    """The decisions from the root to a word, of a tree that is built by merging sets of words."""
    sets = [(count, k, {k}) for k, count in enumerate(COUNTS)]
    path: list[tuple[int, bool]] = []
    for node in range(V - 1):
        sets.sort(key=lambda entry: entry[:2])
        (low, _, left), (high, _, right) = sets[:2]
        if word in left | right:
            path.append((node, word in right))
        sets = [*sets[2:], (low + high, V + node, left | right)]
    return path[::-1]


def our_fasttext() -> Tensors:
    task: Any = randomized(LitFastText(vocab_size=V, embed_size=E, buckets=11, shortest=3, longest=4))
    task.net.spell(WORDS)
    inputs, targets = pairs_of(CENTER, CONTEXT, "cbow")
    loss = task.negative_sampling(inputs, targets, torch.tensor(NEGATIVES[: len(targets)]))
    return quantities(loss, dict(task.net.named_parameters()))


def looped_fasttext(divide: bool = True) -> Tensors:
    task: Any = randomized(LitFastText(vocab_size=V, embed_size=E, buckets=11, shortest=3, longest=4))
    weights = {name: p.detach().clone().requires_grad_() for name, p in task.net.named_parameters()}

    def vector(word: int) -> Tensor:
        marked, parts = f"<{WORDS[word]}>", [weights["input.weight"][word]]
        for i in range(len(marked)):
            for n in (3, 4):
                if i + n <= len(marked) and n < len(marked):
                    parts.append(weights["pieces.weight"][fnv1a(marked[i : i + n]) % 11])
        return torch.stack(parts).sum(0) / (len(parts) if divide else 1)

    loss = []
    for number, (inputs, target) in enumerate(pair_list("cbow")):
        hidden = torch.stack([vector(w) for w in inputs]).mean(0)
        terms = [-torch.log(torch.sigmoid(weights["output.weight"][target] @ hidden))]
        for w in NEGATIVES[number]:
            if w != target:
                terms.append(-torch.log(torch.sigmoid(-(weights["output.weight"][w] @ hidden))))
        loss.append(sum(terms))
    return quantities(torch.stack(loss), weights)  # type: ignore[arg-type]


PAIRS = ((0, 1, 250.0), (1, 0, 250.0), (2, 5, 3.0), (6, 6, 0.5), (4, 3, 100.0))


def our_glove() -> Tensors:
    task: Any = randomized(LitGloVe(vocab_size=V, embed_size=E))
    rows, columns, counts = zip(*PAIRS, strict=True)
    batch = (torch.tensor(rows), torch.tensor(columns), torch.tensor(counts, dtype=torch.float64))
    return quantities(task.mean_loss(batch)[0][None], dict(task.net.named_parameters()))


def looped_glove(cap: bool = True) -> Tensors:
    task: Any = randomized(LitGloVe(vocab_size=V, embed_size=E))
    w = {name: p.detach().clone().requires_grad_() for name, p in task.net.named_parameters()}
    total = torch.zeros((), dtype=torch.float64)
    for i, j, x in PAIRS:
        weight = (x / 100) ** 0.75 if x < 100 or not cap else 1.0
        dot = sum(w["word.weight"][i, e] * w["context.weight"][j, e] for e in range(E))
        total = total + weight * (dot + w["word_bias.weight"][i, 0] + w["context_bias.weight"][j, 0] - math.log(x)) ** 2
    return quantities((total / len(PAIRS))[None], w)


TEXT = torch.tensor([0, 1, 2, 0, 3, 1, 4, 5, 6, 0, 2, 2, 1, 3, 6, 5])
SENTENCE = torch.tensor([0] * 6 + [1] * 5 + [2] * 5)


def our_ppmi() -> Tensors:
    counts = cooccurrences(TEXT.int(), SENTENCE, 3, V)
    dense = torch.zeros(V, V, dtype=torch.float64)
    dense[counts[0].long(), counts[1].long()] = counts[2].double()
    matrix = ppmi_matrix(counts, V, shift=1.2)
    u = singular_vectors(matrix, 3)
    return {"counts": dense, "ppmi": torch.from_numpy(matrix.toarray()), "dots": u @ u.T}


def looped_ppmi(across: bool = False) -> Tensors:
    counts = np.zeros((V, V))
    for i, a in enumerate(TEXT.tolist()):
        for j, b in enumerate(TEXT.tolist()):
            if 0 < abs(i - j) <= 3 and (across or SENTENCE[i] == SENTENCE[j]):
                counts[a, b] += np.float32(1 / abs(i - j))
    ppmi = np.zeros((V, V))
    smooth = counts.sum(0) ** 0.75
    for a in range(V):
        for b in range(V):
            if counts[a, b]:
                ppmi[a, b] = max(
                    0.0,
                    math.log(counts[a, b] / counts[a].sum()) - math.log(smooth[b] / smooth.sum()) - math.log(1.2),
                )
    u, s, _ = np.linalg.svd(ppmi)
    low = u[:, :3] * np.sqrt(s[:3])
    return {"counts": torch.from_numpy(counts), "ppmi": torch.from_numpy(ppmi), "dots": torch.from_numpy(low @ low.T)}


def loops(name: str, claim: str, ours: Callable[[], Tensors], reference: Callable[..., Tensors], **wrong: Any) -> Check:
    said = wrong.pop("said")
    control = partial(reference, **wrong)
    return Check(f"embeddings/{name}", claim, "torch", ours, reference, control, said)


CHECKS = [
    *(
        loops(
            f"{architecture}_{softmax}",
            f"word2vec's loss per pair, {architecture}, {softmax}, against a loop over pairs",
            partial(our_word2vec, softmax, architecture),
            partial(looped_word2vec, softmax, architecture),
            mistake=mistake,
            said=said,
        )
        for architecture, softmax, mistake, said in (
            ("skipgram", "negative", "collisions", "a negative that is the target counts as wrong"),
            ("cbow", "negative", "padding", "the window's mean includes its padding"),
            ("skipgram", "hierarchical", "root", "the decision at the root is left out"),
            ("cbow", "hierarchical", "padding", "the window's mean includes its padding"),
        )
    ),
    loops(
        "fasttext",
        "fastText's loss per pair against a loop over n-grams",
        our_fasttext,
        looped_fasttext,
        divide=False,
        said="the sum of the parts, not their mean",
    ),
    loops(
        "glove", "GloVe's loss against a loop over pairs", our_glove, looped_glove, cap=False, said="weights above 1"
    ),
    Check(
        name="embeddings/ppmi",
        claim="Counts of neighbors, PPMI and its singular vectors' products against loops and a dense SVD",
        package="numpy",
        ours=our_ppmi,
        reference=looped_ppmi,
        control=partial(looped_ppmi, across=True),
        mistake="windows go on into the next sentence",
        tolerance=1e-6,
        why="counts are kept in single precision",
        without="gradients: a closed form has none",
    ),
]
