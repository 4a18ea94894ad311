"""Linear models against numpy, scipy, scikit-learn and torch.optim."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from typing import Any

import numpy as np
import torch
from scipy import special
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss
from torch import Tensor, nn
from torch.nn import functional as F

from lit_models.linear.from_scratch import ScratchLinear, ScratchSGD, half_squared_error
from lit_models.linear.linear_regression import LinearRegression, closed_form
from lit_models.linear.softmax_regression import SoftmaxRegression, cross_entropy, log_softmax, log_sum_exp
from lit_models.linear.weight_decay import LitWeightDecay
from lit_models.tasks.regressor import Regressor
from scripts.evidence.verify import Check, Tensors

DECAY = 3.0


def line() -> tuple[Tensor, Tensor]:
    """Twelve noisy points in five dimensions: x (12, 5), y (12,)."""
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(12, 5, generator=generator, dtype=torch.float64)
    return x, x @ torch.arange(5.0, dtype=torch.float64) + 4.2 + torch.randn(12, generator=generator).double()


def gradients(parameters: Mapping[str, Tensor]) -> Tensors:
    return {f"grad {name}": p.grad.flatten() for name, p in parameters.items() if p.grad is not None}


def tensors(**arrays: np.ndarray | float) -> Tensors:
    return {name: torch.from_numpy(np.array(value, dtype=np.float64)) for name, value in arrays.items()}


# -- least squares ----------------------------------------------------------------------------------------------------


def our_least_squares() -> Tensors:
    x, y = line()
    net = LinearRegression(5).double()
    prediction = net(x)
    loss = Regressor.loss(prediction, y)
    loss.backward()
    weights, bias = closed_form(x, y)
    found = {"prediction": prediction[:, 0], "loss": loss, "optimum": torch.cat([weights, bias[None]])}
    slopes = gradients(dict(net.linear.named_parameters()))
    return found | {"grad": torch.cat([slopes["grad weight"], slopes["grad bias"]])}


def numpy_least_squares(half: float = 0.5) -> Tensors:
    x, y = (t.numpy() for t in line())
    net = LinearRegression(5).double()  # the same seed: the same weights
    w = np.append(net.linear.weight.detach().numpy()[0], net.linear.bias.item())
    ones = np.column_stack([x, np.ones(len(x))])
    error = ones @ w - y
    found = tensors(prediction=ones @ w, loss=half * np.mean(error**2), grad=2 * half * ones.T @ error / len(x))
    return found | tensors(optimum=np.linalg.lstsq(ones, y, rcond=None)[0])


# -- gradient descent from scratch ------------------------------------------------------------------------------------


def our_descent() -> Tensors:
    return descend(ScratchLinear(5).double(), ScratchSGD, half_squared_error)


def torch_descent(loss: Callable[[Tensor, Tensor], Tensor]) -> Tensors:
    scratch = ScratchLinear(5)
    net = nn.Linear(5, 1).double()
    net.load_state_dict({"weight": scratch.w.T, "bias": scratch.b})
    return descend(net, torch.optim.SGD, loss)


def descend(net: nn.Module, optimizer: Callable[..., torch.optim.Optimizer], loss: Callable[..., Tensor]) -> Tensors:
    """Parameters, prediction and gradients after seven steps."""
    x, y = line()
    descent = optimizer(net.parameters(), lr=0.03)
    for _ in range(7):
        descent.zero_grad()
        loss(net(x), y).backward()
        descent.step()
    weight, bias = net.parameters()
    found = {"weight": weight.flatten(), "bias": bias, "prediction": net(x)}
    return found | gradients({"weight": weight, "bias": bias})


# -- softmax ----------------------------------------------------------------------------------------------------------


def scores() -> Tensor:
    """Logits (6, 4), some so large that their exp is infinite in double precision too."""
    logits = torch.randn(6, 4, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    return (logits * torch.tensor([1.0, 1.0, 30.0, 30.0, 900.0, 9000.0]).double()[:, None]).requires_grad_()


def log_sum_exp_of(function: Callable[[Tensor], Tensor]) -> Tensors:
    logits = scores()
    value = function(logits)
    value.sum().backward()
    return {"log-sum-exp": value, **named_gradient(logits)}


def named_gradient(logits: Tensor) -> Tensors:
    assert logits.grad is not None
    return {"grad logits": logits.grad}


def scipy_log_sum_exp() -> Tensors:
    logits = scores().detach().numpy()
    value = special.logsumexp(logits, axis=1, keepdims=True)
    return {"log-sum-exp": torch.from_numpy(value), "grad logits": torch.from_numpy(special.softmax(logits, axis=1))}


def entropies(log_p: Callable[..., Tensor], loss: Callable[..., Tensor]) -> Tensors:
    """Log-probabilities, and the loss of classes, of distributions and with smoothing."""
    logits = scores()
    classes = torch.tensor([0, 3, 1, 2, 2, 0])
    soft = torch.softmax(torch.randn(6, 4, generator=torch.Generator().manual_seed(3), dtype=torch.float64), 1)
    found = {"log-softmax": log_p(logits), "classes": loss(logits, classes), "soft": loss(logits, soft)}
    for name, target in (("smoothed", classes), ("smoothed soft", soft)):
        found[name] = loss(logits, target, label_smoothing=0.1)
    torch.stack([found[name] for name in ("classes", "soft", "smoothed", "smoothed soft")]).sum().backward()
    return found | named_gradient(logits)


def smooth_the_others(logits: Tensor, target: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """Wrong: the smoothed fraction goes only to the other classes."""
    share = target if target.ndim == 2 else F.one_hot(target, 4).double()
    others = (1 - share) / 3
    return F.cross_entropy(logits, (1 - label_smoothing) * share + label_smoothing * others)


# -- softmax regression -----------------------------------------------------------------------------------------------


@cache
def digits() -> tuple[Tensor, Tensor, LogisticRegression]:
    """500 digits of 8 x 8 pixels, and scikit-learn's optimum with C = 1: summed loss + ||W||^2 / 2."""
    x, y = load_digits(return_X_y=True)
    x, y = x[:500] / 16, y[:500]
    return torch.from_numpy(x), torch.from_numpy(y), LogisticRegression(solver="newton-cholesky", tol=1e-13).fit(x, y)


