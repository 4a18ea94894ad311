"""Back-propagation by hand: the forward and the backward pass of one hidden layer with an L2 term.

Rumelhart, Hinton and Williams 1986. D2L 5.3, which derives it without code; its names are kept:
z = W1 x + b1, h = relu(z), o = W2 h + b2, J = L(o, y) + s with s = lambda / 2 (||W1||^2 + ||W2||^2).
Departs from the book: there are biases, which the penalty leaves out, and a batch instead of one sample.

The gradients are handed to autograd as the backward pass of one function, so that the model trains, clips, accumulates
and resumes like any other; the tests and ``dive verify`` compare them with autograd's in double precision.

    dive fit mlp/backprop                                    5,000 real MNIST digits, offline
    dive fit mlp/backprop --model.backward_depth 1           the gradient stops before the hidden layer

The numbers they reach are in RESULTS.md.
"""

from typing import Any, Literal

import torch
from torch import Tensor, nn

from lit_models.linear.softmax_regression import log_softmax
from lit_models.tasks.classifier import Classifier
from lit_models.tasks.trains import flat_size, trains


class Objective(torch.autograd.Function):
    """J and L for a batch, and the gradients of J."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, y: Tensor, w1: Tensor, b1: Tensor, w2: Tensor, b2: Tensor, decay: float, depth: int
    ) -> tuple[Tensor, Tensor]:
        """Computes J = L + s and, for the record, L alone.

        Args:
            ctx: Keeps what the backward pass needs.
            x: (B, D).
            y: Classes (B,).
            w1, b1: (H, D) and (H,).
            w2, b2: (K, H) and (K,).
            decay: lambda.
            depth: 2 for the gradients of both layers, 1 for those of the output layer only.
        """
        z = x @ w1.T + b1  # (B, H)
        h = z.clamp(min=0)
        o = h @ w2.T + b2  # (B, K)
        log_p = log_softmax(o)
        loss = -log_p.gather(1, y[:, None]).mean()
        penalty = decay / 2 * (w1.square().sum() + w2.square().sum())
        ctx.save_for_backward(x, y, w1, w2, z, h, log_p)
        ctx.decay, ctx.depth = decay, depth
        ctx.mark_non_differentiable(loss)
        return loss + penalty, loss

    @staticmethod
    def backward(ctx: Any, dj: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        """From the output back to the input; ``dj`` () is the gradient of J itself, 1 unless J is scaled."""
        x, y, w1, w2, z, h, log_p = ctx.saved_tensors
        do = log_p.exp()  # (B, K): softmax minus one-hot, over the batch
        do[torch.arange(len(y), device=y.device), y] -= 1
        do = do / len(y) * dj
        dw2 = do.T @ h + dj * ctx.decay * w2  # (K, H)
        db2 = do.sum(0)  # (K,)
        if ctx.depth == 1:
            return None, None, None, None, dw2, db2, None, None
        dz = (do @ w2) * (z > 0)  # (B, H): back through W2, then through the derivative of the ReLU
        dw1 = dz.T @ x + dj * ctx.decay * w1  # (H, D)
        db1 = dz.sum(0)  # (H,)
        return dz @ w1, None, dw1, db1, dw2, db2, None, None


class TwoLayers(nn.Module):
    """One hidden ReLU layer made of four tensors. (B, ...) -> (B, num_classes) logits.

    Args:
        num_features: D.
        num_classes: K.
        hidden_size: H.
    """

    forward_methods = ("objective",)  # what training calls: see lit_models/tasks/processes.py: shard

    def __init__(self, num_features: int = 784, num_classes: int = 10, hidden_size: int = 256) -> None:
        super().__init__()
        self.w1 = nn.Parameter(torch.randn(hidden_size, num_features) * (2 / num_features) ** 0.5)  # He: 5.4
        self.b1 = nn.Parameter(torch.zeros(hidden_size))
        self.w2 = nn.Parameter(torch.randn(num_classes, hidden_size) * hidden_size**-0.5)
        self.b2 = nn.Parameter(torch.zeros(num_classes))

    def forward(self, x: Tensor) -> Tensor:
        return (x.flatten(1) @ self.w1.T + self.b1).clamp(min=0) @ self.w2.T + self.b2

    def objective(self, x: Tensor, y: Tensor, decay: float, depth: int = 2) -> tuple[Tensor, Tensor]:
        """J, with gradients by hand, and L, in the parameters' precision also where autocast would take a lower one."""
        with torch.autocast(x.device.type, enabled=False):
            return Objective.apply(x.flatten(1), y, self.w1, self.b1, self.w2, self.b2, decay, depth)


@trains(TwoLayers, num_features=flat_size)
class LitBackprop(Classifier):
    """The network above, trained with its own gradients. ``train/loss`` is L, without the penalty.

    Args:
        decay: lambda of the L2 term.
        backward_depth: 2 carries the gradient to the hidden layer, 1 leaves that layer at its initial values.
        **task: See ``Classifier``.
    """

    net: TwoLayers
    smooths = False  # the gradients by hand are those without

    def __init__(self, decay: float = 1e-3, backward_depth: Literal[1, 2] = 2, **task: Any) -> None:
        super().__init__(**task)
        self.decay, self.backward_depth = decay, backward_depth

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        objective, loss = self.net.objective(x, y, self.decay, self.backward_depth)
        self.record_train_loss(loss, len(x))
        return objective
