"""Bayesian optimization: the next place to evaluate an expensive function is chosen by a Gaussian process.

Snoek, Larochelle and Adams 2012, "Practical Bayesian Optimization of Machine Learning Algorithms" (Matern-5/2 kernel,
a length-scale for each number). D2L 18.1.
``suggest`` is a decision function: evaluations in, the next place out, with no other memory; ``minimize`` is the loop
that a test needs. Places are in the unit cube; lower values are better.
"""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from common.messages import UserError
from lit_models.gp.acquisition import confidence_bound, expected_improvement, noisy_expected_improvement
from lit_models.gp.exact import ExactGP

Acquisition = Literal["ei", "ucb", "noisy_ei", "random"]
PRIOR = 1.0  # width of the log-normal prior of the hyper-parameters: few evaluations do not decide them


def fit(x: Tensor, y: Tensor, steps: int = 30) -> ExactGP:
    """A Matern-5/2 process of evaluations x (N, F), y (N,), at its most probable hyper-parameters, by L-BFGS.

    Args:
        x: Places in the unit cube.
        y: Values.
        steps: Of L-BFGS, at most.
    """
    gp = ExactGP(x.shape[1], [{"matern": {"smoothness": 2.5, "length_scale": 0.3 * x.shape[1] ** 0.5}}], noise=0.03)
    gp.remember(x, y)
    begin = [p.detach().clone() for p in gp.parameters()]
    descent = torch.optim.LBFGS(gp.parameters(), max_iter=steps, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        descent.zero_grad()
        away = torch.stack([(p - q).square().sum() for p, q in zip(gp.parameters(), begin, strict=True)]).sum()
        loss = gp.nll() + away / (2 * PRIOR**2) / len(y)
        loss.backward()
        return loss

    descent.step(closure)  # type: ignore[arg-type]
    return gp.eval()


def suggest(x: Tensor, y: Tensor, acquisition: Acquisition = "ei", seed: int = 0, candidates: int = 2000) -> Tensor:
    """The next place (F,) to evaluate, to find the minimum.

    Half of the candidates are spread over the cube (Sobol), half are around the best places so far.

    Args:
        x: Evaluated places (N, F) in the unit cube.
        y: Their values (N,); rows whose value is not finite (a failed evaluation) are ignored.
        acquisition: Expected improvement, confidence bound, noisy expected improvement, or random search.
        seed: Of the candidates.
        candidates: How many places are considered.

    Raises:
        UserError: A place is outside of the unit cube.
    """
    if len(x) and (float(x.min()) < 0 or float(x.max()) > 1):
        raise UserError("places must be in the unit cube: scale each number to 0 at its least and 1 at its most")
    sobol = torch.quasirandom.SobolEngine(x.shape[1], scramble=True, seed=seed)
    spread = sobol.draw(candidates // 2).double()
    known = y.isfinite()
    x, y = x[known].double(), y[known].double()
    if acquisition == "random" or len(y) < 2 or bool((y == y[0]).all()):
        generator = torch.Generator().manual_seed(seed)
        return torch.rand(x.shape[1], generator=generator, dtype=torch.float64)
    generator = torch.Generator().manual_seed(seed)
    best = x[y.argsort()[:5]]
    steps = 10 ** (-1 - 2 * torch.rand(candidates // 2, 1, generator=generator, dtype=torch.float64))
    noise = torch.randn(candidates // 2, x.shape[1], generator=generator, dtype=torch.float64)
    near = best[torch.arange(candidates // 2) % len(best)] + steps * noise
    places = torch.cat([spread, near.clamp(0, 1)])
    gp = fit(x, y)
    with torch.no_grad():
        mean, variance, _ = gp(places)
        if acquisition == "noisy_ei":
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                worth = noisy_expected_improvement(gp, places)
        elif acquisition == "ucb":
            worth = -confidence_bound(mean, variance.sqrt())
        else:
            worth = expected_improvement(mean, variance.sqrt(), y.min())
    return places[worth.argmax()]


def minimize(
    objective: Callable[[Tensor], Tensor],
    num_features: int,
    evaluations: int,
    acquisition: Acquisition = "ei",
    initial: int = 5,
    seed: int = 0,
    noise: float = 0.0,
) -> tuple[Tensor, Tensor]:
    """Evaluates ``initial`` random places, then those that ``suggest`` names: places (N, F) and values (N,) seen.

    Args:
        objective: (N, F) in the unit cube -> (N,).
        num_features: F.
        evaluations: N, the initial ones included.
        acquisition: See ``suggest``.
        initial: Random places to begin with.
        seed: Of the places and of the noise.
        noise: Standard deviation that is added to the values.
    """
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(initial, num_features, generator=generator, dtype=torch.float64)
    y = objective(x)
    y = y + noise * torch.randn(y.shape, generator=generator, dtype=y.dtype)
    while len(y) < evaluations:
        new = suggest(x, y, acquisition, seed=1000 * (seed + 1) + len(y))[None]  # not a seed of first places
        value = objective(new) + noise * torch.randn(1, generator=generator, dtype=y.dtype)
        x, y = torch.cat([x, new]), torch.cat([y, value])
    return x, y
