"""Maximum likelihood by gradient descent, beside the estimate in closed form.

Fisher 1922, "On the mathematical foundations of theoretical statistics". Goodfellow et al. 5.5; D2L 22.7.
Departs from the book: D2L 22.7 finds one coin's probability on a grid and by gradient; here six families are fitted,
and the distance from the closed form (median, mean, covariance) is measured.

    dive fit probability/maximum_likelihood                          a Gaussian with a full covariance, offline
    dive fit probability/maximum_likelihood --data.family poisson    bernoulli, categorical, exponential, laplace too

The numbers it reaches are in RESULTS.md.
"""

from typing import Any, Literal

import torch
from torch import Tensor, nn

from lit_models.probability.density import DensityEstimator
from lit_models.probability.distributions import (
    Bernoulli,
    Categorical,
    Distribution,
    Exponential,
    Gaussian,
    Laplace,
    Poisson,
)
from lit_models.tasks.trains import trains

Family = Literal["bernoulli", "categorical", "exponential", "gaussian", "laplace", "poisson"]


def distribution(family: Family = "gaussian", num_features: int = 1, num_values: int = 2) -> Distribution:
    """A distribution of a family with all parameters at zero: (B, num_features) -> (B,).

    Args:
        family: Its name.
        num_features: Columns of a row.
        num_values: Values of a categorical column; other families ignore it.
    """
    if family == "categorical":
        return Categorical(num_features, num_values)
    kinds = {
        "bernoulli": Bernoulli,
        "exponential": Exponential,
        "gaussian": Gaussian,
        "laplace": Laplace,
        "poisson": Poisson,
    }
    return kinds[family](num_features)


def flat(net: nn.Module) -> Tensor:
    """All parameters in one vector; of the Gaussian's triangle only what is used."""
    return torch.cat([(p.tril(-1) if name == "below" else p).flatten() for name, p in net.named_parameters()])


@trains(distribution)
class LitMaximumLikelihood(DensityEstimator):
    """A distribution fitted by gradient. ``closed`` is the estimate in closed form, from the training rows.

    Also logs ``test/distance``: the largest difference of a parameter from it.
    """

    def __init__(self, family: Family = "gaussian", num_features: int = 1, num_values: int = 2, **task: Any) -> None:
        super().__init__(**task)
        self.closed = distribution(family, num_features, num_values).requires_grad_(False)

    def on_fit_start(self) -> None:
        super().on_fit_start()
        if self.data_attribute("splits"):
            exact = self.closed.double() if self.device.type != "mps" else self.closed
            exact.fit(self.training_rows())
            self.closed.to(next(self.net.parameters()).dtype)

    def on_test_epoch_end(self) -> None:
        super().on_test_epoch_end()
        apart = (flat(self.net) - flat(self.closed)).detach().abs().max()
        self.log("test/distance", apart, sync_dist=True)

    def panels(self) -> list[dict[str, Any]]:
        """Each parameter against its closed form: points on the diagonal are equal."""
        ours, closed = flat(self.net).detach().cpu(), flat(self.closed).cpu()
        ends = torch.stack([closed.min(), closed.max()])
        panel = {"title": "parameters", "xlabel": "in closed form", "points": {"by gradient": (closed, ours)}}
        return [panel | {"lines": {"equal": (ends, ends)}}]
