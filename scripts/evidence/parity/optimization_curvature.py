"""Muon, and the optimizers that use curvature, against torch.optim, scipy and numpy."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import scipy.optimize
import scipy.sparse.linalg
import torch
from torch import Tensor, nn

from lit_models.optimization.conjugate_gradient import ConjugateGradient
from lit_models.optimization.descend import Point
from lit_models.optimization.lbfgs import LBFGS
from lit_models.optimization.muon import Muon
from lit_models.optimization.newton import Newton
from scripts.evidence.verify import Check, Tensors

START = (-1.2, 1.0)


# -- Muon --------------------------------------------------------------------------------------------------------------


def matrices(make: Callable[..., Any]) -> Tensors:
    """Two matrices of different shapes, 100 steps toward a target."""
    generator = torch.Generator().manual_seed(1)
    params = [nn.Parameter(torch.randn(s, generator=generator, dtype=torch.float64)) for s in ((6, 4), (3, 8))]
    targets = [torch.randn(p.shape, generator=generator, dtype=torch.float64) for p in params]
    optimizer = make(params)
    for _ in range(100):
        optimizer.zero_grad()
        sum((p - t).pow(4).sum() for p, t in zip(params, targets, strict=True)).backward()  # type: ignore[union-attr]
        optimizer.step()
    return {f"matrix {k}": p.detach() for k, p in enumerate(params)}


def torch_muon(**settings: Any) -> Tensors:
    return matrices(partial(torch.optim.Muon, lr=0.02, weight_decay=0.1, **settings))


# -- Rosenbrock's valley -----------------------------------------------------------------------------------------------


def valley(p: Tensor) -> Tensor:
    return (1 - p[0]) ** 2 + 100 * (p[1] - p[0] ** 2) ** 2


def descended(make: Callable[..., Any], steps: int, graph: bool = False) -> Tensors:
    """The point after some steps from (-1.2, 1), and the gradient there."""
    p = nn.Parameter(torch.tensor(START, dtype=torch.float64))
    optimizer = make([p])

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = valley(p)
        loss.backward(create_graph=graph)
        return loss.detach()

    for _ in range(steps):
        optimizer.step(closure)
    closure()
    assert p.grad is not None
    return {"point": p.detach(), "grad": p.grad.detach()}


def scipy_newton(steps: int = 5, transposed: bool = False, damping: float = 0.5) -> Tensors:
    """Damped Newton steps with scipy's derivatives of the function."""
    x = np.array(START)
    for _ in range(steps):
        hessian = scipy.optimize.rosen_hess(x) + (0 if transposed else damping) * np.eye(2)
        x = x - np.linalg.solve(hessian, scipy.optimize.rosen_der(x))
    return {"point": torch.from_numpy(x), "grad": torch.from_numpy(scipy.optimize.rosen_der(x))}


def scipy_minimum(method: str, shifted: float = 0.0) -> Tensors:
    found = scipy.optimize.minimize(
        scipy.optimize.rosen,
        START,
        jac=scipy.optimize.rosen_der,
        method=method,
        options={"gtol": 1e-9} | ({"ftol": 0} if method == "L-BFGS-B" else {}),
    ).x
    gradient = scipy.optimize.rosen_der(found + shifted)
    return {"point": torch.from_numpy(found + shifted), "grad": torch.from_numpy(gradient)}


def our_surface() -> Tensors:
    net = Point(start=START).double()
    value = net(torch.zeros(1, 2, dtype=torch.float64))
    value.sum().backward()
    return {"value": value.detach()[0, 0], "grad": net.place.grad}  # type: ignore[dict-item]


def scipy_surface(factor: float = 1.0) -> Tensors:
    x = np.array(START, dtype=np.float32).astype(np.float64)  # the point's start is in single precision
    value, gradient = scipy.optimize.rosen(x), factor * scipy.optimize.rosen_der(x)
    return {"value": torch.tensor(float(value), dtype=torch.float64), "grad": torch.from_numpy(gradient)}


# -- a quadratic in eight dimensions, five steps -----------------------------------------------------------------------


