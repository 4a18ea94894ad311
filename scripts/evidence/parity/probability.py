"""Distributions, mixtures, Bayesian regression and networks of the theory chapters, against torch.distributions,
scikit-learn and SciPy.
"""

from functools import partial
from typing import Any

import numpy as np
import torch
from scipy import stats
from sklearn.linear_model import BayesianRidge
from sklearn.mixture import GaussianMixture as SklearnMixture
from sklearn.naive_bayes import BernoulliNB
from torch import Tensor, distributions, nn

from lit_models.probability.bayesian_regression import best_precisions, log_evidence, posterior
from lit_models.probability.distributions import Distribution
from lit_models.probability.gaussian_mixture import GaussianMixture
from lit_models.probability.maximum_likelihood import Family, distribution
from lit_models.probability.naive_bayes import NaiveBayes, counted
from scripts.evidence.verify import Check, Tensors

COLUMNS = 3


def draw(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def value(number: Any) -> Tensor:
    return torch.as_tensor(number, dtype=torch.float64)


# -- the six families -------------------------------------------------------------------------------------------------


def rows_of(family: Family) -> Tensor:
    """Twenty rows that the family can have."""
    x = draw(20, COLUMNS)
    if family == "bernoulli":
        return (x > 0).double()
    if family == "categorical":
        return (x.abs() * 2).floor().clamp(max=3)
    if family == "poisson":
        return (x.abs() * 3).floor()
    return x.abs() if family == "exponential" else x


def family_net(family: Family) -> Distribution:
    net = distribution(family, COLUMNS, 4).double()
    with torch.no_grad():
        for k, parameter in enumerate(net.parameters()):
            parameter.copy_(0.3 * draw(*parameter.shape, seed=k))
    return net


def our_family(family: Family) -> Tensors:
    net = family_net(family)
    log_prob = net(rows_of(family))
    log_prob.square().sum().backward()
    return {"log_prob": log_prob, **gradients(net)}


def gradients(net: nn.Module) -> Tensors:
    return {f"grad {name}": p.grad for name, p in net.named_parameters() if p.grad is not None}


def torch_family(family: Family, wrong: bool = False) -> Tensors:
    """The same from torch.distributions on the same parameters; ``wrong`` is a mistake of parametrization."""
    net: Any = family_net(family)
    if family == "gaussian":
        factor = net.cholesky()
        covariance = factor @ factor.T
        law: Any = distributions.MultivariateNormal(
            net.mean, **({"precision_matrix": covariance} if wrong else {"scale_tril": factor})
        )
    elif family == "bernoulli":
        law = distributions.Bernoulli(logits=-net.logit if wrong else net.logit)
    elif family == "categorical":
        law = distributions.Categorical(logits=net.logits.flip(1) if wrong else net.logits)
    elif family == "laplace":
        law = distributions.Laplace(net.location, net.log_scale.exp() * (2**-0.5 if wrong else 1))
    else:
        kind: Any = {"exponential": distributions.Exponential, "poisson": distributions.Poisson}[family]
        law = kind((-net.log_rate if wrong else net.log_rate).exp())
    log_prob = law.log_prob(rows_of(family))
    log_prob = log_prob if log_prob.ndim == 1 else log_prob.sum(1)
    log_prob.square().sum().backward()
    return {"log_prob": log_prob, **gradients(net)}


MISTAKES: dict[Family, str] = {
    "bernoulli": "the logit of the other value",
    "categorical": "the values in the opposite order",
    "exponential": "the mean taken for the rate",
    "gaussian": "the covariance taken for the precision",
    "laplace": "the standard deviation taken for the scale",
    "poisson": "the inverse of the rate",
}

# -- mixtures ---------------------------------------------------------------------------------------------------------


def clusters() -> Tensor:
    tilted = draw(50, 2, seed=3) @ value([[1.0, 0.4], [0.0, 0.5]])
    return torch.cat([draw(40, 2) + 3, draw(60, 2, seed=2) * 0.5, tilted])


def our_mixture(reg_covar: float = 1e-6) -> Tensors:
    x, net = clusters(), GaussianMixture(2, 3).double()
    with torch.no_grad():
        net.means.copy_(x[[0, 60, 120]])
    net.fit(x, sweeps=20, reg_covar=reg_covar)
    factors = net.factors()
    return {
        "log_prob": net(x),
        "weights": net.logits.softmax(0),
        "means": net.means,
        "covariances": factors @ factors.mT,
    }


def sklearn_mixture() -> Tensors:
    x = clusters().numpy()
    model = SklearnMixture(
        3,
        tol=0,
        max_iter=20,
        reg_covar=1e-6,
        weights_init=np.full(3, 1 / 3),
        means_init=x[[0, 60, 120]],
        precisions_init=np.stack([np.eye(2)] * 3),
    ).fit(x)
    found = {"log_prob": model.score_samples(x), "weights": model.weights_}
    return {n: value(v) for n, v in (found | {"means": model.means_, "covariances": model.covariances_}).items()}


# -- naive Bayes and Bayesian regression ------------------------------------------------------------------------------


def our_naive_bayes(smoothing: float = 1.0) -> Tensors:
    x, y = (draw(60, 9) > 0).double(), torch.arange(60) % 3
    net = NaiveBayes(3, 1, 3, threshold=0.5).double()
    with torch.no_grad():
        for name, parameter in counted(net.binary(x), y, 3, smoothing).items():
            getattr(net, name).copy_(parameter)
    joint = net(x)
    return {"joint": joint.detach(), "posterior": joint.softmax(1).detach()}


def sklearn_naive_bayes() -> Tensors:
    x, y = (draw(60, 9) > 0).double().numpy(), np.arange(60) % 3
    model = BernoulliNB(alpha=1.0, binarize=None).fit(x, y)
    return {"joint": value(model.predict_joint_log_proba(x)), "posterior": value(model.predict_proba(x))}


def our_bayesian_regression(double_gamma: bool = False) -> Tensors:
    x = torch.cat([torch.ones(30, 1, dtype=torch.float64), draw(30, 3)], 1)
    y = x @ value([0.5, 1.0, -2.0, 0.1]) + 0.3 * draw(30, seed=2)
    alpha, beta = best_precisions(x, y, iterations=2000)
    mean, covariance = posterior(x, y, alpha * (2 if double_gamma else 1), beta)
    evidence = log_evidence(x, y, alpha, beta)
    return {"precisions": value([alpha, beta]), "mean": mean, "covariance": covariance, "evidence": value(evidence)}


def sklearn_bayesian_regression() -> Tensors:
    x = torch.cat([torch.ones(30, 1, dtype=torch.float64), draw(30, 3)], 1)
    y = x @ value([0.5, 1.0, -2.0, 0.1]) + 0.3 * draw(30, seed=2)
    none = {"alpha_1": 0.0, "alpha_2": 0.0, "lambda_1": 0.0, "lambda_2": 0.0}
    model = BayesianRidge(max_iter=5000, tol=1e-14, fit_intercept=False, **none).fit(x.numpy(), y.numpy())
    alpha, beta = model.lambda_, model.alpha_
    covariance = np.eye(30) / beta + x.numpy() @ x.numpy().T / alpha
    evidence = stats.multivariate_normal(np.zeros(30), covariance).logpdf(y.numpy())
    found = {"precisions": [alpha, beta], "mean": model.coef_, "covariance": model.sigma_, "evidence": evidence}
    return {name: value(v) for name, v in found.items()}


NO_GRADIENTS = "gradients: the estimate is in closed form"
CHECKS = [
    *(
        Check(
            name=f"probability/{family}",
            claim=f"log-density of rows under the {family} family, and the gradients of its parameters",
            package="torch",
            ours=partial(our_family, family),
            reference=partial(torch_family, family),
            control=partial(torch_family, family, wrong=True),
            mistake=mistake,
        )
        for family, mistake in MISTAKES.items()
    ),
    Check(
        name="probability/gaussian_mixture",
        claim="twenty sweeps of EM from the same start: densities, weights, means, covariances",
        package="scikit-learn",
        ours=our_mixture,
        reference=sklearn_mixture,
        control=partial(our_mixture, reg_covar=1e-3),
        mistake="another floor of the variances",
        tolerance=1e-8,
        why="twenty sweeps in another order of sums",
        without=NO_GRADIENTS,
    ),
    Check(
        name="probability/naive_bayes",
        claim="log p(x, class) and p(class | x) of binary columns against BernoulliNB",
        package="scikit-learn",
        ours=our_naive_bayes,
        reference=sklearn_naive_bayes,
        control=partial(our_naive_bayes, smoothing=0.5),
        mistake="half the smoothing",
        without=NO_GRADIENTS,
    ),
    Check(
        name="probability/bayesian_regression",
        claim="precisions of the largest evidence, posterior mean and covariance, against BayesianRidge; the evidence "
        "against the density of the targets",
        package="scikit-learn",
        ours=our_bayesian_regression,
        reference=sklearn_bayesian_regression,
        control=partial(our_bayesian_regression, double_gamma=True),
        mistake="twice the precision of the prior",
        tolerance=1e-8,
        why="two fixed points, iterated to 1e-14",
        without=NO_GRADIENTS,
    ),
]
