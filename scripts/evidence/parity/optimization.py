"""Optimizers against torch.optim, ``schedulefree`` and the papers' equations in numpy, over 100 steps.

Each starts from the same weights of a small network and is compared in its weights and
in the gradients there, at the end.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import schedulefree
import torch
from torch import Tensor, nn

from lit_models.optimization.adagrad import AdaGrad
from lit_models.optimization.adam import Adam, AdamW, Yogi
from lit_models.optimization.averaging import PolyakAverage
from lit_models.optimization.lion import Lion
from lit_models.optimization.lookahead import Lookahead
from lit_models.optimization.rmsprop import Adadelta, RMSProp
from lit_models.optimization.sam import SAM
from lit_models.optimization.schedule_free import ScheduleFreeAdamW
from lit_models.optimization.sgd import SGD
from scripts.evidence.verify import Check, Tensors

STEPS = 100
Rule = Callable[[np.ndarray, np.ndarray, dict[str, Any], int], np.ndarray]  # weights, gradient, memory, step from 1


def problem() -> tuple[nn.Sequential, Tensor, Tensor]:
    """A network of two layers with rows x (20, 5) and targets (20, 3), in double precision."""
    torch.manual_seed(3)
    net = nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 3)).double()
    return net, torch.randn(20, 5, dtype=torch.float64), torch.randn(20, 3, dtype=torch.float64)


def loss_of(net: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    net.zero_grad()
    loss = (net(x) - y).square().mean()
    loss.backward()
    return loss.detach()


def quantities(net: nn.Module, x: Tensor, y: Tensor) -> Tensors:
    loss = loss_of(net, x, y)
    parameters = list(net.parameters())
    gradient = torch.cat([p.grad.flatten() for p in parameters if p.grad is not None])
    return {"weights": torch.cat([p.detach().flatten() for p in parameters]), "loss": loss, "grad": gradient}


def trained(make: Callable[..., Any], averaged: bool = False) -> Tensors:
    """With an optimizer's class; ``averaged`` in its weights for evaluation."""
    net, x, y = problem()
    optimizer = make(net.parameters())
    if hasattr(optimizer, "train"):
        optimizer.train()
    for _ in range(STEPS):
        optimizer.step(partial(loss_of, net, x, y))
    if averaged:
        optimizer.eval()
    return quantities(net, x, y)


def by_rule(rule: Rule, perturb: float = 0.0, average: Callable[[int], float] | None = None) -> Tensors:
    """With a rule in numpy for each tensor; the gradient may be that of a point ``perturb`` uphill."""
    net, x, y = problem()
    memory: list[dict[str, Any]] = [{} for _ in net.parameters()]
    means = [p.detach().numpy().copy() for p in net.parameters()]
    for t in range(1, STEPS + 1):
        loss_of(net, x, y)
        start = [p.detach().clone() for p in net.parameters()]
        if perturb:
            uphill = [p.grad.clone() for p in net.parameters() if p.grad is not None]
            norm = np.sqrt(sum(float((g.numpy() ** 2).sum()) for g in uphill))
            for p, g in zip(net.parameters(), uphill, strict=True):
                p.data += perturb * g / norm
            loss_of(net, x, y)
        for k, (p, w, m) in enumerate(zip(net.parameters(), start, memory, strict=True)):
            assert p.grad is not None
            p.data.copy_(torch.from_numpy(rule(w.numpy(), p.grad.numpy(), m, t)))
            if average is not None:
                means[k] += (p.detach().numpy() - means[k]) * average(t)
    if average is not None:
        for p, mean in zip(net.parameters(), means, strict=True):
            p.data.copy_(torch.from_numpy(mean))
    return quantities(net, x, y)


def sgd_rule(w: np.ndarray, g: np.ndarray, m: dict[str, Any], t: int) -> np.ndarray:
    return w - 0.1 * g


def lion_rule(w: np.ndarray, g: np.ndarray, m: dict[str, Any], t: int, swapped: bool = False) -> np.ndarray:
    b1, b2 = (0.99, 0.9) if swapped else (0.9, 0.99)
    old = m.get("m", np.zeros_like(w))
    m["m"] = b2 * old + (1 - b2) * g
    return (1 - 0.01 * 0.1) * w - 0.01 * np.sign(b1 * old + (1 - b1) * g)


