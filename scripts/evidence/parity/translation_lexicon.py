"""The lexicon of few pairs: IBM model 1 against NLTK's, and its part in the logits against PyTorch's attention."""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from common.ibm_model_1 import ibm_model_1
from lit_models.translation.lexical import LexicalTransformer
from scripts.evidence.verify import Check, Tensors

WORDS, NONE, ROUNDS = 12, 12, 6  # of each language; the source word of no word; of expectation maximization
V, K = 11, 3


def sentences() -> tuple[list[list[int]], list[list[int]]]:
    """Pairs of sentences of 1 to 6 different words."""
    draw = np.random.default_rng(0)
    sides: list[list[list[int]]] = [
        [draw.choice(WORDS, n, replace=False).tolist() for n in draw.integers(1, 7, 40)] for _ in range(2)
    ]
    return sides[0], sides[1]


def our_table() -> Tensors:
    sources, targets = sentences()
    found = ibm_model_1([np.array([*row, NONE]) for row in sources], [np.array(row) for row in targets], ROUNDS)
    table = torch.zeros(WORDS + 1, WORDS, dtype=torch.float64)
    table[found[0], found[1]] = torch.from_numpy(found[2])
    return {"t(target | source)": table}


def their_table(backwards: bool = False) -> Tensors:
    """NLTK's; or with the languages exchanged, t(source | target)."""
    from nltk.translate import AlignedSent, IBMModel1

    sources, targets = sentences()
    sides = (sources, targets) if backwards else (targets, sources)
    model = IBMModel1([AlignedSent(*pair) for pair in zip(*sides, strict=True)], ROUNDS)
    names = [*range(WORDS), None]
    met = {
        (s, t)
        for row, other in zip(sources, targets, strict=True)
        for s in ([*other] if backwards else [*row]) + [None]
        for t in ([*row] if backwards else [*other])
    }
    table = [[model.translation_table[t][s] if (s, t) in met else 0.0 for t in range(WORDS)] for s in names]
    return {"t(target | source)": torch.tensor(table, dtype=torch.float64)}


def network() -> LexicalTransformer:
    net = LexicalTransformer(V, V, 16, 1, 2, 24, 0.0, candidates=K).double().eval()
    net.lexicon_ids = torch.stack([torch.randperm(V)[:K] for _ in range(V)])
    net.lexicon_probability = torch.rand(V, K, dtype=torch.float64) / K
    return net


def batch() -> tuple[Tensor, Tensor, Tensor]:
    return torch.randint(3, V, (3, 6)), torch.tensor([6, 4, 1]), torch.randint(3, V, (3, 5))


def with_gradients(net: LexicalTransformer, logits: Tensor, target: Tensor) -> Tensors:
    F.cross_entropy(logits.flatten(0, 1), target.flatten()).backward()
    return {"logits": logits} | {f"grad {n}": p.grad for n, p in net.named_parameters() if p.grad is not None}


def our_logits() -> Tensors:
    net, (source, length, target) = network(), batch()
    return with_gradients(net, net(source, length, target), target)


def their_logits(own: bool = False) -> Tensors:
    """The rows of the whole table are the values of an attention; or wrong: each source token proposes itself."""
    net, (source, length, target) = network(), batch()
    table = torch.zeros(V, V, dtype=torch.float64).scatter_(1, net.lexicon_ids, net.lexicon_probability)
    memory = net.encode(source, length)
    x = net.decoded(target, memory, None)
    values = F.one_hot(source, V).double() if own else table[source]  # (B, S, V)
    real = (torch.arange(source.shape[1]) < length[:, None])[:, None]
    query, key = net.lexicon_query(x), net.lexicon_key(memory[0])
    proposed = F.scaled_dot_product_attention(query, key, values, real)
    return with_gradients(net, net.head(x) + (proposed + net.epsilon).log(), target)


CHECKS = [
    Check(
        name="translation/ibm_model_1",
        claim="IBM model 1 after six rounds of expectation maximization, by nltk.translate.IBMModel1",
        package="nltk",
        ours=our_table,
        reference=their_table,
        control=lambda: their_table(backwards=True),
        mistake="the languages exchanged",
        without="gradients: it counts",
    ),
    Check(
        name="translation/lexical",
        claim="LexicalTransformer: logits and gradients, by scaled_dot_product_attention to rows of the whole lexicon",
        package="torch",
        ours=our_logits,
        reference=their_logits,
        control=lambda: their_logits(own=True),
        mistake="each source token proposes itself",
    ),
]
