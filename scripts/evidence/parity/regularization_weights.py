"""Penalties on derivatives, and what is done to weights between steps, against torch."""

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel, update_bn

from callbacks.max_norm import project
from callbacks.stochastic_weight_averaging import mean_with, renew_statistics
from lit_models.regularization.invariance import DoubleBackprop, directional, tangents
from scripts.evidence.parity.regularization import NO_GRADIENT, check, robust_lenet
from scripts.evidence.verify import Tensors

# -- derivatives ----------------------------------------------------------------------------------------------------


def our_derivatives() -> Tensors:
    net, x, y = robust_lenet()
    along = directional(net, x, tangents(x)[2])
    at = x.clone().requires_grad_()
    logits = net(at)
    double = DoubleBackprop(2.0).penalty(net, at, logits, F.cross_entropy(logits, y, reduction="none"))
    loss = along.square().sum() + double
    names, weights = zip(*net.named_parameters(), strict=True)
    grads = torch.autograd.grad(loss, weights)
    found = {"along": along.detach(), "double backprop": double.detach()}  # type: ignore[union-attr]
    return found | {f"grad {name}": g for name, g in zip(names, grads, strict=True)}


def forward_derivatives(mean: bool = False) -> Tensors:
    """By torch's forward-mode derivative and its gradients of single samples.

    Args:
        mean: Differentiates the mean loss of the batch instead of each sample's.
    """
    net, x, y = robust_lenet()
    weights = dict(net.named_parameters())

    def call(w: Any, inputs: Tensor) -> Tensor:
        return torch.func.functional_call(net, w, (inputs,))

    def loss_of(w: Any, image: Tensor, label: Tensor) -> Tensor:
        return F.cross_entropy(call(w, image[None]), label[None])

    def total(w: Any) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        along = torch.func.jvp(partial(call, w), (x,), (tangents(x)[2],))[1]
        each = torch.func.vmap(torch.func.grad(loss_of, 1), (None, 0, 0))(w, x, y) / (len(x) if mean else 1)
        double = each.flatten(1).square().sum(1).mean()
        return along.square().sum() + double, (along, double)

    grads, (along, double) = torch.func.grad(total, has_aux=True)(weights)
    found = {"along": along.detach(), "double backprop": double.detach()}
    return found | {f"grad {name}": g.detach() for name, g in grads.items()}


# -- weights --------------------------------------------------------------------------------------------------------


def weights() -> list[Tensor]:
    generator = torch.Generator().manual_seed(5)
    return [torch.randn(*shape, generator=generator, dtype=torch.float64) for shape in ((6, 5), (4, 3, 3, 3))]


def our_max_norm() -> Tensors:
    found = weights()
    for weight in found:
        project(weight, 2.0, weight.ndim - 1)
    return {f"weight {k}": w for k, w in enumerate(found)}


def torch_max_norm(dimension: int = 0) -> Tensors:
    return {f"weight {k}": torch.renorm(w, 2, dimension, 2.0) for k, w in enumerate(weights())}


def averaged(ours: bool, renewed: bool = True) -> Tensors:
    """Weights of five epochs, their mean, and the statistics of the mean on eight batches; what it says then."""
    torch.manual_seed(6)
    net = nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3)).double()
    batches = [(torch.randn(5, 2, 8, 8, dtype=torch.float64),) for _ in range(8)]
    mean: Any = mean_with if ours else None
    average = AveragedModel(net, use_buffers=False, multi_avg_fn=mean)
    for _ in range(5):
        for p in net.parameters():
            p.data += 0.3 * torch.randn_like(p)
        net(batches[0][0])
        average.update_parameters(net)
    if ours:
        renew_statistics(OneProcess(batches), Wrapped(average.module))  # type: ignore[arg-type]
    elif renewed:
        update_bn(batches, average)
    average.eval()
    x = batches[3][0].requires_grad_()
    out = average(x)
    (gradient,) = torch.autograd.grad(out.square().sum(), x)
    norm: Any = average.module[1]  # type: ignore[index]
    return {"mean": norm.running_mean, "variance": norm.running_var, "out": out.detach(), "grad": gradient}


class OneProcess:
    """What the callback reads of a trainer."""

    def __init__(self, batches: list[tuple[Tensor, ...]]) -> None:
        self.train_dataloader, self.world_size = batches, 1
        self.precision_plugin = self

    def forward_context(self) -> Any:
        return torch.enable_grad()


class Wrapped(nn.Module):
    """What the callback reads of a LightningModule."""

    device = torch.device("cpu")

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Any:
        return self.net(x)

    def _apply_batch_transfer_handler(self, batch: Any, **_: Any) -> Any:
        return batch


CHECKS = [
    check(
        "derivatives",
        "the derivative along a tangent and double backpropagation against forward mode and gradients by vmap",
        "torch",
        our_derivatives,
        forward_derivatives,
        partial(forward_derivatives, mean=True),
        mistake="the gradient of the mean loss in place of each sample's",
    ),
    check(
        "max_norm",
        "the projection of weights against torch.renorm",
        "torch",
        our_max_norm,
        torch_max_norm,
        partial(torch_max_norm, dimension=1),
        mistake="the norm of the weights out of a unit, not into it",
        tolerance=1e-6,
        why="torch.renorm divides by the norm plus 1e-7",
        without=NO_GRADIENT,
    ),
    check(
        "swa",
        "the mean of weights and its batch normalization against torch.optim.swa_utils and its update_bn",
        "torch",
        partial(averaged, True),
        partial(averaged, False),
        partial(averaged, False, renewed=False),
        mistake="statistics of the weights that were averaged first",
    ),
]