def our_softmax_regression(twice: bool = False) -> Tensors:
    """At scikit-learn's weights: where the losses are the same, the gradient of the summed loss is -W there."""
    x, y, model = digits()
    net = SoftmaxRegression(64, 10).double()
    weights = {"weight": torch.from_numpy(model.coef_), "bias": torch.from_numpy(model.intercept_)}
    net.linear.load_state_dict(weights)
    logits = net(x.reshape(-1, 1, 8, 8))
    if twice:
        logits = torch.softmax(logits, 1)
    loss = cross_entropy(logits, y)
    (loss * len(x)).backward()
    found = {"probabilities": log_softmax(logits).exp(), "loss": loss}
    return found | gradients(dict(net.linear.named_parameters()))


def sklearn_softmax_regression() -> Tensors:
    x, y, model = digits()
    probabilities = model.predict_proba(x.numpy())
    slope = {"grad weight": -model.coef_.flatten(), "grad bias": np.zeros(10)}
    return tensors(probabilities=probabilities, loss=log_loss(y.numpy(), probabilities), **slope)


# -- weight decay -----------------------------------------------------------------------------------------------------


def penalized() -> LitWeightDecay:
    return LitWeightDecay(num_features=5, weight_decay=DECAY, init_std=1.0).double()


def objective(model: LitWeightDecay) -> Tensor:
    x, y = line()
    return model.loss(model(x), y) + model.penalty()


def our_decay() -> Tensors:
    model = penalized()
    descent = torch.optim.SGD(model.parameters(), lr=0.03)
    for _ in range(7):
        descent.zero_grad()
        objective(model).backward()
        descent.step()
    linear = model.net.linear
    return {"weight": linear.weight[0], "bias": linear.bias} | gradients({"weight": linear.weight})


def torch_decay(half: float = 0.5) -> Tensors:
    """SGD's own ``weight_decay``, on the weights only. Without the half it is the book's concise version."""
    x, y = line()
    linear = penalized().net.linear
    groups: list[dict[str, Any]] = [{"params": [linear.weight], "weight_decay": DECAY}, {"params": [linear.bias]}]
    descent = torch.optim.SGD(groups, lr=0.03)
    for _ in range(7):
        descent.zero_grad()
        (half * F.mse_loss(linear(x)[:, 0], y)).backward()
        assert linear.weight.grad is not None
        slope = linear.weight.grad[0] + DECAY * linear.weight.detach()[0]  # what the optimizer will step along
        descent.step()
    return {"weight": linear.weight[0], "bias": linear.bias, "grad weight": slope}


