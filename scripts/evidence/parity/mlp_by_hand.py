"""Activations, back-propagation, initialization and a table's columns, against torch and scikit-learn."""

from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd
import torch
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from torch import Tensor, nn
from torch.nn import functional as F

from datamodules.tabular.columns import fit_columns
from lit_models.linear.linear_regression import LinearRegression
from lit_models.mlp.activations import FUNCTIONS, Activation
from lit_models.mlp.backprop import TwoLayers
from lit_models.mlp.initialization import DeepMLP
from lit_models.tasks.regressor import Regressor
from scripts.evidence.verify import Check, Tensors

# -- activations ------------------------------------------------------------------------------------------------------

LIBRARY: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": F.relu,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "gelu": F.gelu,
    "identity": torch.clone,
}


def activations(functions: dict[str, Callable[[Tensor], Tensor]], prelu: nn.Module) -> Tensors:
    """Values and derivatives at 61 points; the derivatives are weighted so that their order matters."""
    found: Tensors = {}
    every: dict[str, Callable[[Tensor], Tensor]] = {**functions, "prelu": prelu.double()}
    weights = torch.linspace(1, 2, 61, dtype=torch.float64)
    for name, function in every.items():
        x = torch.linspace(-6.1, 6, 61, dtype=torch.float64).requires_grad_()
        y = function(x)
        (y * weights).sum().backward()
        assert x.grad is not None
        found |= {name: y, f"grad {name}": x.grad}
    (slope,) = (p.grad for p in prelu.parameters())
    assert slope is not None
    return found | {"grad prelu's slope": slope.reshape(1)}


def our_activations() -> Tensors:
    return activations({name: Activation(name) for name in FUNCTIONS}, Activation("prelu"))  # type: ignore[arg-type]


# -- back-propagation -------------------------------------------------------------------------------------------------

DECAY = 0.3


def two_layers() -> tuple[TwoLayers, Tensor, Tensor]:
    net = TwoLayers(6, 4, 5).double()
    return net, torch.randn(7, 6, dtype=torch.float64).requires_grad_(), torch.tensor([0, 1, 2, 3, 3, 1, 0])


def slopes(net: TwoLayers, x: Tensor, objective: Tensor, loss: Tensor) -> Tensors:
    objective.backward()
    found = {"objective": objective, "loss": loss}
    for name, tensor in {"x": x, **dict(net.named_parameters())}.items():
        assert tensor.grad is not None
        found[f"grad {name}"] = tensor.grad
    return found


def our_backprop() -> Tensors:
    net, x, y = two_layers()
    return slopes(net, x, *net.objective(x, y, DECAY))


def autograd_backprop(half: float = 0.5) -> Tensors:
    net, x, y = two_layers()
    loss = F.cross_entropy(F.linear(F.relu(F.linear(x, net.w1, net.b1)), net.w2, net.b2), y)
    return slopes(net, x, loss + half * DECAY * (net.w1.square().sum() + net.w2.square().sum()), loss)


# -- initialization ---------------------------------------------------------------------------------------------------


def quantities(layers: nn.Sequential) -> Tensors:
    """Weights, output and the gradient of the first layer's weights."""
    x = torch.linspace(-1, 1, 24, dtype=torch.float64).reshape(3, 8)
    y = layers(x)
    y.square().sum().backward()
    linear = [layer for layer in layers if isinstance(layer, nn.Linear)]
    assert linear[0].weight.grad is not None
    return {"weights": torch.cat([p.weight.flatten() for p in linear]), "y": y, "grad": linear[0].weight.grad}


def our_initialization(scheme: str) -> Tensors:
    net = DeepMLP(8, 5, 6, depth=4, scheme=scheme)  # type: ignore[arg-type]
    return quantities(net.layers.double())


def torch_initialization(draw: Callable[[Tensor], Tensor]) -> Tensors:
    """The library draws the same numbers from the same seed; were that to change, this check would fail."""
    sizes, layers = [8, 6, 6, 6, 5], []
    for k in range(4):
        linear = nn.Linear(sizes[k], sizes[k + 1])
        draw(linear.weight)
        nn.init.zeros_(linear.bias)
        layers += [linear, nn.ReLU()]
    return quantities(nn.Sequential(*layers[:-1]).double())


@torch.no_grad()
def unsigned_orthogonal(weight: Tensor) -> Tensor:
    rows, columns = weight.shape
    noise = torch.empty_like(weight).normal_()
    q = torch.linalg.qr(noise if rows >= columns else noise.T)[0]
    return weight.copy_(q if rows >= columns else q.T)


# -- a table's columns ------------------------------------------------------------------------------------------------


