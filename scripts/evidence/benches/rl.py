"""Agents on CartPole: the recipes as ``dive fit`` runs them, a bare loop, stable-baselines3; Q-learning on the cliff.

The sides of an agent have the same environments, updates, batches and networks: 16 environments, 64 steps, ten passes
in batches of 256 for PPO; 8 environments, a batch of 128 after each step of all of them for DQN (neither double nor
dueling, one step). stable-baselines3 steps its environments one after the other, in the way its own helper makes them.
The book's Q-learning (D2L 17.3) is a loop over the steps of one player.
"""

import itertools
from collections.abc import Callable
from functools import partial
from typing import Any

import gymnasium
import numpy as np
import torch
from torch import Tensor, nn

from lit_models.rl.dqn import QNetwork
from lit_models.rl.ppo import ActorCritic
from lit_models.rl.returns import gae
from scripts.evidence.benches import ours
from scripts.evidence.benches.part import Goal, Part
from scripts.evidence.benches.workloads import Clock, take_turns
from scripts.front.build import build

PART = Part(
    "Reinforcement learning",
    """\
`PPO` and `DQN` on CartPole: the recipes with one learning rate as `dive fit` runs them, the shortest loop with
gymnasium's vector environment, and stable-baselines3, all with the same environments, updates, batches and networks
(`DQN` neither double nor dueling). `Q-learning`: 4,096 players on the cliff, against a loop over the steps of one.""",
    "frames",
    (
        Goal("PPO", "stable-baselines3", 1.5, None, "environments that move together, minibatches by index"),
        Goal("DQN", "stable-baselines3", 1.5, None, "the same"),
        Goal("PPO", "bare", 0.5, None, "updates of a fraction of a millisecond"),
        Goal("DQN", "bare", 0.5, None, "the same"),
        Goal("Q-learning", "the book's loop", 20.0, None, "thousands of players in one step"),
    ),
)
Row = dict[str, Any]
ENVS, STEPS, PASSES, BATCH = 16, 64, 10, 256  # of PPO
PARTS = ENVS * STEPS // BATCH  # minibatches of a pass
GAMMA, LAMBDA, CLIP, RATE = 0.98, 0.8, 0.2, 1e-3
DQN_ENVS, DQN_BATCH, CAPACITY, FIRST, COPY = 8, 128, 10_000, 1000, 20
DQN = ["--model.double", "false", "--model.dueling", "false", "--data.n_step", "1"]
PLAYERS = 4096


def measure(
    threads: int,
    repeats: int,
    say: Callable[[str], None],
    rollouts: int = 12,
    batches: int = 600,
    players: int = PLAYERS,
) -> list[Row]:
    """Frames a second of each side in each turn.

    Args:
        threads, repeats, say: See ``dive bench``.
        rollouts: Timed rollouts of PPO.
        batches: Timed batches of DQN and steps of all players of Q-learning.
        players: Of our Q-learning.
    """
    torch.set_num_threads(threads)
    ppo = {"ours": ppo_ours, "bare": ppo_bare, "stable-baselines3": ppo_other}
    dqn = {"ours": dqn_ours, "bare": dqn_bare, "stable-baselines3": dqn_other}
    table: dict[str, Callable[[Clock], None]] = {"ours": partial(q_ours, players), "the book's loop": q_loop}
    return [
        *take_turns("PPO", threads, ppo, repeats, rollouts, 1, say),
        *take_turns("DQN", threads, dqn, repeats, batches, 10, say),
        *take_turns("Q-learning", threads, table, repeats, batches, 10, say),
    ]


class InParts:
    """The clock of a side whose every ``parts`` batches are one tick of another; ``frames()`` were played so far."""

    def __init__(self, clock: Clock, parts: int, frames: Callable[[], int]) -> None:
        self.clock, self.parts, self.frames, self.count, self.before = clock, parts, frames, 0, frames()

    @property
    def total(self) -> int:
        return self.clock.total * self.parts

    def tick(self, samples: int) -> None:
        self.count += 1
        if self.count % self.parts == 0:
            now = self.frames()
            self.clock.tick(now - self.before)
            self.before = now


# -- PPO --------------------------------------------------------------------------------------------------------------


def ppo_ours(clock: Clock) -> None:
    _, model, data = build(["rl/ppo", "--model.lr_scheduler", "null"])
    ours.fit(
        model, data, InParts(clock, PASSES * PARTS, lambda: int(model.get_buffer("frames"))), gradient_clip_val=0.5
    )