def our_ridge() -> Tensors:
    """One Newton step, which finds the optimum of a quadratic objective from anywhere."""
    model = penalized()
    parameters = (model.net.linear.weight, model.net.linear.bias)
    slope = flat(torch.autograd.grad(objective(model), parameters, create_graph=True))
    curvature = torch.stack([flat(torch.autograd.grad(s, parameters, retain_graph=True)) for s in slope])  # (6, 6)
    optimum = flat(parameters) - torch.linalg.solve(curvature, slope)
    return {"optimum": optimum, "grad": slope, "prediction": line()[0] @ optimum[:-1] + optimum[-1]}


def flat(parts: Sequence[Tensor]) -> Tensor:
    return torch.cat([part.flatten() for part in parts])


def sklearn_ridge(alpha: float = DECAY * 12) -> Tensors:
    """Ridge sums the squared errors of the 12 points where we take their mean, hence 12 times our lambda."""
    x, y = (t.numpy() for t in line())
    linear = penalized().net.linear
    w, b = linear.weight.detach().numpy()[0], linear.bias.item()
    error = x @ w + b - y
    model = Ridge(alpha=alpha, solver="svd").fit(x, y)
    found = tensors(optimum=np.append(model.coef_, model.intercept_), prediction=model.predict(x))
    return found | tensors(grad=np.append((x.T @ error + alpha * w) / len(x), error.mean()))


CHECKS = [
    Check(
        name="linear/linear_regression",
        claim="prediction, loss, gradient and closed form of linear regression",
        package="numpy",
        ours=our_least_squares,
        reference=numpy_least_squares,
        control=partial(numpy_least_squares, half=1.0),
        mistake="the squared error without its half (D2L 3.5)",
    ),
    Check(
        name="linear/from_scratch",
        claim="seven steps of our layer, loss and SGD against nn.Linear, F.mse_loss / 2 and torch.optim.SGD",
        package="torch",
        ours=our_descent,
        reference=partial(torch_descent, lambda prediction, y: F.mse_loss(prediction[:, 0], y) / 2),
        control=partial(torch_descent, lambda prediction, y: (prediction - y).square().mean() / 2),
        mistake="(B, 1) - (B,) broadcast to (B, B) in the loss",
    ),
    Check(
        name="linear/log_sum_exp",
        claim="log-sum-exp of logits up to thousands against scipy.special",
        package="scipy",
        ours=partial(log_sum_exp_of, log_sum_exp),
        reference=scipy_log_sum_exp,
        control=partial(log_sum_exp_of, lambda logits: logits.exp().sum(1, keepdim=True).log()),
        mistake="exp and log as the formula stands, which overflows (D2L 4.4)",
    ),
    Check(
        name="linear/cross_entropy",
        claim="log-softmax and cross-entropy with classes, distributions and smoothing against torch.nn.functional",
        package="torch",
        ours=partial(entropies, log_softmax, cross_entropy),
        reference=partial(entropies, partial(F.log_softmax, dim=1), F.cross_entropy),
        control=partial(entropies, partial(F.log_softmax, dim=1), smooth_the_others),
        mistake="label smoothing spread over the other classes alone",
    ),
    Check(
        name="linear/softmax_regression",
        claim="softmax regression at the optimum of LogisticRegression, where our gradient must cancel its penalty's",
        package="scikit-learn",
        ours=our_softmax_regression,
        reference=sklearn_softmax_regression,
        control=partial(our_softmax_regression, twice=True),
        mistake="probabilities given to a loss that takes logits",
    ),
    Check(
        name="linear/weight_decay",
        claim="seven steps with the penalty in the loss against torch.optim.SGD(weight_decay=...) on the weights",
        package="torch",
        ours=our_decay,
        reference=torch_decay,
        control=partial(torch_decay, half=1.0),
        mistake="the error without its half, which halves the relative penalty (D2L 3.7, concise)",
    ),
    Check(
        name="linear/ridge",
        claim="the optimum of our penalized loss against Ridge",
        package="scikit-learn",
        ours=our_ridge,
        reference=sklearn_ridge,
        control=partial(sklearn_ridge, alpha=DECAY),
        mistake="lambda not multiplied by the number of points",
    ),
]
