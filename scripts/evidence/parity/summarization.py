"""Summarization: the pointer-generator word by word by the paper's equations, TextRank's ranks against networkx, the
classifier of sentences against transformers.
"""

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lit_models.summarization.extractive import ExtractiveBert
from lit_models.summarization.pointer_generator import LitPointerGenerator, PointerGenerator
from lit_models.summarization.textrank import likeness, pagerank
from scripts.evidence.parity.bert import LENGTH, SEP, SIZES, gradients, hugging_face
from scripts.evidence.verify import Check, Tensors

V, E, H, COPIED = 8, 4, 6, 3
#: Ids from 8 on are beyond the vocabulary; two rows have one of them twice, and one has more than can be copied.
SOURCE = torch.tensor([[4, 12, 5, 30, 12, 2], [9, 6, 9, 2, 0, 0], [20, 21, 22, 23, 7, 2]])
SOURCE_LENGTH = torch.tensor([6, 4, 6])
TARGET_IN = torch.tensor([[1, 12, 5, 30], [1, 9, 0, 0], [1, 22, 23, 7]])
TARGET = torch.tensor([[12, 5, 30, 2], [9, 2, 0, 0], [22, 23, 7, 2]])
REAL = TARGET > 0


def network() -> Any:
    """In evaluation, with every parameter drawn."""
    torch.manual_seed(2)
    net = PointerGenerator(V, V, E, H, COPIED).double().eval()
    for parameter in net.parameters():
        nn.init.normal_(parameter, std=0.5)
    return net


def our_pointer() -> Tensors:
    net = network()
    sizes = {"embed_size": E, "hidden_size": H, "max_copied": COPIED}
    task = LitPointerGenerator(source_vocab_size=V, target_vocab_size=V, **sizes)
    task.net = net
    nll, twice, _ = task.losses((SOURCE, SOURCE_LENGTH, TARGET_IN, TARGET))
    (nll + twice).backward()
    found = {"P": net(SOURCE, SOURCE_LENGTH, TARGET_IN)[REAL].exp(), "nll": nll, "coverage loss": twice}
    return {name: value.detach() for name, value in found.items()} | gradients(net)


def lstm(x: Tensor, h: Tensor, c: Tensor, weights: list[Tensor]) -> tuple[Tensor, Tensor]:
    """One step: x (E,), state and cell (H,) -> state and cell."""
    w, u, b, d = weights
    gates = (w @ x + b + u @ h + d).chunk(4)
    i, f, o = (torch.sigmoid(gates[k]) for k in (0, 1, 3))
    c = f * c + i * torch.tanh(gates[2])
    return o * torch.tanh(c), c