def ppo_bare(clock: Clock) -> None:
    """One loop over rollouts, passes and minibatches, with gymnasium's vector environment."""
    env = cart_poles(ENVS)
    net = ActorCritic()
    optimizer = torch.optim.Adam(net.parameters(), RATE, fused=True)
    seen = torch.from_numpy(env.reset(seed=0)[0])
    over = torch.zeros(ENVS, dtype=torch.bool)
    while not clock.done:
        rows: list[tuple[Tensor, ...]] = []
        observations = [seen]
        with torch.no_grad():
            for _ in range(STEPS):
                action = net.policy(seen).sample()
                reached, reward, terminated, truncated, _ = env.step(action.numpy())
                seen, valid, over = torch.from_numpy(reached), ~over, torch.from_numpy(terminated | truncated)
                rows.append((action, torch.from_numpy(reward).float(), torch.from_numpy(terminated), over, valid))
                observations.append(seen)
            all_seen = torch.stack(observations)
            actions, rewards, ends, overs, valids = (torch.stack(column) for column in zip(*rows, strict=True))
            values = net.value(all_seen)
            advantage = gae(rewards, values[:-1], values[1:], (~ends).float(), (~overs).float(), GAMMA, LAMBDA)
            before = net.policy(all_seen[:-1]).log_prob(actions)
        parts = (all_seen[:-1], actions, before, advantage, advantage + values[:-1])
        data = tuple(part[valids] for part in parts)
        for _ in range(PASSES):
            for index in torch.randperm(len(data[0])).tensor_split(PARTS):
                ppo_step(net, optimizer, *(part[index] for part in data))
        clock.tick(int(valids.sum()))
    env.close()


def ppo_step(
    net: ActorCritic, optimizer: Any, seen: Tensor, action: Tensor, before: Tensor, advantage: Tensor, returns: Tensor
) -> None:
    log_prob = net.policy(seen).log_prob(action)
    advantage = (advantage - advantage.mean()) / (advantage.std() + 1e-8)
    ratio = (log_prob - before).exp()
    gain = torch.minimum(ratio * advantage, ratio.clamp(1 - CLIP, 1 + CLIP) * advantage)
    loss = -gain.mean() + 0.5 * (net.value(seen) - returns).square().mean()
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(net.parameters(), 0.5)
    optimizer.step()


def ppo_other(clock: Clock) -> None:
    ppo_of_sb3().learn(ENVS * STEPS * clock.total, callback=clock_of_sb3(clock, ENVS * STEPS, rollouts=True))


def ppo_of_sb3() -> Any:
    """stable-baselines3's PPO with the settings of this file."""
    from stable_baselines3 import PPO
    from stable_baselines3.common.env_util import make_vec_env

    same: dict[str, Any] = {"gamma": GAMMA, "gae_lambda": LAMBDA, "learning_rate": RATE, "clip_range": CLIP}
    same["ent_coef"] = 0.0
    sizes: dict[str, Any] = {"n_steps": STEPS, "batch_size": BATCH, "n_epochs": PASSES, "device": "cpu"}
    return PPO("MlpPolicy", make_vec_env("CartPole-v1", ENVS, seed=0), **same, **sizes)


# -- DQN --------------------------------------------------------------------------------------------------------------


def dqn_ours(clock: Clock) -> None:
    _, model, data = build(["rl/dqn", "--model.lr_scheduler", "null", *DQN])
    ours.fit(model, data, InParts(clock, 1, lambda: int(model.get_buffer("frames"))), gradient_clip_val=10.0)


