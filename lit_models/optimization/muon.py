"""Muon: momentum whose matrices are made orthogonal, so that a step moves all directions of a layer alike.

Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks". Only matrices can be orthogonalized:
all other parameters (biases, gains) are moved by AdamW, in groups of their own of the same optimizer, so that a step
is one step. The kernels of a convolution are a matrix (out, in x height x width). Embeddings and the output layer,
which the authors leave to AdamW, are matrices here too.
Departs from the paper: the five Newton-Schulz iterations run in the parameters' precision; ``bfloat16=True`` is
theirs.

    dive fit cnn/lenet --model.optimizer lit_models.optimization.Muon --model.optimizer.lr 0.02
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from common.messages import UserError
from lit_models.optimization.adam import AdamW
from lit_models.optimization.by_hand import Group, Params, Tensors

QUINTIC = (3.4445, -4.7750, 2.0315)  # a steep polynomial: five iterations bring 0.05 to between 0.7 and 1.2


class Muon(AdamW):
    """V <- momentum V + (1 - momentum) G; P <- (1 - lr weight_decay) P - lr sqrt(max(1, rows / columns)) U V'.

    U V' is the orthogonal factor of (1 - momentum) G + momentum V, by Newton and Schulz.

    Args:
        params: Parameters, or groups of them.
        lr: Rate of the matrices.
        momentum: How much of V stays.
        weight_decay: Fraction of a weight, times lr, that is taken off in a step.
        nesterov: False uses V itself.
        iterations: Of Newton and Schulz.
        bfloat16: Run them in half precision.
        rest_lr: Rate of AdamW for parameters that are no matrices.
        betas, eps: Of AdamW for these.

    Raises:
        UserError: None of the parameters is a matrix.
    """

    def __init__(
        self,
        params: Params,
        lr: float = 0.02,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
        nesterov: bool = True,
        iterations: int = 5,
        bfloat16: bool = False,
        rest_lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
    ) -> None:
        own = {"momentum": momentum, "nesterov": nesterov, "iterations": iterations, "bfloat16": bfloat16}
        groups = [{**own, **group} for group in split_groups(params, lr, rest_lr)]
        if groups and not any(g["matrix"] for g in groups):
            raise UserError("Muon: none of the parameters is a matrix, only vectors and numbers: use AdamW")
        super().__init__(groups, lr, betas, eps, weight_decay)

    def update(self, group: Group, params: list[Tensor], grads: Tensors) -> None:
        if not group["matrix"]:
            super().update(group, params, grads)
            return
        (velocity,) = self.slots(params, "velocity")
        torch._foreach_lerp_(velocity, grads, 1 - group["momentum"])
        ahead = torch._foreach_lerp(grads, velocity, group["momentum"]) if group["nesterov"] else velocity
        torch._foreach_mul_(params, 1 - group["lr"] * group["weight_decay"])
        for p, direction in zip(params, ahead, strict=True):
            matrix = direction.flatten(1)
            scale = max(1.0, matrix.shape[0] / matrix.shape[1]) ** 0.5
            p.add_(orthogonal(matrix, group["iterations"], group["bfloat16"]).view_as(p), alpha=-group["lr"] * scale)


def split_groups(params: Params, lr: float, rest_lr: float) -> Iterable[dict[str, Any]]:
    """Groups of matrices only and of other parameters only, in the order given; each says which it is."""
    given = list(params)
    for group in given if given and isinstance(given[0], dict) else [{"params": given}]:
        members = list(group["params"]) if not isinstance(group["params"], Tensor) else [group["params"]]
        for matrix in (True, False):
            if part := [p for p in members if (p.ndim >= 2) == matrix]:
                yield {"lr": lr if matrix else rest_lr, **group, "params": part, "matrix": matrix}


def orthogonal(matrix: Tensor, iterations: int = 5, bfloat16: bool = False, eps: float = 1e-7) -> Tensor:
    """About the nearest orthogonal matrix: singular values between 0.7 and 1.2, the same singular vectors.

    Args:
        matrix: (rows, columns).
        iterations: X <- a X + (b A + c A^2) X with A = X X'.
        bfloat16: Compute in bfloat16.
        eps: Least norm.
    """
    a, b, c = QUINTIC
    x = matrix.bfloat16() if bfloat16 else matrix
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x
    x = x / x.norm().clamp(min=eps)
    for _ in range(iterations):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return (x.T if tall else x).to(matrix.dtype)
