"""The LSTM against packed sequences of torch, decomposable attention against each pair alone, word by word."""

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from lit_models.text.bilstm import BiLSTM
from lit_models.text.decomposable_attention import DecomposableAttention
from scripts.evidence.verify import Check, Tensors

TEXTS = ([5, 3, 8, 2, 2, 9, 4], [7], [1, 6, 3], [3, 9, 9, 1, 4])  # 0 is padding
TARGETS = torch.tensor([2, 0, 1, 1])
E, H = 6, 4


def lstm() -> BiLSTM:
    torch.manual_seed(2)
    return BiLSTM(10, 3, embed_size=E, hidden_size=H).double()


def padded() -> Tensor:
    return torch.tensor([text + [0] * (9 - len(text)) for text in TEXTS])


def our_lstm() -> Tensors:
    net = lstm()
    logits = net(padded())
    F.cross_entropy(logits, TARGETS).backward()
    found: Any = {"logits": logits.detach()}
    for i, layer in enumerate(net.layers):
        for side, reverse in ((layer.onward, ""), (layer.backward_, "_reverse")):
            found |= {f"grad {n.replace('l0', f'l{i}')}{reverse}": p.grad for n, p in side.named_parameters()}  # type: ignore[union-attr,operator]
    return found | {"grad embedding": net.embedding.weight.grad}


def their_lstm(packed: bool = True) -> Tensors:
    """``nn.LSTM`` of both directions; without packing it reads padding, as the book."""
    net = lstm()
    theirs = nn.LSTM(E, H, num_layers=2, batch_first=True, bidirectional=True).double()
    weights = dict(theirs.named_parameters())
    with torch.no_grad():
        for i, layer in enumerate(net.layers):
            for side, reverse in ((layer.onward, ""), (layer.backward_, "_reverse")):
                for name, p in side.named_parameters():  # type: ignore[union-attr,operator]
                    weights[name.replace("l0", f"l{i}") + reverse].copy_(p)
    length = torch.tensor([len(text) for text in TEXTS])
    x = net.embedding(padded())
    if packed:
        out, _ = theirs(pack_padded_sequence(x, length, batch_first=True, enforce_sorted=False))
        y, _ = pad_packed_sequence(out, batch_first=True)
        last = y[torch.arange(len(y)), length - 1]
    else:
        y, _ = theirs(x)
        last = y[:, -1]
    logits = net.head(torch.cat([y[:, 0], last], 1))
    F.cross_entropy(logits, TARGETS).backward()
    found: Any = {"logits": logits.detach()} | {f"grad {name}": p.grad for name, p in weights.items()}
    return found | {"grad embedding": net.embedding.weight.grad}


# -- decomposable attention ------------------------------------------------------------------------------------------

PAIRS = (([5, 6, 7, 5], [8, 6]), ([9], [5, 4, 4, 8, 7]), ([4, 9, 6], [9]), ([7, 7], [6, 5, 4]))


def attention() -> DecomposableAttention:
    torch.manual_seed(3)
    net = DecomposableAttention(10, 3, embed_size=E, hidden_size=H, dropout=0.0).double()
    for p in net.parameters():
        nn.init.normal_(p, std=0.7)  # biases too, so that padding would be noticed
    with torch.no_grad():
        net.embedding.weight[0] = 0
    return net


def our_attention() -> Tensors:
    net = attention()
    rows = [torch.tensor([2, *a, 3, *b, 3]) for a, b in PAIRS]
    logits = net(nn.utils.rnn.pad_sequence(rows, batch_first=True))
    return learned(net, logits)


def learned(net: DecomposableAttention, logits: Tensor) -> Tensors:
    F.cross_entropy(logits, TARGETS).backward()
    found: Any = {"logits": logits.detach()} | {f"grad {n}": p.grad for n, p in net.named_parameters()}
    return found


def pair_by_pair(padding: int = 0) -> Tensors:
    """Each pair alone, in loops over its words; with ``padding`` each sentence ends with so many pads, as the book."""
    net = attention()

    def dense(parts: Any, x: Tensor) -> Tensor:
        first, second = (part for part in parts if isinstance(part, nn.Linear))
        return torch.relu(second.weight @ torch.relu(first.weight @ x + first.bias) + second.bias)

    rows = []
    for words in PAIRS:
        a, b = ([net.embedding.weight[w] for w in side + [0] * padding] for side in words)
        scores = [[dense(net.attend, x) @ dense(net.attend, y) / H**0.5 for y in b] for x in a]
        beta = [sum(w * y for w, y in zip(torch.stack(row).softmax(0), b, strict=True)) for row in scores]
        columns = [torch.stack([row[j] for row in scores]) for j in range(len(b))]
        alpha = [sum(w * x for w, x in zip(column.softmax(0), a, strict=True)) for column in columns]
        first = sum(dense(net.compare, torch.cat([x, other])) for x, other in zip(a, beta, strict=True))  # type: ignore[list-item]
        second = sum(dense(net.compare, torch.cat([y, other])) for y, other in zip(b, alpha, strict=True))  # type: ignore[list-item]
        rows.append(net.head(dense(net.aggregate, torch.cat([first, second]))))  # type: ignore[list-item]
    return learned(net, torch.stack(rows))


CHECKS = [
    Check(
        name="text/bilstm",
        claim="A bidirectional LSTM on a padded batch against nn.LSTM on packed sequences: logits, all gradients",
        package="torch",
        ours=our_lstm,
        reference=their_lstm,
        control=partial(their_lstm, packed=False),
        mistake="padding is read, as in D2L 16.2",
    ),
    Check(
        name="text/decomposable_attention",
        claim="Attend, compare, aggregate on a padded batch against each pair alone, word by word: logits, gradients",
        package="torch",
        ours=our_attention,
        reference=pair_by_pair,
        control=partial(pair_by_pair, padding=2),
        mistake="padding is attended to and compared, as in D2L 16.5",
    ),
]