def dqn_bare(clock: Clock) -> None:
    """A ring of tensors, uniform draws, the squared error, a copy of the network every 20 steps."""
    env, net, target = cart_poles(DQN_ENVS), QNetwork(dueling=False), QNetwork(dueling=False)
    optimizer = torch.optim.Adam(net.parameters(), RATE, fused=True)
    rows = CAPACITY // DQN_ENVS
    ring = [torch.zeros(rows, DQN_ENVS, *shape) for shape in ((4,), (4,), (), (), ())]
    seen, head = torch.from_numpy(env.reset(seed=0)[0]), 0
    over = torch.zeros(DQN_ENVS, dtype=torch.bool)
    while not clock.done:
        played = DQN_ENVS - int(over.sum())
        with torch.no_grad():
            action = net(seen).argmax(1)
            action = torch.where(torch.rand(DQN_ENVS) < 0.1, torch.randint(2, (DQN_ENVS,)), action)
        reached, reward, terminated, truncated, _ = env.step(action.numpy())
        after, over = torch.from_numpy(reached), torch.from_numpy(terminated | truncated)
        step = (seen, after, action.float(), torch.from_numpy(reward).float(), torch.from_numpy(~terminated).float())
        for part, value in zip(ring, step, strict=True):
            part[head % rows] = value
        seen, head = after, head + 1
        if head * DQN_ENVS < FIRST:
            continue
        if clock.count % COPY == 0:
            target.load_state_dict(net.state_dict())
        index = torch.randint(min(head, rows) * DQN_ENVS, (DQN_BATCH,))
        was, then, did, paid, alive = (part.flatten(0, 1)[index] for part in ring)
        with torch.no_grad():
            wanted = paid + 0.99 * alive * target(then).amax(1)
        loss = (net(was).gather(1, did.long()[:, None])[:, 0] - wanted).square().mean()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 10.0)
        optimizer.step()
        clock.tick(played)
    env.close()


def dqn_other(clock: Clock) -> None:
    from stable_baselines3 import DQN as OtherDQN
    from stable_baselines3.common.env_util import make_vec_env

    same: dict[str, Any] = {"learning_rate": RATE, "batch_size": DQN_BATCH, "buffer_size": CAPACITY}
    same |= {"learning_starts": FIRST, "train_freq": 1, "gradient_steps": 1, "target_update_interval": COPY * DQN_ENVS}
    environments = make_vec_env("CartPole-v1", DQN_ENVS, seed=0)
    model = OtherDQN("MlpPolicy", environments, policy_kwargs={"net_arch": [128, 128]}, device="cpu", **same)
    model.learn(FIRST + DQN_ENVS * (clock.total + 2), callback=clock_of_sb3(clock, DQN_ENVS, FIRST))


# -- Q-learning -------------------------------------------------------------------------------------------------------


def q_ours(players: int, clock: Clock) -> None:
    _, model, data = build(["rl/control", "--data.num_runs", str(players)])
    begun = itertools.count(step=players)
    ours.fit(model, data, InParts(clock, 1, lambda: next(begun)))


def q_loop(clock: Clock) -> None:
    """In the manner of D2L 17.3: one player, one step at a time; a hundred steps are a tick."""
    env = gymnasium.make("CliffWalking-v1")
    table, draw = np.zeros((48, 4)), np.random.default_rng(0)
    state, _ = env.reset(seed=0)
    while not clock.done:
        for _ in range(100):
            action = int(draw.integers(4)) if draw.random() < 0.1 else int(table[state].argmax())
            after, reward, over, cut, _ = env.step(action)
            table[state, action] += 0.5 * (float(reward) + (not over) * table[after].max() - table[state, action])
            state = env.reset()[0] if over or cut else after
        clock.tick(100)


# -- what the sides share ---------------------------------------------------------------------------------------------


def cart_poles(count: int) -> Any:
    """Environments that gymnasium moves together."""
    return gymnasium.make_vec("CartPole-v1", count, vectorization_mode="vector_entry_point")


def clock_of_sb3(clock: Clock, frames: int, first: int = 0, rollouts: bool = False) -> Any:
    """A callback of stable-baselines3 that ticks after each update: once a rollout, or a step of all environments."""

    def tick(steps: int = 10**9) -> bool:
        if steps > first and not clock.done:
            clock.tick(frames)
        return not clock.done

    return ends_of_sb3(tick) if rollouts else steps_of_sb3(tick)


def ends_of_sb3(ended: Callable[[], bool]) -> Any:
    """A callback that calls ``ended`` after the updates of each rollout; False ends the training."""
    from stable_baselines3.common.callbacks import BaseCallback

    class Ends(BaseCallback):
        going_on, begun = True, False

        def _on_rollout_start(self) -> None:  # the updates of the rollout before are done
            self.going_on = ended() if self.begun and self.going_on else self.going_on
            self.begun = True

        def _on_training_end(self) -> None:
            if self.going_on:
                ended()

        def _on_step(self) -> bool:
            return self.going_on

    return Ends()


def steps_of_sb3(tick: Callable[[int], bool]) -> Any:
    """A callback that calls ``tick`` with the number of frames at each step of all environments."""
    from stable_baselines3.common.callbacks import BaseCallback

    class Steps(BaseCallback):
        def _on_step(self) -> bool:
            return tick(self.num_timesteps)

    return Steps()
