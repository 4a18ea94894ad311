"""Planning against loops over gymnasium's own transition tables."""

from functools import partial

import gymnasium
import numpy as np
import torch

from datamodules.rl.mdp import arrays, transition_table
from lit_models.rl.planning import LitPlanning, action_values, greedy, optimal_values, solve
from scripts.evidence.verify import Check, Tensors

ENV, GAMMA, SWEEPS = "CliffWalking-v1", 0.9, 60


def our_planning() -> Tensors:
    p, r = arrays(transition_table(ENV))
    model = LitPlanning(num_states=48, gamma=GAMMA)
    model.mdp = lambda: (p, r)  # type: ignore[method-assign]
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    for _ in range(SWEEPS):
        optimizer.zero_grad()
        values = model.net()
        target = model.sweep(values.detach(), torch.arange(48))
        ((values - target).square().sum() / 2).backward()
        optimizer.step()
    gradient = model.net.values.grad
    assert gradient is not None
    values = model.net().detach()
    exact = optimal_values(p, r, GAMMA)
    random = solve(p, r, torch.full((48, 4), 0.25, dtype=torch.float64), GAMMA)
    best = action_values(p, r, exact, GAMMA) >= exact[:, None] - 1e-9
    chosen = greedy(p, r, exact, GAMMA).argmax(1)
    return {
        "values": values,
        "grad values": gradient,
        "optimal": exact,
        "random policy": random,
        "greedy": best.gather(1, chosen[:, None])[:, 0].double(),
    }


def loops(after_the_end: bool = False) -> Tensors:
    """The book's loops (D2L 17.2) over ``env.unwrapped.P``, and numpy's linear solve.

    With ``after_the_end`` the value of the state in which an episode ends is added.
    """
    table = gymnasium.make(ENV).unwrapped.P  # type: ignore[attr-defined]

    def q(values: np.ndarray, s: int, a: int) -> float:
        return sum(p * (float(r) + GAMMA * values[t] * (after_the_end or not ends)) for p, t, r, ends in table[s][a])

    values = np.zeros(48)
    for _ in range(SWEEPS):
        old, values = values, np.array([max(q(values, s, a) for a in range(4)) for s in range(48)])
    exact = values
    for _ in range(200):
        exact = np.array([max(q(exact, s, a) for a in range(4)) for s in range(48)])
    matrix, reward = np.eye(48), np.zeros(48)
    for s in range(48):
        for a in range(4):
            for p, t, r, ends in table[s][a]:
                reward[s] += 0.25 * p * float(r)
                matrix[s, t] -= 0.25 * GAMMA * p * (after_the_end or not ends)
    found = {
        "values": values,
        "grad values": old - values,
        "optimal": exact,
        "random policy": np.linalg.solve(matrix, reward),
        "greedy": np.ones(48),
    }
    return {name: torch.from_numpy(np.asarray(value)) for name, value in found.items()}


CHECKS = [
    Check(
        name="rl/planning",
        claim="60 sweeps of value iteration on CliffWalking, their gradients, the optimal values and the random "
        "policy's against loops over the environment's table and numpy's linear solve",
        package="gymnasium",
        ours=our_planning,
        reference=loops,
        control=partial(loops, after_the_end=True),
        mistake="the value of the state in which an episode ends is added to its last reward",
        tolerance=1e-8,
        why="260 sweeps at discount 0.9 leave 1e-11 of the values, at most 10",
    )
]
