"""Networks on text against independent implementations: TextCNN text by text, without a batch and without padding."""

from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from lit_models.text.text_cnn import TextCNN
from scripts.evidence.verify import Check, Tensors

TEXTS = ([5, 3, 8, 2, 2, 9, 4], [7], [1, 6, 3], [3, 9, 9, 1, 4])  # 0 is padding


def network(frozen: bool) -> TextCNN:
    torch.manual_seed(2)
    net = TextCNN(10, 3, embed_size=6, kernel_sizes=(2, 3, 5), num_channels=4, dropout=0.0, frozen=frozen).double()
    for conv in net.convs:
        torch.nn.init.ones_(conv.bias)  # type: ignore[arg-type]  # so that windows of padding would be noticed
    return net


def quantities(logits: Tensor, parameters: dict[str, Tensor]) -> Tensors:
    F.cross_entropy(logits, torch.tensor([2, 0, 1, 1])).backward()
    found: Any = {"logits": logits.detach()}
    return found | {f"grad {name}": p.grad for name, p in parameters.items() if p.requires_grad}


def ours(frozen: bool) -> Tensors:
    net = network(frozen)
    tokens = torch.tensor([text + [0] * (9 - len(text)) for text in TEXTS])
    return quantities(net(tokens), dict(net.named_parameters()))


def one_by_one(frozen: bool, pooling: str = "max", padded: int = 0) -> Tensors:
    """Each text alone: every window of its own words and zeros beyond its ends, one product each, the largest kept.

    Args:
        frozen: Two tables.
        pooling: ``max``; or ``mean``, as in the book.
        padded: Length that texts are filled up to, with the network's outputs on padding included: the error.
    """
    learned = {name: p.detach().clone() for name, p in network(frozen).named_parameters()}
    for name, p in learned.items():
        p.requires_grad_(not name.startswith("frozen"))
    rows = []
    for text in TEXTS:
        words = text + [0] * max(0, padded - len(text))
        zero = torch.zeros(6 * (1 + frozen), dtype=torch.float64)
        tables = ["embedding", "frozen"] if frozen else ["embedding"]
        vectors = [torch.cat([learned[f"{t}.weight"][w] for t in tables]) if w else zero for w in words]
        features = []
        for i, k in enumerate((2, 3, 5)):
            around = [zero] * (k - 1)
            line = torch.stack([*around, *vectors, *around])
            kernel, bias = learned[f"convs.{i}.weight"], learned[f"convs.{i}.bias"]
            windows = [
                torch.relu(torch.einsum("oek,ke->o", kernel, line[s : s + k]) + bias) for s in range(len(line) - k + 1)
            ]
            found = torch.stack(windows)
            features.append(found.max(0).values if pooling == "max" else found.mean(0))
        rows.append(learned["head.weight"] @ torch.cat(features) + learned["head.bias"])
    return quantities(torch.stack(rows), learned)


CHECKS = [
    Check(
        name="text/text_cnn",
        claim="TextCNN on a padded batch against each text alone, window by window",
        package="torch",
        ours=partial(ours, frozen=False),
        reference=partial(one_by_one, frozen=False),
        control=partial(one_by_one, frozen=False, pooling="mean"),
        mistake="the mean over time, as in D2L 16.3",
    ),
    Check(
        name="text/text_cnn_frozen",
        claim="TextCNN with a second, frozen table against each text alone",
        package="torch",
        ours=partial(ours, frozen=True),
        reference=partial(one_by_one, frozen=True),
        control=partial(one_by_one, frozen=True, padded=9),
        mistake="windows of padding take part in the maximum",
    ),
]
