"""Control against the book's loops: a player, a step and a state after the other, in gymnasium's own environment."""

from functools import cache, partial

import gymnasium
import numpy as np
import torch

from datamodules.rl.tabular_environments import ToyText
from lit_models.rl.control import LitControl, Method
from scripts.evidence.verify import Check, Tensors

RUNS, STEPS, ALPHA, GAMMA, EPSILON, LAM = 3, 250, 0.5, 0.9, 0.1, 0.7
#: Name of the table that is compared, method, lambda.
PLAYERS: tuple[tuple[str, Method, float], ...] = (
    ("sarsa", "sarsa", 0.0),
    ("sarsa lambda", "sarsa", LAM),
    ("expected sarsa", "expected_sarsa", 0.0),
    ("q learning", "q_learning", 0.0),
    ("double q", "double_q", 0.0),
)


@cache
def played() -> tuple[Tensors, dict[str, np.ndarray]]:
    """Tables (2, R, S, A) after 250 steps and the gradients of the last; actions (T, 2, R), each and the next one."""
    found: Tensors = {}
    actions: dict[str, np.ndarray] = {}
    for name, method, lam in PLAYERS:
        torch.manual_seed(0)
        data = ToyText(num_runs=RUNS, max_steps=60)
        player = LitControl(num_runs=RUNS, method=method, lam=lam, alpha=ALPHA, gamma=GAMMA, epsilon=EPSILON)
        data.act = player.act  # type: ignore[method-assign]
        player.record_train_loss = lambda *_: None  # type: ignore[method-assign]
        optimizer = torch.optim.SGD(player.parameters(), lr=1.0)
        taken = []
        for t in range(STEPS):
            batch = data.collect()
            taken.append((batch[1][0], batch[4][0]))
            torch.manual_seed(t)  # which of two tables learns
            optimizer.zero_grad()
            player.training_step(batch, t).backward()
            optimizer.step()
        gradient = player.net.values.grad
        assert gradient is not None
        found |= {name: player.net.values.detach(), f"grad {name}": gradient}
        actions[name] = torch.stack([torch.stack(pair) for pair in taken]).numpy()
    return found, actions


def our_players() -> Tensors:
    return dict(played()[0])


def loops(on_policy: bool = False) -> Tensors:
    """Sutton and Barto's boxes, with the actions of ours; ``on_policy``: Q-learning expects the action taken next."""
    actions, coins = played()[1], []
    found: Tensors = {}
    for t in range(STEPS):
        torch.manual_seed(t)
        coins.append(torch.randint(2, (RUNS,)).tolist())
    for name, method, lam in PLAYERS:
        tables, change = np.zeros((2, RUNS, 48, 4)), np.zeros((2, RUNS, 48, 4))
        for run in range(RUNS):
            env = gymnasium.make("CliffWalking-v1")
            state, trace, steps = env.reset()[0], np.zeros((48, 4)), 0
            for t in range(STEPS):
                action, following = actions[name][t, :, run]
                reached, reward, terminated, *_ = env.step(int(action))
                one = coins[t][run] if method == "double_q" else 0
                q = tables[one, run]
                if method == "sarsa" or (method == "q_learning" and on_policy):
                    after = q[reached, following]
                elif method == "expected_sarsa":
                    policy = np.full(4, EPSILON / 4)
                    policy[q[reached].argmax()] += 1 - EPSILON
                    after = policy @ q[reached]
                elif method == "double_q":
                    after = tables[1 - one, run, reached, q[reached].argmax()]
                else:
                    after = max(q[reached])
                delta = float(reward) + (0.0 if terminated else GAMMA * after) - q[state, action]
                trace *= GAMMA * lam
                trace[state, action] = 1.0
                change[:, run] = 0
                for table in (one,) if method == "double_q" else (0, 1):  # the second is a copy
                    change[table, run] = -ALPHA * delta * trace
                tables[:, run] -= change[:, run]
                steps, state = steps + 1, reached
                if terminated or steps == 60:
                    state, trace, steps = env.reset()[0], np.zeros((48, 4)), 0
        found |= {name: torch.from_numpy(tables), f"grad {name}": torch.from_numpy(change)}
    return found


CHECKS = [
    Check(
        name="rl/control",
        claim="tables of SARSA, SARSA(lambda), expected SARSA, Q-learning and double Q after 250 steps on the cliff "
        "and the gradients of the last against loops over players and steps in gymnasium's environment",
        package="gymnasium",
        ours=our_players,
        reference=loops,
        control=partial(loops, on_policy=True),
        mistake="Q-learning expects the action that is taken next and not the best one",
    ),
]
