"""Planning against loops over gymnasium's own transition tables; bandits and prediction against the book's loops."""

from functools import partial

import gymnasium
import numpy as np
import torch

from datamodules.rl.bandits import Bandits
from datamodules.rl.mdp import arrays, transition_table
from datamodules.rl.random_walk import RandomWalk
from lit_models.rl.bandit import LitBandit
from lit_models.rl.planning import LitPlanning, action_values, greedy, optimal_values, solve
from lit_models.rl.prediction import LitPrediction
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


# -- bandits ----------------------------------------------------------------------------------------------------------


def our_bandit() -> Tensors:
    data = Bandits(num_runs=3, num_arms=4, num_pulls=60)
    player = LitBandit(num_runs=3, num_arms=4, method="ucb", c=2.0)
    optimizer = torch.optim.SGD(player.parameters(), lr=1.0)
    for row in data.load("fit")["train"][0]:
        optimizer.zero_grad()
        player.pull(row[None]).backward()
        optimizer.step()
    gradient = player.net.estimates.grad
    assert gradient is not None
    return {"estimates": player.net().detach(), "pulls": player.pulls, "grad estimates": gradient}


def bandit_loops(running: bool = True) -> Tensors:
    """UCB1 with running means, a run after the other; not ``running``: a constant step size of a tenth."""
    rewards = Bandits(num_runs=3, num_arms=4, num_pulls=60).load("fit")["train"][0].numpy().astype(np.float64)
    q, n, change = (np.zeros((3, 4)) for _ in range(3))
    for run in range(3):
        for t in range(60):
            unseen = [arm for arm in range(4) if not n[run, arm]]
            bonus = q[run] + np.sqrt(2 * np.log(max(t, 1)) / np.maximum(n[run], 1))
            arm = unseen[0] if unseen else int(bonus.argmax())
            n[run, arm] += 1
            rate = 1 / n[run, arm] if running else 0.1
            change[run] = 0
            change[run, arm] = rate * (q[run, arm] - rewards[t, run, arm])
            q[run] -= change[run]
    found = {"estimates": q, "pulls": n, "grad estimates": change}
    return {name: torch.from_numpy(value) for name, value in found.items()}


# -- prediction -------------------------------------------------------------------------------------------------------


def our_prediction() -> Tensors:
    states, rewards = RandomWalk(num_train=8).load("fit")["train"]
    model = LitPrediction(method="td_lambda", lam=0.7, gamma=0.9)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.2)
    for s, r in zip(states, rewards, strict=True):
        optimizer.zero_grad()
        model.loss(s[None], r[None]).backward()
        optimizer.step()
    gradient = model.net.values.grad
    assert gradient is not None
    return {"values": model.net().detach(), "grad values": gradient}


def prediction_loops(decays: bool = True) -> Tensors:
    """Offline TD(0.7) by eligibility traces; not ``decays``: the trace is not multiplied by the discount."""
    states, rewards = (part.numpy() for part in RandomWalk(num_train=8).load("fit")["train"])
    v = np.zeros(19)
    for s, r in zip(states, rewards, strict=True):
        e, update, length = np.zeros(19), np.zeros(19), int((s >= 0).sum())
        for t in range(length):
            after = v[s[t + 1]] if t + 1 < length else 0.0
            e *= 0.7 * (0.9 if decays else 1.0)
            e[s[t]] += 1
            update += (r[t] + 0.9 * after - v[s[t]]) * e
        v = v + 0.2 * update
    return {"values": torch.from_numpy(v), "grad values": torch.from_numpy(-update)}


CHECKS = [
    Check(
        name="rl/bandit",
        claim="UCB1's choices, running means and the gradient of the last pull against loops over runs and pulls",
        package="numpy",
        ours=our_bandit,
        reference=bandit_loops,
        control=partial(bandit_loops, running=False),
        mistake="a constant step size in place of the running mean",
    ),
    Check(
        name="rl/prediction",
        claim="TD(lambda) of eight episodes by the forward view against eligibility traces in a loop",
        package="numpy",
        ours=our_prediction,
        reference=prediction_loops,
        control=partial(prediction_loops, decays=False),
        mistake="the trace decays by lambda without the discount",
    ),
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
    ),
]