def encoded(net: Any, words: list[int]) -> tuple[list[Tensor], Tensor, Tensor]:
    """The outputs of a source's words in both directions, and the last state and cell of both."""
    sides, ends = [], []
    for suffix, order in (("", words), ("_reverse", words[::-1])):
        names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
        weights = [getattr(net.encoder, name + suffix) for name in names]
        h = c = torch.zeros(H // 2, dtype=torch.float64)
        outputs = []
        for word in order:
            h, c = lstm(net.embedding.weight[word if word < V else 3], h, c, weights)
            outputs.append(h)
        sides.append(outputs if not suffix else outputs[::-1])
        ends.append((h, c))
    (h, c), (g, d) = ends
    return [torch.cat(pair) for pair in zip(*sides, strict=True)], torch.cat([h, g]), torch.cat([c, d])


def pointer(once: bool = False, late: bool = False) -> Tensors:
    """Or wrong: a word that stands twice is copied from one place only; the coverage has the present step too."""
    net = network()
    cell = [net.decoder.weight_ih, net.decoder.weight_hh, net.decoder.bias_ih, net.decoder.bias_hh]
    probabilities: list[Tensor] = []
    nll, twice = [], []
    for row in range(len(SOURCE)):
        words = SOURCE[row, : int(SOURCE_LENGTH[row])].tolist()
        outputs, h, c = encoded(net, words)
        beyond = list(dict.fromkeys(word for word in words if word >= V))[:COPIED]
        entry = {word: V + k for k, word in enumerate(beyond)}
        context, coverage = torch.zeros(H, dtype=torch.float64), torch.zeros(len(words), dtype=torch.float64)
        for t in range(int(REAL[row].sum())):
            before = int(TARGET_IN[row, t])
            given = net.embedding.weight[before if before < V else 3]
            x = net.reduce.weight @ torch.cat([given, context]) + net.reduce.bias
            h, c = lstm(x, h, c, cell)
            energies = [
                net.score.weight[0]
                @ torch.tanh(net.key.weight @ o + net.query.weight @ h + net.query.bias + net.covered * coverage[i])
                for i, o in enumerate(outputs)
            ]
            exponents = torch.stack(energies).exp()
            attention = exponents / exponents.sum()
            context = sum(a * o for a, o in zip(attention, outputs, strict=True))  # type: ignore[assignment]
            logits = (net.head.weight @ torch.cat([h, context]) + net.head.bias).exp()
            p_gen = torch.sigmoid(net.pointer.weight[0] @ torch.cat([h, context, x]) + net.pointer.bias[0])
            p = [p_gen * value for value in logits / logits.sum()] + [torch.zeros_like(p_gen)] * COPIED
            for i, word in enumerate(words):
                place = word if word < V else entry.get(word, 3)
                share = (1 - p_gen) * attention[i]
                p[place] = share if once and word in words[:i] else p[place] + share
            if late:
                coverage = coverage + attention
            twice.append(torch.minimum(attention, coverage).sum())
            coverage = coverage if late else coverage + attention
            true = int(TARGET[row, t])
            nll.append(-p[true if true < V else entry.get(true, 3)].log())
            probabilities.append(torch.stack(p).clamp(min=1e-30))
    found = {
        "P": torch.stack(probabilities),
        "nll": torch.stack(nll).mean(),
        "coverage loss": torch.stack(twice).mean(),
    }
    (found["nll"] + found["coverage loss"]).backward()
    return {name: value.detach() for name, value in found.items()} | gradients(net)


SENTENCES = [
    "Nairobi is the capital of Kenya.",
    "Kenya has a coast, and Nairobi lies far from the coast.",
    "The capital of Uganda is Kampala.",
    "Fish!",
    "ናይሮቢ የኬንያ ዋና ከተማ ናት።",
    "የኬንያ ዋና ከተማ ስም ናይሮቢ ነው።",
]


def our_ranks() -> Tensors:
    return {"ranks": pagerank(likeness(SENTENCES))}


def their_ranks(weighted: bool = True) -> Tensors:
    import networkx

    graph = networkx.Graph()
    graph.add_nodes_from(range(len(SENTENCES)))
    for i, j in likeness(SENTENCES).nonzero().tolist():
        graph.add_edge(i, j, weight=float(likeness(SENTENCES)[i, j]))
    ranks = networkx.pagerank(graph, alpha=0.85, tol=1e-14, max_iter=10_000, weight="weight" if weighted else None)
    return {"ranks": torch.tensor([ranks[i] for i in range(len(SENTENCES))], dtype=torch.float64)}


def rows() -> Tensor:
    """Documents of four, two and one sentences."""
    found = [[2, 7, 8, 3, 2, 11, 3, 2, 9, 12, 13, 3, 2, 5, 3], [2, 5, 14, 3, 2, 6, 3], [2, 14, 15, 16, 3]]
    return nn.utils.rnn.pad_sequence([torch.tensor(row) for row in found], batch_first=True)


CHOSEN = torch.tensor([1.0, 0.0, 0.0, 1.0, 0.0, 1.0, 1.0], dtype=torch.float64)


def dense() -> nn.Linear:
    torch.manual_seed(4)
    return nn.Linear(SIZES["hidden_size"], 1).double()


def our_extractive() -> Tensors:
    more: dict[str, Any] = {**SIZES, "num_classes": 1, "max_length": LENGTH, "dropout": 0.0, "sep_id": SEP}
    net = ExtractiveBert(**more, pooling="mean").double()
    net.load_state_dict(net.from_published(hugging_face("BertModel").state_dict()), strict=False)
    net.classifier.load_state_dict(dense().state_dict())
    logits = net(rows())[net.begins(rows())]
    loss = F.binary_cross_entropy_with_logits(logits, CHOSEN)
    loss.backward()
    return {"logits": logits, "loss": loss} | gradients(net.bert)


def their_extractive(alternating: bool = True) -> Tensors:
    """Or wrong: all sentences behind the first are of the second segment, as in a pair of sentences."""
    net, head, x = hugging_face("BertModel"), dense(), rows()
    number = (x == SEP).long().cumsum(1) - (x == SEP).long()
    segments = (number % 2 if alternating else number.clamp(max=1)) * (x != 0)
    states = net(input_ids=x, attention_mask=(x != 0).long(), token_type_ids=segments).last_hidden_state
    logits = torch.cat(
        [
            head(states[row][(number[row] == k) & (x[row] != 0)].mean(0))
            for row in range(len(x))
            for k in range(int((x[row] == SEP).sum()))
        ]
    )
    loss = F.binary_cross_entropy_with_logits(logits, CHOSEN)
    loss.backward()
    found = {name: g for name, g in gradients(net).items() if "pooler" not in name}
    return {"logits": logits, "loss": loss} | found


BY_WORD = "The pointer-generator's distribution, losses and gradients against the paper's equations, word by word"
CHECKS = [
    Check(
        name="summarization/pointer_generator",
        claim=BY_WORD,
        package="torch",
        ours=our_pointer,
        reference=pointer,
        control=partial(pointer, once=True),
        mistake="a word that stands twice is copied from one place only",
    ),
    Check(
        name="summarization/coverage",
        claim=BY_WORD,
        package="torch",
        ours=our_pointer,
        reference=pointer,
        control=partial(pointer, late=True),
        mistake="the coverage loss compares the attention with itself: the present step is in the coverage",
    ),
    Check(
        name="summarization/textrank",
        claim="TextRank's ranks of six sentences in two scripts against networkx's PageRank",
        package="networkx",
        ours=our_ranks,
        reference=their_ranks,
        control=partial(their_ranks, weighted=False),
        mistake="an edge counts the same however alike its sentences are",
        without="gradients: nothing is learned",
    ),
    Check(
        name="summarization/extractive",
        claim="Sentences of documents, alternating segments and means over a sentence against BertModel: logits, loss, "
        "gradients",
        package="transformers",
        ours=our_extractive,
        reference=their_extractive,
        control=partial(their_extractive, alternating=False),
        mistake="two segments, as of a pair of sentences",
    ),
]
