"""How long PPO takes to solve CartPole: ours and stable-baselines3's, with the settings of ``rl.py``, on one thread.

The frames and seconds until the mean return of 20 greedy episodes is 475; evaluations are not timed.
"""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from scripts.evidence.benches import ours
from scripts.evidence.benches.rl import ENVS, PARTS, PASSES, STEPS, cart_poles, ends_of_sb3, ppo_of_sb3
from scripts.evidence.benches.workloads import Clock
from scripts.front.build import build

Row = dict[str, Any]
ENOUGH, EPISODES = 475.0, 20  # CartPole counts as solved at this mean return


def measure(repeats: int, say: Callable[[str], None], most: int = 100, every: int = 5) -> list[Row]:
    """Frames and seconds of each side for each seed; None where it gave up.

    Args:
        repeats: Seeds.
        say: Takes a line.
        most: Rollouts after which a side gives up.
        every: Rollouts between two evaluations.
    """
    torch.set_num_threads(1)
    table: dict[str, Row] = {}
    for seed in range(repeats):
        for name, side in {"ours": solve_ours, "stable-baselines3": solve_other}.items():
            torch.manual_seed(seed)
            row = table.setdefault(name, {"side": name, "frames": [], "seconds": []})
            watch = Watch(most, every)
            side(watch, seed)
            row["frames"].append(watch.frames if watch.reached else None)
            row["seconds"].append(watch.seconds if watch.reached else None)
            say(f"PPO to {ENOUGH:.0f}, {name}, seed {seed}: {watch.frames:,} frames, {watch.seconds:.1f} s")
    return list(table.values())


class Watch:
    """Stops the time while a policy is evaluated, and says when it is good enough."""

    def __init__(self, most: int, every: int) -> None:
        self.most, self.every = most, every
        self.rollouts, self.seconds, self.reached = 0, 0.0, False
        self.start = time.perf_counter()

    @property
    def frames(self) -> int:
        return self.rollouts * ENVS * STEPS

    def ended(self, act: Callable[[Tensor], Tensor]) -> bool:
        """Whether to stop after a rollout and its updates. ``act`` gives greedy actions (N,) of observations (N, 4)."""
        self.rollouts += 1
        if self.rollouts % self.every == 0:
            self.seconds += time.perf_counter() - self.start
            self.reached = mean_return(act) >= ENOUGH
            self.start = time.perf_counter()
        return self.reached or self.rollouts >= self.most


def mean_return(act: Callable[[Tensor], Tensor]) -> float:
    """The mean return of the first episode of each of 20 new environments."""
    env = cart_poles(EPISODES)
    seen, earned, alive = env.reset(seed=10**6)[0], np.zeros(EPISODES), np.ones(EPISODES, dtype=bool)
    while alive.any():
        with torch.no_grad():
            seen, reward, terminated, truncated, _ = env.step(act(torch.from_numpy(seen)).numpy())
        earned += reward * alive
        alive &= ~(terminated | truncated)
    env.close()
    return float(earned.mean())


class Watched(Callback):
    """Asks the watch after each rollout's last batch."""

    def __init__(self, watch: Watch) -> None:
        self.watch = watch

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        if trainer.global_step % (PASSES * PARTS) == 0:
            trainer.should_stop = self.watch.ended(lambda seen: pl_module.act(seen, greedy=True))  # type: ignore[operator]


def solve_ours(watch: Watch, seed: int) -> None:
    _, model, data = build(["rl/ppo", "--model.lr_scheduler", "null", "--seed_everything", str(seed)])
    watch.start = time.perf_counter()
    ours.fit(model, data, Clock(watch.most * PASSES * PARTS, 0), callbacks=[Watched(watch)], gradient_clip_val=0.5)


def solve_other(watch: Watch, seed: int) -> None:
    model = ppo_of_sb3()
    model.set_random_seed(seed)

    def act(seen: Tensor) -> Tensor:
        return torch.from_numpy(model.predict(seen.numpy(), deterministic=True)[0])

    watch.start = time.perf_counter()
    model.learn(ENVS * STEPS * watch.most, callback=ends_of_sb3(lambda: not watch.ended(act)))
