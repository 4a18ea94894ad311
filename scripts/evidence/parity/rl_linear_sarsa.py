"""Linear SARSA(lambda) against the book's loop: an environment, a step and a tile after the other."""

from functools import cache, partial

import gymnasium
import numpy as np
import torch

from datamodules.rl.steps import Steps
from lit_models.rl.linear_sarsa import LitLinearSarsa
from scripts.evidence.verify import Check, Tensors

ENVS, STEPS, LIMIT, ALPHA, GAMMA, LAM, TILINGS, TILES = 2, 60, 25, 0.5, 0.9, 0.8, 4, 3


@cache
def played() -> tuple[Tensors, np.ndarray]:
    """The weights after 60 steps and the last step's gradients; and the actions (T, N, 2), taken and next."""
    torch.manual_seed(0)
    data = Steps(env_id="MountainCar-v0", num_envs=ENVS, batch_size=1, max_steps=LIMIT)
    agent = LitLinearSarsa(
        num_envs=ENVS, alpha=ALPHA, gamma=GAMMA, lam=LAM, epsilon=0.3, tilings=TILINGS, tiles=TILES
    ).double()
    data.act = lambda observation, greedy=False: agent.act(observation.double(), greedy).detach()  # type: ignore[method-assign,assignment]
    data.trainer = type("T", (), {"lightning_module": agent, "global_rank": 0})()  # type: ignore[assignment]
    agent.record_train_loss = lambda *_: None  # type: ignore[method-assign]
    optimizer, taken = torch.optim.SGD(agent.parameters(), lr=1.0), []
    for t in range(STEPS):
        batch = data.collect()
        taken.append(torch.stack([batch[1][0], batch[4][0]], 1))
        optimizer.zero_grad()
        agent.training_step(tuple(x.double() if x.is_floating_point() else x for x in batch), t).backward()
        optimizer.step()
    gradient = agent.net.weights.grad
    assert gradient is not None
    found = {"weights": agent.net.weights.detach(), "grad weights": gradient}
    return found, torch.stack(taken).numpy()


def ours() -> Tensors:
    return dict(played()[0])


def tiles(observation: np.ndarray) -> list[int]:
    low, high, found = np.array([-1.2, -0.07], dtype=np.float32), np.array([0.6, 0.07], dtype=np.float32), []
    unit = (observation.astype(np.float64) - low) / (high - low).astype(np.float64) * TILES
    for k in range(TILINGS):
        cell = np.floor(unit + k * np.array([1, 3]) / TILINGS % 1).astype(int)
        found.append(k * (TILES + 1) ** 2 + cell[0] + (TILES + 1) * cell[1])
    return found


def loop(time_limits: bool = True) -> Tensors:
    """The book's loop with our actions; not ``time_limits``: an episode that was cut counts as terminated."""
    actions = played()[1]
    weights = np.zeros((TILINGS * (TILES + 1) ** 2, 3))
    traces = np.zeros((ENVS, *weights.shape))
    envs = [gymnasium.make("MountainCar-v0", max_episode_steps=LIMIT) for _ in range(ENVS)]
    states, over = [env.reset(seed=i)[0] for i, env in enumerate(envs)], [False] * ENVS
    for t in range(STEPS):
        change = np.zeros_like(weights)
        for i, env in enumerate(envs):
            if over[i]:  # the reset: nothing is learned
                states[i], over[i] = env.reset()[0], False
                continue
            action, following = actions[t, i]
            reached, reward, terminated, truncated, _ = env.step(int(action))
            now = sum(weights[k, action] for k in tiles(states[i]))
            after = sum(weights[k, following] for k in tiles(reached))
            ends = terminated or (truncated and not time_limits)
            delta = float(reward) + (0.0 if ends else GAMMA * after) - now
            traces[i] *= GAMMA * LAM
            for k in tiles(states[i]):
                traces[i, k, action] = 1.0
            change -= ALPHA / TILINGS / ENVS * delta * traces[i]
            states[i], over[i] = reached, terminated or truncated
            if over[i]:
                traces[i] = 0
        weights -= change
    return {"weights": torch.from_numpy(weights), "grad weights": torch.from_numpy(change)}


CHECKS = [
    Check(
        name="rl/linear_sarsa",
        claim="weights after 60 steps of two MountainCars with time limits, and the last step's gradients, of linear "
        "SARSA(lambda) with tile coding against a loop over environments and tiles",
        package="gymnasium",
        ours=ours,
        reference=loop,
        control=partial(loop, time_limits=False),
        mistake="what a time limit has cut counts as terminated: it has a value of 0 afterward",
    ),
]
