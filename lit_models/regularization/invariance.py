"""Penalties on derivatives with respect to the input: a network that changes little where the class stays.

- Tangent propagation (Simard et al. 1992): along the directions in which a picture moves, turns, grows or gets thicker.
- Double backpropagation (Drucker and LeCun 1992): of the loss, in all directions.
- The norm of the Jacobian (Hoffman et al. 2019): of all logits, in all directions, by random projections.

Goodfellow et al. 7.14. For small changes, double backpropagation is training on adversarial samples, and tangent
propagation is training on moved pictures.

    dive fit cnn/lenet -c regularizer/tangent_prop
    dive fit cnn/lenet -c regularizer/double_backprop
    dive fit cnn/lenet -c regularizer/gradient_penalty
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.nn import functional as F

from lit_models.tasks.regularizer import PENALTY, Regularizer, between


class Derivative(Regularizer):
    """A penalty on a derivative; its gradient is a derivative of second order."""

    def build(self, net: nn.Module) -> nn.Module | None:
        """The fused kernels of attention have no second derivative: this process takes torch's plain one instead."""
        torch.backends.cuda.enable_flash_sdp(False)  # on the CPU too
        torch.backends.cuda.enable_mem_efficient_sdp(False)
        torch.backends.cuda.enable_cudnn_sdp(False)
        return None


class TangentProp(Derivative):
    """weight / 2 times the mean squared derivative of the logits along one tangent of each picture.

    The tangent is drawn evenly from the five of ``tangents``. Their unit is a pixel of the picture's edge.

    Args:
        weight: Of the penalty.
    """

    order = PENALTY + 0.2
    needs = "images"

    def __init__(self, weight: float = 0.1) -> None:
        self.weight = between(self, "weight", weight, 0)

    def penalty(self, task: Any, x: Tensor, logits: Tensor, losses: Tensor) -> Tensor | float:
        if not self.weight:
            return 0.0
        each = tangents(x.detach())  # (5, B, C, H, W)
        drawn = torch.randint(len(each), (len(x),), device=x.device)
        along = each[drawn, torch.arange(len(x), device=x.device)]
        was = task.training
        task.eval()  # in training mode a picture's tangent would move the others, through the statistics of the batch
        try:
            change = directional(task, x.detach(), along)
        finally:
            task.train(was)
        return self.weight / 2 * change.square().sum(1).mean()


class DoubleBackprop(Derivative):
    """weight / 2 times the mean squared gradient of each sample's loss with respect to its input.

    Args:
        weight: Of the penalty.
    """

    order = PENALTY + 0.3
    needs = "numbers"
    needs_input_gradient = True

    def __init__(self, weight: float = 0.1) -> None:
        self.weight = between(self, "weight", weight, 0)

    def penalty(self, task: Any, x: Tensor, logits: Tensor, losses: Tensor) -> Tensor | float:
        if not self.weight:
            return 0.0
        (gradient,) = torch.autograd.grad(losses.sum(), x, create_graph=True)
        return self.weight / 2 * gradient.flatten(1).square().sum(1).mean()


class GradientPenalty(Derivative):
    """weight / 2 times the mean squared Frobenius norm of the Jacobian of the logits with respect to the input.

    By one random direction among the logits for each sample: K times the squared gradient of its projection, K classes,
    has this norm as its mean.

    Args:
        weight: Of the penalty.
    """

    order = PENALTY + 0.4
    needs = "numbers"
    needs_input_gradient = True

    def __init__(self, weight: float = 0.01) -> None:
        self.weight = between(self, "weight", weight, 0)

    def penalty(self, task: Any, x: Tensor, logits: Tensor, losses: Tensor) -> Tensor | float:
        if not self.weight:
            return 0.0
        direction = F.normalize(torch.randn_like(logits), dim=1)
        (gradient,) = torch.autograd.grad((direction * logits).sum(), x, create_graph=True)
        return self.weight / 2 * logits.shape[1] * gradient.flatten(1).square().sum(1).mean()


def tangents(x: Tensor) -> Tensor:
    """The directions (5, B, C, H, W) in which pictures (B, C, H, W) change as they move by a pixel to the right and
    down, turn and grow by a pixel at the middle of the edge, and get thicker.

    Simard et al. 1998: a coordinate transformation with the velocity field v moves a picture by -v times its gradient;
    getting thicker is the norm of the gradient.
    """
    h, w = x.shape[-2:]
    padded = F.pad(x, [1, 1, 1, 1], mode="replicate")
    dx = (padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]) / 2
    dy = (padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]) / 2
    across = torch.linspace(-1, 1, w, device=x.device, dtype=x.dtype).expand(h, w)
    down = torch.linspace(-1, 1, h, device=x.device, dtype=x.dtype)[:, None].expand(h, w)
    thicker = (dx.square() + dy.square() + 1e-12).sqrt()
    return torch.stack([-dx, -dy, down * dx - across * dy, -across * dx - down * dy, thicker])


def directional(function: nn.Module, x: Tensor, along: Tensor) -> Tensor:
    """The derivative of ``function`` at x along a direction, of the function's shape; it can be differentiated again.

    By differentiating twice in reverse: the gradient of v -> J' v along the direction is J times the direction. Its own
    gradient is a third derivative, which torch's batch normalization does not have: networks with it are
    differentiated in forward mode, which attention has no gradient of. In training mode that gradient is wrong for
    batch normalization (torch 2.14; compared with differences): ``function`` is in evaluation mode.
    """
    if any(isinstance(layer, nn.modules.batchnorm._BatchNorm) for layer in function.modules()):
        with forward_ad.dual_level():
            return forward_ad.unpack_dual(function(forward_ad.make_dual(x.detach(), along))).tangent
    at = x.detach().requires_grad_()
    out = function(at)
    dummy = torch.zeros_like(out, requires_grad=True)
    (back,) = torch.autograd.grad(out, at, dummy, create_graph=True)
    return torch.autograd.grad(back, dummy, along, create_graph=True)[0]