def yogi_rule(w: np.ndarray, g: np.ndarray, m: dict[str, Any], t: int, adam: bool = False) -> np.ndarray:
    m["v"] = 0.9 * m.get("v", 0 * w) + 0.1 * g
    s = m.get("s", 0 * w)
    m["s"] = 0.999 * s + 0.001 * g**2 if adam else s + 0.001 * np.sign(g**2 - s) * g**2
    return w - 0.01 * m["v"] / (1 - 0.9**t) / (np.sqrt(m["s"] / (1 - 0.999**t)) + 1e-3)


def book_adagrad(w: np.ndarray, g: np.ndarray, m: dict[str, Any], t: int, outside: bool = False) -> np.ndarray:
    m["s"] = m.get("s", 0 * w) + g**2
    return w - 0.1 * g / (np.sqrt(m["s"]) + 1e-3 if outside else np.sqrt(m["s"] + 1e-3))


def book_rmsprop(w: np.ndarray, g: np.ndarray, m: dict[str, Any], t: int, outside: bool = False) -> np.ndarray:
    m["s"] = 0.9 * m.get("s", 0 * w) + 0.1 * g**2
    return w - 0.01 * g / (np.sqrt(m["s"]) + 1e-3 if outside else np.sqrt(m["s"] + 1e-3))


def lookahead_rule(w: np.ndarray, g: np.ndarray, m: dict[str, Any], t: int, every: int = 5) -> np.ndarray:
    slow = m.setdefault("slow", w.copy())
    fast = w - 0.1 * g
    if t % every == 0:
        m["slow"] = fast = slow + 0.5 * (fast - slow)
    return fast


def schedule_free(decay: float) -> Tensors:
    make = partial(schedulefree.AdamWScheduleFree, lr=0.01, weight_decay=decay, warmup_steps=10, foreach=False)
    return trained(make, averaged=True)


def against_torch(name: str, ours: Any, theirs: Any, control: Any, mistake: str, what: str = "") -> Check:
    label = ours.func.__name__
    return Check(
        name=f"optimization/{name}",
        claim=f"{label}{what} against torch.optim.{theirs.func.__name__}, {STEPS} steps",
        package="torch",
        ours=partial(trained, ours),
        reference=partial(trained, theirs),
        control=partial(trained, control),
        mistake=mistake,
    )


def against_equations(name: str, claim: str, ours: Any, reference: Any, control: Any, mistake: str) -> Check:
    return Check(
        name=f"optimization/{name}",
        claim=f"{claim}, {STEPS} steps",
        package="numpy",
        ours=ours,
        reference=reference,
        control=control,
        mistake=mistake,
    )