def table() -> tuple[pd.DataFrame, np.ndarray]:
    """Forty rows of text, of which the first thirty train: numbers with gaps, a text with gaps and a late category."""
    random = np.random.default_rng(0)
    size = random.normal(100, 20, 40)
    frame = pd.DataFrame(
        {
            "size": [f"{value:.3f}" for value in size],
            "rooms": [str(k) if k else np.nan for k in random.integers(0, 5, 40)],
            "town": random.choice(np.array(["Rome", "Oslo", None], dtype=object), 39).tolist() + ["Bonn"],
        }
    )
    return frame.astype(object).where(frame.notna(), np.nan), size


def slope_at_nought(x: Tensor, y: Tensor) -> Tensor:
    net = LinearRegression(x.shape[1], init_std=0.0).double()
    Regressor.loss(net(x), y).backward()
    assert net.linear.weight.grad is not None
    return net.linear.weight.grad[0]


def our_columns() -> Tensors:
    frame, size = table()
    columns = fit_columns(frame, np.arange(30), quiet=True)
    x = torch.from_numpy(np.concatenate([c.encode(frame[c.name]) for c in columns], axis=1)).double()
    return {"x": x, "grad": slope_at_nought(x, torch.from_numpy(size))}


def sklearn_columns(rows: int = 30) -> Tensors:
    """Means and deviations of the first ``rows``, categories of the first 30.

    The standard deviation of a column with gaps is that of what is there.
    """
    frame, size = table()
    numbers = frame[["size", "rooms"]].astype(float)
    scaled = SimpleImputer(strategy="constant", fill_value=0.0).fit_transform(
        StandardScaler().fit(numbers[:rows]).transform(numbers)  # leaves gaps out and in; the mean is now zero
    )
    gap = MissingIndicator(features="all").fit(numbers[:30]).transform(numbers)[:, 1:]
    text = make_pipeline(
        SimpleImputer(strategy="constant", fill_value="missing"),
        OneHotEncoder(handle_unknown="ignore", sparse_output=False),
    )
    towns = text.fit(frame[["town"]][:30]).transform(frame[["town"]])
    x = np.concatenate([scaled, gap, towns], axis=1)
    return {"x": torch.from_numpy(x), "grad": torch.from_numpy(-x.T @ size / len(x))}


CHECKS = [
    Check(
        name="mlp/activations",
        claim="ReLU, sigmoid, tanh, GELU and PReLU, each with its slope, against torch and its autograd",
        package="torch",
        ours=our_activations,
        reference=lambda: activations(LIBRARY, nn.PReLU()),
        control=lambda: activations(LIBRARY | {"gelu": partial(F.gelu, approximate="tanh")}, nn.PReLU()),
        mistake="GELU's approximation by tanh",
    ),
    Check(
        name="mlp/backprop",
        claim="forward and backward pass of one hidden layer with an L2 term against autograd",
        package="torch",
        ours=our_backprop,
        reference=autograd_backprop,
        control=partial(autograd_backprop, half=1.0),
        mistake="the L2 term without its half",
    ),
    Check(
        name="mlp/initialization_xavier",
        claim="Xavier's weights of four layers, their output and gradient against nn.init.xavier_uniform_",
        package="torch",
        ours=partial(our_initialization, "xavier"),
        reference=partial(torch_initialization, nn.init.xavier_uniform_),
        control=partial(torch_initialization, nn.init.kaiming_uniform_),
        mistake="the variance from fan_in alone",
    ),
    Check(
        name="mlp/initialization_he",
        claim="He's weights of four layers, their output and gradient against nn.init.kaiming_normal_",
        package="torch",
        ours=partial(our_initialization, "he"),
        reference=partial(torch_initialization, partial(nn.init.kaiming_normal_, nonlinearity="relu")),
        control=partial(torch_initialization, partial(nn.init.kaiming_normal_, mode="fan_out")),
        mistake="fan_out for fan_in",
    ),
    Check(
        name="mlp/initialization_orthogonal",
        claim="orthogonal weights of four layers, their output and gradient against nn.init.orthogonal_",
        package="torch",
        ours=partial(our_initialization, "orthogonal"),
        reference=partial(torch_initialization, nn.init.orthogonal_),
        control=partial(torch_initialization, unsigned_orthogonal),
        mistake="Q without the signs of R's diagonal",
    ),
    Check(
        name="mlp/table_columns",
        claim="a table's columns as numbers, and a gradient on them, against StandardScaler and OneHotEncoder",
        package="scikit-learn",
        ours=our_columns,
        reference=sklearn_columns,
        control=partial(sklearn_columns, rows=40),
        mistake="means and deviations of all rows, held-out ones too (D2L 5.7)",
        tolerance=1e-4,
        why="columns are kept in single precision, and the gradient is in hundreds",
    ),
]