def bowl() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(2)
    root = torch.randn(8, 8, generator=generator, dtype=torch.float64)
    return root @ root.T + torch.eye(8, dtype=torch.float64), torch.randn(8, generator=generator, dtype=torch.float64)


def our_bowl(make: Callable[..., Any], steps: int = 5) -> Tensors:
    matrix, b = bowl()
    p = nn.Parameter(torch.zeros(8, dtype=torch.float64))
    optimizer = make([p])

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = p @ matrix @ p / 2 - b @ p
        loss.backward()
        return loss.detach()

    for _ in range(steps):
        optimizer.step(closure)
    return {"point": p.detach(), "grad": matrix @ p.detach() - b}


def scipy_bowl(steps: int = 5, steepest: bool = False) -> Tensors:
    """scipy's linear conjugate gradients; the control goes down the gradient with exact steps."""
    matrix, b = (t.numpy() for t in bowl())
    x = np.zeros(8)
    if steepest:
        for _ in range(steps):
            g = matrix @ x - b
            x = x - g * (g @ g) / (g @ matrix @ g)
    else:
        x = scipy.sparse.linalg.cg(matrix, b, rtol=0, maxiter=steps)[0]
    return {"point": torch.from_numpy(x), "grad": torch.from_numpy(matrix @ x - b)}


ENDS = "another line search: only the minimum is the same, to the accuracy of both"
CHECKS = [
    Check(
        name="optimization/descend",
        claim="the point on Rosenbrock's function against scipy.optimize.rosen and its derivative",
        package="scipy",
        ours=our_surface,
        reference=scipy_surface,
        control=partial(scipy_surface, factor=0.5),
        mistake="half of the gradient",
    ),
    Check(
        name="optimization/muon",
        claim="Muon with its iterations in bfloat16 against torch.optim.Muon, 100 steps",
        package="torch",
        ours=partial(matrices, partial(Muon, lr=0.02, weight_decay=0.1, bfloat16=True)),
        reference=torch_muon,
        control=partial(torch_muon, nesterov=False),
        mistake="momentum without Nesterov's look ahead",
        without="gradients: the weights of 100 steps have them in them",
    ),
    Check(
        name="optimization/newton",
        claim="Newton, damped, against scipy's gradient and Hessian of Rosenbrock's function, 5 steps",
        package="scipy",
        ours=partial(descended, partial(Newton, damping=0.5), 5, True),
        reference=scipy_newton,
        control=partial(scipy_newton, transposed=True),
        mistake="no damping",
    ),
    *(
        Check(
            name=f"optimization/cg_{method}",
            claim=f"ConjugateGradient ({method}) on a quadratic against scipy.sparse.linalg.cg, 5 steps",
            package="scipy",
            ours=partial(our_bowl, partial(ConjugateGradient, method=method, curvature=1e-9)),
            reference=scipy_bowl,
            control=partial(scipy_bowl, steepest=True),
            mistake="each direction the gradient",
        )
        for method in ("polak_ribiere", "fletcher_reeves")
    ),
    Check(
        name="optimization/lbfgs",
        claim="LBFGS without line search against torch.optim.LBFGS on a quadratic, 20 steps",
        package="torch",
        ours=partial(our_bowl, partial(LBFGS, lr=0.5, history=3, line_search=False), 20),
        reference=partial(our_bowl, partial(torch.optim.LBFGS, lr=0.5, max_iter=1, history_size=3), 20),
        control=partial(our_bowl, partial(torch.optim.LBFGS, lr=0.5, max_iter=1, history_size=4), 20),
        mistake="four pairs kept instead of three",
    ),
    *(
        Check(
            name=f"optimization/rosenbrock_{name}",
            claim=f"{make.func.__name__} on Rosenbrock's function ends where scipy.optimize.minimize({method}) does",
            package="scipy",
            ours=partial(descended, make, steps),
            reference=partial(scipy_minimum, method),
            control=partial(scipy_minimum, method, shifted=1e-4),
            mistake="the minimum moved by 1e-4",
            tolerance=1e-5,
            why=ENDS,
        )
        for name, make, steps, method in (
            ("cg", partial(ConjugateGradient), 100, "CG"),
            ("lbfgs", partial(LBFGS), 60, "L-BFGS-B"),
        )
    ),
]
