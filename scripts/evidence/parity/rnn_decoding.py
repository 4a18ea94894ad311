"""Beam search against exhaustive search, sampling filters and BLEU against libraries, attention against einsum."""

from collections.abc import Callable
from functools import partial
from itertools import product
from typing import Any

import torch
from torch import Tensor, nn

from lit_models.functional.beam import beam_search
from lit_models.functional.bleu import book_bleu, corpus_bleu
from lit_models.functional.decoding import OUT, Sampling
from lit_models.layers.attention import AdditiveAttention
from scripts.evidence.verify import Check, Tensors

V, T, END, ALPHA = 4, 3, 0, 0.75


def step(tokens: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
    """A random model that remembers everything: the state numbers the prefix."""
    table = 2 * torch.randn(V**T * 8, V, generator=torch.Generator().manual_seed(6), dtype=torch.float64)
    state = (state * V + tokens + 1) % len(table)
    return table.log_softmax(1)[state], state


def searched(width: int) -> Tensors:
    last, state = torch.tensor([1, 2, 3]), torch.tensor([0, 5, 11])
    best = [found[0] for found in beam_search(step, last, state, width, T, END, ALPHA)]
    tokens = torch.tensor([h.tokens + [-1] * (T - len(h.tokens)) for h in best]).double()
    return {"tokens": tokens, "score": torch.tensor([h.score for h in best], dtype=torch.float64)}


def tried() -> Tensors:
    """Every output of at most T tokens, scored one by one."""
    tokens, scores = [], []
    for last, state in ((1, 0), (2, 5), (3, 11)):
        every = []
        for output in {cut(words) for words in product(range(V), repeat=T)}:
            token, inner, log_p = torch.tensor([last]), torch.tensor([state]), 0.0
            for word in output:
                p, inner = step(token, inner)
                log_p, token = log_p + float(p[0, word]), torch.tensor([word])
            every.append((log_p / len(output) ** ALPHA, output))
        score, output = max(every)
        tokens.append([*output, *[-1] * (T - len(output))])
        scores.append(score)
    return {"tokens": torch.tensor(tokens).double(), "score": torch.tensor(scores, dtype=torch.float64)}


def cut(words: tuple[int, ...]) -> tuple[int, ...]:
    return words[: words.index(END) + 1] if END in words else words


# -- sampling ---------------------------------------------------------------------------------------------------------

SETTINGS: dict[str, Any] = {
    "temperature": 0.7,
    "top_k": 12,
    "top_p": 0.8,
    "min_p": 0.05,
    "repetition_penalty": 1.3,
}


def scores() -> tuple[Tensor, Tensor]:
    torch.manual_seed(5)
    return 2 * torch.randn(6, 40), torch.randint(40, (6, 9))


def distribution(filtered: Tensor) -> Tensors:
    return {"probabilities": filtered.softmax(1).double(), "kept": filtered.gt(OUT).double()}


def our_filter() -> Tensors:
    return distribution(Sampling(**SETTINGS).filter(*scores()))


def their_filter(penalty_last: bool = False) -> Tensors:
    from transformers.generation import logits_process as hf

    logits, history = scores()
    penalty = hf.RepetitionPenaltyLogitsProcessor(SETTINGS["repetition_penalty"])
    others = [
        hf.TemperatureLogitsWarper(SETTINGS["temperature"]),
        hf.TopKLogitsWarper(SETTINGS["top_k"]),
        hf.TopPLogitsWarper(SETTINGS["top_p"]),
        hf.MinPLogitsWarper(SETTINGS["min_p"]),
    ]
    for process in [*others, penalty] if penalty_last else [penalty, *others]:
        logits = process(history, logits)
    return distribution(logits)


# -- BLEU -------------------------------------------------------------------------------------------------------------

OUTPUTS = ["the cat sat on the mat .", "he 's calm now", "a b b c d", "go there"]
REFERENCES = ["the cat is on the mat .", "he is calm now", "a b c d e f", "go there now !"]


def bleu(score: Callable[[], float]) -> Tensors:
    return {"bleu": torch.tensor([score()], dtype=torch.float64)}


def papineni() -> float:
    """Corpus BLEU-4 by its definition: clipped counts of the whole corpus, one brevity penalty."""
    import math
    from collections import Counter

    total, right, length, true_length = [0] * 4, [0] * 4, 0, 0
    for output, reference in zip(OUTPUTS, REFERENCES, strict=True):
        a, b = output.split(), reference.split()
        length, true_length = length + len(a), true_length + len(b)
        for n in range(1, 5):
            have, want = (Counter(tuple(s[i : i + n]) for i in range(len(s) - n + 1)) for s in (a, b))
            total[n - 1] += sum(have.values())
            right[n - 1] += sum(min(count, want[gram]) for gram, count in have.items())
    brevity = min(1.0, math.exp(1 - true_length / length))
    return 100 * brevity * math.exp(sum(math.log(r / t) for r, t in zip(right, total, strict=True)) / 4)


def mean_of_sentences() -> float:
    return 100 * sum(book_bleu(o, r, 4) for o, r in zip(OUTPUTS, REFERENCES, strict=True)) / len(OUTPUTS)


# -- additive attention -----------------------------------------------------------------------------------------------


def attention() -> tuple[AdditiveAttention, Tensor, Tensor, Tensor]:
    torch.manual_seed(6)
    net = AdditiveAttention(3, 4, 5).double()
    keys = torch.randn(2, 6, 4, dtype=torch.float64, requires_grad=True)
    return net, torch.randn(2, 3, dtype=torch.float64), keys, torch.tensor([6, 2])


def our_attention() -> Tensors:
    net, query, keys, length = attention()
    context, weights = net(query[:, None], keys, keys, (torch.arange(6) < length[:, None])[:, None])
    return attention_quantities(context[:, 0], weights[:, 0], keys, net)


def their_attention(masked: bool = True) -> Tensors:
    """By einsum over each real key, one row after the other."""
    net, query, keys, length = attention()
    rows = []
    for i in range(2):
        real = int(length[i]) if masked else 6
        hidden = (net.query(query[i]) + torch.einsum("hd,sd->sh", net.key.weight, keys[i, :real])).tanh()
        rows.append(nn.functional.pad(torch.einsum("h,sh->s", net.score.weight[0], hidden).softmax(0), (0, 6 - real)))
    weights = torch.stack(rows)
    return attention_quantities(torch.einsum("bs,bsd->bd", weights, keys), weights, keys, net)


def attention_quantities(context: Tensor, weights: Tensor, keys: Tensor, net: nn.Module) -> Tensors:
    context.square().sum().backward()
    found: Any = {"context": context, "weights": weights, "grad keys": keys.grad}
    return found | {f"grad {name}": p.grad for name, p in net.named_parameters()}


CHECKS = [
    Check(
        name="rnn/beam_search",
        without="gradients: tokens have none",
        claim="Beam search with a beam of all prefixes against every output tried, with length penalty",
        package="torch",
        ours=partial(searched, V ** (T - 1)),
        reference=tried,
        control=partial(searched, 1),
        mistake="greedy search",
    ),
    Check(
        name="rnn/sampling",
        without="gradients: filters have none",
        claim="Repetition penalty, temperature, top-k, top-p and min-p against transformers' processors",
        package="transformers",
        ours=our_filter,
        reference=their_filter,
        control=partial(their_filter, penalty_last=True),
        mistake="the repetition penalty applied last",
        tolerance=1e-6,
        why="transformers' processors on float32 scores",
    ),
    Check(
        name="rnn/bleu",
        without="gradients: a count has none",
        claim="Corpus BLEU as reported (sacreBLEU) against Papineni's definition",
        package="sacrebleu",
        ours=partial(bleu, lambda: corpus_bleu(OUTPUTS, REFERENCES)[0]),
        reference=partial(bleu, papineni),
        control=partial(bleu, mean_of_sentences),
        mistake="the mean of the book's sentence scores",
    ),
    Check(
        name="rnn/additive_attention",
        claim="Additive attention with a mask against the sums written out over each source's real keys",
        package="torch",
        ours=our_attention,
        reference=their_attention,
        control=partial(their_attention, masked=False),
        mistake="padding is attended to",
    ),
]
