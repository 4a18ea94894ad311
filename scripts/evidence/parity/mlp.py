"""Multilayer perceptrons against back-propagation in numpy, and against torch.nn."""

from functools import partial

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lit_models.mlp.dropout import DropoutMLP
from lit_models.mlp.mlp import MLP
from scripts.evidence.verify import Check, Tensors

LABELS = [3, 1, 4, 1, 0]


def images() -> Tensor:
    return torch.rand(5, 1, 4, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def quantities(net: nn.Module, logits: Tensor) -> Tensors:
    """Logits, loss, and the gradients of the linear layers in their order."""
    loss = F.cross_entropy(logits, torch.tensor(LABELS))
    loss.backward()
    linear = [m for m in net.modules() if isinstance(m, nn.Linear)]
    found = {"logits": logits, "loss": loss}
    for k, layer in enumerate(linear):
        assert layer.weight.grad is not None and layer.bias.grad is not None
        found |= {f"grad weight {k}": layer.weight.grad, f"grad bias {k}": layer.bias.grad}
    return found


# -- back-propagation by hand -----------------------------------------------------------------------------------------


def mlp() -> MLP:
    return MLP(16, 5, hidden_sizes=(9, 7)).double()


def our_mlp() -> Tensors:
    net = mlp()
    return quantities(net, net(images()))


def numpy_mlp(skip_derivative: bool = False) -> Tensors:
    """Two hidden ReLU layers, forward and backward (D2L 5.3), in numpy."""
    layers = [m for m in mlp().modules() if isinstance(m, nn.Linear)]
    w0, w1, w2 = (layer.weight.detach().numpy() for layer in layers)
    b0, b1, b2 = (layer.bias.detach().numpy() for layer in layers)
    x = images().numpy().reshape(5, 16)
    z0 = x @ w0.T + b0
    h0 = np.maximum(z0, 0)
    z1 = h0 @ w1.T + b1
    h1 = np.maximum(z1, 0)
    logits = h1 @ w2.T + b2
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    right = np.eye(5)[LABELS]
    loss = -np.log((p * right).sum(1)).mean()

    d2 = (p - right) / len(x)
    d1 = (d2 @ w2) * (z1 > 0)
    d0 = (d1 @ w1) * (1.0 if skip_derivative else z0 > 0)
    found = {"logits": logits, "loss": np.array(loss)}
    for k, (d, h) in enumerate([(d0, x), (d1, h0), (d2, h1)]):
        found |= {f"grad weight {k}": d.T @ h, f"grad bias {k}": d.sum(0)}
    return {name: torch.from_numpy(value) for name, value in found.items()}


# -- dropout ----------------------------------------------------------------------------------------------------------


def our_dropout(train: bool) -> Tensors:
    net = DropoutMLP(16, 5, hidden_size=8, dropout=0.4).double().train(train)
    torch.manual_seed(4)
    return quantities(net, net(images()))


class Unscaled(nn.Module):
    """Wrong: leaves units out without dividing the others by 1 - p."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        return F.dropout(x, self.p, self.training) * (1 - self.p if self.training else 1)


class AlwaysOn(nn.Module):
    """Wrong: leaves units out in evaluation too."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        return F.dropout(x, self.p)


def torch_dropout(train: bool, kind: type[nn.Module] = nn.Dropout) -> Tensors:
    """torch draws the same mask from the same seed; were that to change, this check would fail, not pass wrongly."""
    hidden = [layer for width in (16, 8) for layer in (nn.Linear(width, 8), nn.ReLU(), kind(0.4))]
    net = nn.Sequential(*hidden, nn.Linear(8, 5)).double().train(train)
    torch.manual_seed(0)  # the weights of our_dropout
    weights = DropoutMLP(16, 5, hidden_size=8, dropout=0.4).state_dict().values()
    net.load_state_dict(dict(zip(net.state_dict(), weights, strict=True)))
    torch.manual_seed(4)
    return quantities(net, net(images().flatten(1)))


CHECKS = [
    Check(
        name="mlp/mlp",
        claim="MLP of two hidden layers against forward and back-propagation in numpy",
        package="numpy",
        ours=our_mlp,
        reference=numpy_mlp,
        control=partial(numpy_mlp, skip_derivative=True),
        mistake="the first ReLU's derivative left out of the backward pass",
    ),
    Check(
        name="mlp/dropout",
        claim="DropoutMLP in training against nn.Dropout in nn.Sequential, with the same mask",
        package="torch",
        ours=partial(our_dropout, True),
        reference=partial(torch_dropout, True),
        control=partial(torch_dropout, True, Unscaled),
        mistake="units that stay not divided by 1 - p",
    ),
    Check(
        name="mlp/dropout_evaluation",
        claim="DropoutMLP in evaluation against nn.Dropout in nn.Sequential",
        package="torch",
        ours=partial(our_dropout, False),
        reference=partial(torch_dropout, False),
        control=partial(torch_dropout, False, AlwaysOn),
        mistake="units left out in evaluation too",
    ),
]
