"""The natural step against the Fisher matrix written out in NumPy, whose system LAPACK solves."""

from functools import partial

import numpy as np
import torch
from torch import Tensor

from lit_models.rl.natural_gradient import LitNaturalGradient
from scripts.evidence.verify import Check, Tensors

ROWS, KL, DAMPING = 40, 0.01, 0.1


def agent() -> LitNaturalGradient:
    torch.manual_seed(1)
    model = LitNaturalGradient(hidden_size=2, step_kl=KL, damping=DAMPING, cg_steps=100)
    model.net.body[-1].weight.data.mul_(100)  # type: ignore[operator,union-attr]  # a policy that prefers something
    return model


def batch() -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(2)
    return torch.randn(ROWS, 4), torch.randint(2, (ROWS,)), torch.randn(ROWS)


def ours() -> Tensors:
    model, (observation, action, advantage) = agent(), batch()
    (-(model.net.policy(observation).log_prob(action) * advantage).mean()).backward()
    weights = dict(model.net.named_parameters())
    gradient = torch.cat([p.grad.flatten() for p in weights.values() if p.grad is not None])
    step = model.natural_step(gradient, observation)
    parts = step.split([p.numel() for p in weights.values()])
    found = {f"step {name}": part.double() for name, part in zip(weights, parts, strict=True)}
    return found | {f"grad {name}": p.grad.flatten().double() for name, p in weights.items() if p.grad is not None}


def theirs(of_the_policy: bool = True) -> Tensors:
    """Back-propagation and the Fisher matrix by hand; not ``of_the_policy``: over the actions that were taken."""
    layers = [p.detach().double().numpy() for p in agent().net.body.parameters()]
    observation, action, advantage = (part.numpy() for part in batch())
    gradient, fisher = np.zeros(size := sum(p.size for p in layers)), np.zeros((size, size))
    for x, a, gain in zip(observation.astype(np.float64), action, advantage.astype(np.float64), strict=True):
        slopes, chances = scores(layers, x)
        gradient -= gain * slopes[a] / ROWS
        weights = chances if of_the_policy else np.eye(2)[a]
        fisher += sum(w * np.outer(s, s) for w, s in zip(weights, slopes, strict=True)) / ROWS
    step = np.linalg.solve(fisher + DAMPING * np.eye(size), gradient)
    step *= np.sqrt(2 * KL / (gradient @ step))
    names = [f"body.{2 * (k // 2)}.{('weight', 'bias')[k % 2]}" for k in range(len(layers))]
    ends = np.cumsum([p.size for p in layers])[:-1]
    found: Tensors = {}
    for kind, vector in (("step", step), ("grad", gradient)):
        found |= {f"{kind} {n}": torch.from_numpy(part) for n, part in zip(names, np.split(vector, ends), strict=True)}
    return found


def scores(layers: list[np.ndarray], x: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
    """The gradient of log pi by all weights for each of two actions, and the actions' probabilities."""
    w1, b1, w2, b2, w3, b3 = layers
    h1 = np.tanh(w1 @ x + b1)
    h2 = np.tanh(w2 @ h1 + b2)
    logits = w3 @ h2 + b3
    chances = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
    found = []
    for a in range(2):
        d3 = np.eye(2)[a] - chances
        d2 = (w3.T @ d3) * (1 - h2**2)
        d1 = (w2.T @ d2) * (1 - h1**2)
        layer = ((d1, x), (d2, h1), (d3, h2))
        found.append(np.concatenate([part.ravel() for d, h in layer for part in (np.outer(d, h), d)]))
    return found, chances


CHECKS = [
    Check(
        name="rl/natural_gradient",
        claim="a step by conjugate gradients with products of second derivatives against the Fisher matrix written out "
        "and LAPACK's solution",
        package="numpy",
        ours=ours,
        reference=theirs,
        control=partial(theirs, of_the_policy=False),
        mistake="the Fisher matrix over the actions that were taken, and not over the policy's own",
        tolerance=1e-4,
        why="the policy computes in single precision",
    ),
]
