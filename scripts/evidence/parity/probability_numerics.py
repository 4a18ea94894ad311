"""Ridge, lasso, kernel densities, components and a graph's derivatives, against scikit-learn, SciPy and autograd."""

from functools import partial
from typing import Any

import torch
from scipy import stats
from sklearn.decomposition import PCA
from sklearn.linear_model import Lasso, Ridge
from torch import Tensor

from lit_models.probability.back_propagation import OPERATIONS, Node, Variable, gradients, hessian_vector_product, node
from lit_models.probability.kernel_density import log_density, silverman
from lit_models.probability.numerics import eigenvectors, principal_components
from lit_models.probability.shrinkage import lasso, ridge
from scripts.evidence.parity.probability import draw, value
from scripts.evidence.verify import Check, Tensors


def shrinkage_data() -> tuple[Tensor, Tensor]:
    x = draw(40, 8)
    return x, x @ value([2.0, 0, 0, -1.5, 0, 0, 0.5, 0]) + 0.3 * draw(40, seed=2)


def our_shrinkage(scale: float = 1.0) -> Tensors:
    x, y = shrinkage_data()
    return {"ridge": ridge(x, y, 5.0 * scale), "lasso": lasso(x, y, 5.0 * scale)}


def sklearn_shrinkage() -> Tensors:
    x, y = shrinkage_data()
    squares = Ridge(alpha=5.0, fit_intercept=False).fit(x.numpy(), y.numpy())
    absolute = Lasso(alpha=5.0 / len(x), fit_intercept=False, tol=1e-14, max_iter=100_000).fit(x.numpy(), y.numpy())
    return {"ridge": value(squares.coef_), "lasso": value(absolute.coef_)}  # scikit-learn divides the squares by N


def our_kernel_density(factor: float = 1.0) -> Tensors:
    points = draw(60, 2) @ value([[1.0, 0.4], [0.0, 0.5]])
    return {"log_prob": log_density(points, draw(20, 2, seed=2), silverman(points) * factor)}


def scipy_kernel_density() -> Tensors:
    points = draw(60, 2) @ value([[1.0, 0.4], [0.0, 0.5]])
    return {"log_prob": value(stats.gaussian_kde(points.T.numpy(), "silverman").logpdf(draw(20, 2, seed=2).T.numpy()))}


def unsigned(vectors: Tensor) -> Tensor:
    """Directions (D, k) with a positive largest entry: an eigenvector has no sign."""
    largest = vectors.gather(0, vectors.abs().argmax(0, keepdim=True))
    return vectors * largest.sign()


def our_components(center: bool = True) -> Tensors:
    x = draw(50, 5) @ draw(5, 5, seed=2) + 1.0
    variances, directions = principal_components(x, 3)
    rows = x - x.mean(0) if center else x
    values, vectors = eigenvectors(rows.T @ rows / 49, 3)
    return {
        "variances": variances,
        "directions": unsigned(directions),
        "by power iteration": values,
        "vectors": unsigned(vectors),
    }


def sklearn_components() -> Tensors:
    model = PCA(3).fit((draw(50, 5) @ draw(5, 5, seed=2) + 1.0).numpy())
    variances, directions = value(model.explained_variance_), unsigned(value(model.components_).T)
    return {
        "variances": variances,
        "directions": directions,
        "by power iteration": variances,
        "vectors": directions,
    }


def formula(x: Any, y: Any, z: Any) -> Any:
    """The same expression of our nodes or of tensors: every operation, with values used twice."""
    shared = (x * y).tanh() + z.relu()
    return (shared * shared + x.exp() / z - y).log() * shared


PLACE = {"x": 0.7, "y": -1.3, "z": 2.1}
ALONG = {"x": 1.0, "y": -2.0, "z": 0.5}


def our_graph(forget: str = "") -> Tensors:
    """``forget`` is an operation whose derivative is taken as that of the identity."""
    rules = dict(OPERATIONS)
    if forget:
        OPERATIONS[forget] = (rules[forget][0], lambda out, a: (node(1.0),))
    try:
        graph: Node = formula(*map(Variable, "xyz"))
        first, second = gradients(graph, PLACE), hessian_vector_product(graph, PLACE, ALONG)
    finally:
        OPERATIONS.update(rules)
    return {"value": value(graph.value(PLACE)), **named("grad", first), **named("hessian product", second)}


def named(what: str, numbers: dict[str, float]) -> Tensors:
    return {f"{what} {name}": value(number) for name, number in numbers.items()}


def torch_graph() -> Tensors:
    place, along = value(list(PLACE.values())).requires_grad_(), value(list(ALONG.values()))
    out = formula(*place)
    (first,) = torch.autograd.grad(out, place, create_graph=True)
    (second,) = torch.autograd.grad(first @ along, place)
    first_by_name = dict(zip(PLACE, first.tolist(), strict=True))
    return {
        "value": out,
        **named("grad", first_by_name),
        **named("hessian product", dict(zip(PLACE, second.tolist(), strict=True))),
    }


CHECKS = [
    Check(
        name="probability/shrinkage",
        claim="weights of ridge and, by coordinate descent, of the lasso, against Ridge and Lasso",
        package="scikit-learn",
        ours=our_shrinkage,
        reference=sklearn_shrinkage,
        control=partial(our_shrinkage, scale=0.5),
        mistake="half the penalty, as if the squares were not halved",
        tolerance=1e-9,
        why="both descend until the weights rest",
        without="gradients: the estimate is found by descent",
    ),
    Check(
        name="probability/kernel_density",
        claim="log-density of 20 places under 60 kernels of Silverman's width, against gaussian_kde",
        package="scipy",
        ours=our_kernel_density,
        reference=scipy_kernel_density,
        control=partial(our_kernel_density, factor=1.1),
        mistake="kernels a tenth wider",
        without="gradients: the width is not a parameter",
    ),
    Check(
        name="probability/numerics",
        claim="principal components by singular values, and by power iteration on the covariance, against PCA",
        package="scikit-learn",
        ours=our_components,
        reference=sklearn_components,
        control=partial(our_components, center=False),
        mistake="rows that are not centered",
        tolerance=1e-9,
        why="power iteration ends when the vector rests",
        without="gradients: decompositions",
    ),
    Check(
        name="probability/back_propagation",
        claim="value, derivatives and a Hessian-vector product on a written-out graph, against autograd",
        package="torch",
        ours=our_graph,
        reference=torch_graph,
        control=partial(our_graph, forget="tanh"),
        mistake="the derivative of tanh taken as 1",
    ),
]
