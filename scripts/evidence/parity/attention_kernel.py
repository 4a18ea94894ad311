"""Nadaraya-Watson regression against its definition, one query and one key after the other, and against statsmodels."""

import math
import warnings
from functools import partial
from typing import Any

import torch
from statsmodels.nonparametric.kernel_regression import KernelReg
from torch import Tensor

from lit_models.attention.nadaraya_watson import KERNELS, NadarayaWatson
from scripts.evidence.verify import Check, Tensors

KEYS, WIDTH = 12, 0.8


def points() -> tuple[Tensor, Tensor, Tensor]:
    """Keys (K, 2), values (K,), queries (B, 2): the first two are keys themselves, the last is near no key."""
    torch.manual_seed(1)
    keys = 2 * torch.rand(KEYS, 2, dtype=torch.float64)
    far = torch.full((1, 2), 9.0, dtype=torch.float64)
    return keys, torch.randn(KEYS, dtype=torch.float64), torch.cat([keys[:2], 2 * torch.rand(4, 2).double(), far])


def network(kernel: Any) -> NadarayaWatson:
    net = NadarayaWatson(2, KEYS, kernel, WIDTH).double()
    net.log_width.data.fill_(math.log(WIDTH))
    net.remember(*points()[:2])
    return net


def ours(training: bool) -> Tensors:
    """Of each kernel: predictions (B, 1), weights (B, K), and the gradient by the logarithm of the width."""
    found: Tensors = {}
    for kernel in KERNELS:
        net = network(kernel).train(training)
        y = net(points()[2])
        found |= quantities(kernel, y, net.weights(points()[2]), net.log_width)
    return found


def quantities(kernel: str, y: Tensor, weights: Tensor, log_width: Tensor) -> Tensors:
    if y.requires_grad:
        y.sin().sum().backward()
    slope = torch.zeros((), dtype=torch.float64) if log_width.grad is None else log_width.grad
    return {kernel: y.detach(), f"{kernel} weights": weights.detach(), f"grad {kernel} log width": slope}


def kernel_of(name: str, u: Tensor, book: bool) -> Tensor:
    """At one distance u >= 0 in widths."""
    zero, one = torch.zeros((), dtype=torch.float64), torch.ones((), dtype=torch.float64)
    if name == "gaussian":
        return (-0.5 * u * u).exp() / math.sqrt(2 * math.pi)  # the constant cancels
    if name == "constant":
        return one
    if name == "boxcar":
        return one if u <= 1 else zero
    if u >= 1:
        return zero
    return 1 - u if name == "triangular" or book else 1 - u * u


def by_definition(training: bool, book: bool = False, itself: bool = False, over_queries: bool = False) -> Tensors:
    """Or wrong: the book's kernel, a point that attends to itself, weights that sum to 1 over the queries."""
    keys, values, queries = points()
    found: Tensors = {}
    for name in KERNELS:
        log_width = torch.tensor(math.log(WIDTH), dtype=torch.float64, requires_grad=True)
        rows = []
        for query in queries:
            row = []
            for key in keys:
                distance = sum((a - b) ** 2 for a, b in zip(query, key, strict=True)) ** 0.5
                hidden = training and not itself and bool(distance == 0)
                row.append(0 * log_width if hidden else kernel_of(name, distance / log_width.exp(), book))
            rows.append(torch.stack([torch.as_tensor(score, dtype=torch.float64) for score in row]))
        scores = torch.stack(rows)
        if over_queries:
            weights = scores / scores.sum(0, keepdim=True).clamp(min=1e-300)
        else:
            sums = [row.sum() for row in scores]
            mean = torch.full((KEYS,), 1 / KEYS, dtype=torch.float64)
            weights = torch.stack([row / s if s > 0 else mean for row, s in zip(scores, sums, strict=True)])
        y = torch.stack([sum(w * v for w, v in zip(row, values, strict=True)) for row in weights])[:, None]  # type: ignore[arg-type]
        found |= quantities(name, y, weights, log_width)
    return found


# -- a library --------------------------------------------------------------------------------------------------------


def our_gaussian() -> Tensors:
    net = network("gaussian").eval()
    return {"predictions": net(points()[2])[:-1, 0].detach()}


def statsmodels_gaussian(width: float) -> Tensors:
    keys, values, queries = (t.numpy() for t in points())
    with warnings.catch_warnings():  # of random numbers, of which it draws none here
        warnings.simplefilter("ignore", FutureWarning)
        regression = KernelReg(values, keys, var_type="cc", reg_type="lc", bw=[width, width])
        return {"predictions": torch.from_numpy(regression.fit(queries[:-1])[0])}


def check(name: str, training: bool, mistake: str, **wrong: Any) -> Check:
    when = "in training, where a point is left out of its own mean" if training else "in evaluation"
    return Check(
        name=f"attention/nadaraya_watson{name}",
        claim=f"five kernels with their weights and the width's gradient {when}, against sums over single keys",
        package="torch",
        ours=partial(ours, training),
        reference=partial(by_definition, training),
        control=partial(by_definition, training, **wrong),
        mistake=mistake,
    )


CHECKS = [
    check("", False, "the weights of a key sum to 1 over the queries (D2L 11.2)", over_queries=True),
    check("_epanechnikov", False, "1 - |u| for Epanechnikov's kernel, as in the book", book=True),
    check("_training", True, "a training point sees its own target", itself=True),
    Check(
        name="attention/nadaraya_watson_gaussian",
        claim="the Gaussian kernel in two dimensions against statsmodels' local constant regression",
        package="statsmodels",
        without="gradients: statsmodels has none by the width",
        ours=our_gaussian,
        reference=partial(statsmodels_gaussian, WIDTH),
        control=partial(statsmodels_gaussian, WIDTH / math.sqrt(2)),
        mistake="exp(-u^2) without the half",
    ),
]
