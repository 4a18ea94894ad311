"""The law of scaling that ``dive scaling`` fits: L = E + A / N^alpha + B / D^beta.

Hoffmann et al. 2022, "Training compute-optimal large language models", approach 3: the loss L in nats of a network with
N parameters after D tokens. E is what no network removes. Fitted as there: the logarithms of A, B and E, so that all
are positive, by the Huber loss of the difference of logarithms of losses, from several starts. A bootstrap over the
rows gives the interval of the law's mean; what the rows differ from the law is added for that of a single run.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

HUBER = 1e-3  # the paper's: larger differences count linearly
#: Starts of log A, log B, log E, alpha, beta.
STARTS = [
    (a, b, e, p, q) for a in (2.0, 6.0) for b in (2.0, 6.0) for e in (-1.0, 0.5) for p, q in ((0.3, 0.3), (0.7, 0.7))
]
#: Of the logarithms of A, B and E, and of the exponents: a fit that ends at one of them did not find its number.
BOUNDS = {"a": (-20.0, 30.0), "b": (-20.0, 30.0), "e": (-10.0, 5.0), "alpha": (0.01, 3.0), "beta": (0.01, 3.0)}
Row = tuple[float, float, float]  # parameters, tokens, loss


class Law(NamedTuple):
    """The five numbers of a law."""

    a: float
    b: float
    e: float
    alpha: float
    beta: float

    def loss(self, parameters: float, tokens: float) -> float:
        """The loss in nats of a network of so many parameters after so many tokens."""
        return self.e + self.a * parameters**-self.alpha + self.b * tokens**-self.beta

    def best_parameters(self, compute: float) -> float:
        """The number of parameters with the lowest loss for a compute of 6 N D operations."""
        ratio = (self.alpha * self.a) / (self.beta * self.b)
        power = 1 / (self.alpha + self.beta)
        return float(ratio**power * (compute / 6) ** (self.beta * power))


def fit_law(rows: Sequence[Row], starts: Sequence[tuple[float, ...]] = tuple(STARTS)) -> Law:
    """The law with the lowest Huber loss over rows (parameters, tokens, loss).

    Raises:
        ValueError: There are fewer rows than numbers to fit.
    """
    from scipy.optimize import minimize

    if len(rows) < 5:
        raise ValueError(f"{len(rows)} rows are too few for a law of five numbers")
    n, d, losses = (np.log(np.array(column, dtype=float)) for column in zip(*rows, strict=True))

    def objective(x: np.ndarray) -> tuple[float, np.ndarray]:
        terms = np.stack([x[0] - x[3] * n, x[1] - x[4] * d, np.full_like(n, x[2])])
        top = terms.max(0)
        share = np.exp(terms - top)
        total = share.sum(0)
        difference = top + np.log(total) - losses
        share /= total
        small = np.abs(difference) <= HUBER
        value = np.where(small, difference**2 / 2, HUBER * (np.abs(difference) - HUBER / 2)).sum()
        slope = np.clip(difference, -HUBER, HUBER)
        gradient = np.array(
            [
                (slope * share[0]).sum(),
                (slope * share[1]).sum(),
                (slope * share[2]).sum(),
                -(slope * share[0] * n).sum(),
                -(slope * share[1] * d).sum(),
            ]
        )
        return float(value) / HUBER**2, gradient / HUBER**2

    how: dict[str, Any] = {"jac": True, "method": "L-BFGS-B", "bounds": list(BOUNDS.values())}
    found = [minimize(objective, np.array(start), **how) for start in starts]
    a, b, e, alpha, beta = min(found, key=lambda result: result.fun).x
    return Law(math.exp(a), math.exp(b), math.exp(e), float(alpha), float(beta))


def bootstrap(rows: Sequence[Row], law: Law, times: int = 200, seed: int = 0) -> list[Law]:
    """Laws of rows drawn with replacement, each fitted from the numbers of the law of all rows and two other starts."""
    draw = np.random.default_rng(seed)
    start = (math.log(law.a), math.log(law.b), math.log(law.e), law.alpha, law.beta)
    found = []
    for _ in range(times):
        chosen = draw.integers(len(rows), size=len(rows))
        found.append(fit_law([rows[i] for i in chosen], (start, STARTS[0], STARTS[-1])))
    return found


def interval(laws: Sequence[Law], parameters: float, tokens: float) -> tuple[float, float]:
    """The middle 95 % of what laws say of a network: of the mean of its runs."""
    low, high = np.quantile([law.loss(parameters, tokens) for law in laws], (0.025, 0.975))
    return float(low), float(high)


def run_interval(
    rows: Sequence[Row], law: Law, laws: Sequence[Law], parameters: float, tokens: float
) -> tuple[float, float]:
    """The middle 95 % for a single run: each of a bootstrap's laws with each difference of a row from the law.

    The differences are those of the logarithms, larger by what five fitted numbers make them smaller.
    """
    apart = np.array([math.log(loss / law.loss(n, d)) for n, d, loss in rows])
    apart *= math.sqrt(len(rows) / max(1, len(rows) - len(Law._fields)))
    means = np.array([one.loss(parameters, tokens) for one in laws])
    low, high = np.quantile(np.outer(means, np.exp(apart)), (0.025, 0.975))
    return float(low), float(high)


def at_bound(law: Law) -> list[str]:
    """The numbers of a law that lie on a bound of the fit."""
    values = {name: value if name in ("alpha", "beta") else math.log(value) for name, value in law._asdict().items()}
    return [name for name, value in values.items() if min(abs(value - bound) for bound in BOUNDS[name]) < 1e-6]