O = torch.optim  # noqa: E741
SGD_ARGS: dict[str, Any] = {"lr": 0.1, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.01}
ADAGRAD: dict[str, Any] = {"lr": 0.1, "lr_decay": 0.1, "weight_decay": 0.01, "initial_accumulator_value": 0.1}
RMS: dict[str, Any] = {"lr": 0.01, "momentum": 0.9, "weight_decay": 0.01}
NESTEROV: dict[str, Any] = {"lr": 0.01, "momentum": 0.9, "nesterov": True}
CHECKS = [
    against_torch("sgd", partial(SGD, **SGD_ARGS), partial(O.SGD, **SGD_ARGS),
                  partial(O.SGD, **(SGD_ARGS | {"dampening": 0.0})), "no dampening", " with momentum and decay"),
    against_torch("nesterov", partial(SGD, **NESTEROV, maximize=True), partial(O.SGD, **NESTEROV, maximize=True),
                  partial(O.SGD, lr=0.01, momentum=0.9, maximize=True), "momentum without Nesterov's look ahead",
                  " with Nesterov's momentum, uphill"),
    against_torch("adagrad", partial(AdaGrad, **ADAGRAD), partial(O.Adagrad, **ADAGRAD),
                  partial(O.Adagrad, **(ADAGRAD | {"lr_decay": 0.0})), "no decay of the rate"),
    against_torch("rmsprop", partial(RMSProp, centered=True, **RMS), partial(O.RMSprop, centered=True, **RMS),
                  partial(O.RMSprop, **RMS), "the mean not taken off", ", centered"),
    against_torch("adadelta", partial(Adadelta, weight_decay=0.01), partial(O.Adadelta, weight_decay=0.01),
                  partial(O.Adadelta, weight_decay=0.01, rho=0.95), "another rho"),
    against_torch("adam", partial(Adam, lr=0.01, weight_decay=0.01), partial(O.Adam, lr=0.01, weight_decay=0.01),
                  partial(O.AdamW, lr=0.01, weight_decay=0.01), "decay apart from the gradient"),
    against_torch("amsgrad", partial(Adam, lr=0.01, amsgrad=True), partial(O.Adam, lr=0.01, amsgrad=True),
                  partial(O.Adam, lr=0.01), "the second moment instead of its largest value", " with AMSGrad"),
    against_torch("adamw", partial(AdamW, lr=0.01, weight_decay=0.1), partial(O.AdamW, lr=0.01, weight_decay=0.1),
                  partial(O.Adam, lr=0.01, weight_decay=0.1), "decay in the gradient"),
    Check(
        name="optimization/schedule_free",
        claim=f"ScheduleFreeAdamW, its weights of evaluation, against schedulefree.AdamWScheduleFree, {STEPS} steps",
        package="schedulefree",
        ours=partial(trained, partial(ScheduleFreeAdamW, lr=0.01, weight_decay=0.1, warmup=10), averaged=True),
        reference=partial(schedule_free, 0.1),
        control=partial(schedule_free, 0.0),
        mistake="no weight decay",
    ),
    against_equations("yogi", "Yogi against D2L 12.10.3's equations", partial(trained, partial(Yogi, lr=0.01)),
                      partial(by_rule, yogi_rule), partial(by_rule, partial(yogi_rule, adam=True)),
                      "Adam's second moment"),
    against_equations("adagrad_book", "AdaGrad with epsilon inside against D2L 12.7's equations",
                      partial(trained, partial(AdaGrad, lr=0.1, eps=1e-3, eps_inside=True)),
                      partial(by_rule, book_adagrad), partial(by_rule, partial(book_adagrad, outside=True)),
                      "epsilon outside of the root"),
    against_equations("rmsprop_book", "RMSProp with epsilon inside against D2L 12.8's equations",
                      partial(trained, partial(RMSProp, lr=0.01, alpha=0.9, eps=1e-3, eps_inside=True)),
                      partial(by_rule, book_rmsprop), partial(by_rule, partial(book_rmsprop, outside=True)),
                      "epsilon outside of the root"),
    against_equations("lion", "Lion against its paper's algorithm 2",
                      partial(trained, partial(Lion, lr=0.01, weight_decay=0.1)), partial(by_rule, lion_rule),
                      partial(by_rule, partial(lion_rule, swapped=True)), "the two betas exchanged"),
    against_equations("lookahead", "Lookahead around SGD against its paper's algorithm 1",
                      partial(trained, partial(Lookahead, base=partial(SGD, lr=0.1))),
                      partial(by_rule, lookahead_rule), partial(by_rule, partial(lookahead_rule, every=6)),
                      "six steps ahead instead of five"),
    against_equations("sam", "SAM around SGD against its paper's algorithm 1",
                      partial(trained, partial(SAM, base=partial(SGD, lr=0.1), radius=0.2)),
                      partial(by_rule, sgd_rule, 0.2), partial(by_rule, sgd_rule), "the gradient at the point itself"),
    against_equations("polyak", "PolyakAverage around SGD, the mean of all weights",
                      partial(trained, partial(PolyakAverage, base=partial(SGD, lr=0.1)), averaged=True),
                      partial(by_rule, sgd_rule, average=lambda t: 1 / t),
                      partial(by_rule, sgd_rule, average=lambda t: 1 / (t + 1)), "the first weights in the mean too"),
]  # fmt: skip
