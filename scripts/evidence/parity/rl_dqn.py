"""DQN's n-step rows and loss on a fixed buffer against stable-baselines3's buffer and training."""

from functools import partial
from typing import Any

import gymnasium
import numpy as np
import torch
from stable_baselines3 import DQN
from stable_baselines3.common.buffers import NStepReplayBuffer
from stable_baselines3.common.logger import Logger
from torch import Tensor

from datamodules.rl.replay import ReplayBuffer
from lit_models.rl.dqn import LitDQN
from scripts.evidence.verify import Check, Tensors

STEPS, HIDDEN, GAMMA, N_STEP = 40, 8, 0.9, 3
ENDS = {6: True, 13: False, 21: False, 30: True}  # step: terminated, or else truncated
DRAWN = [0, 2, 4, 5, 6, 9, 11, 12, 13, 16, 19, 20, 21, 25, 29, 30, 33, 36]  # steps
NAMES = {"body.0": "q_net.0", "body.2": "q_net.2", "advantage": "q_net.4"}  # ours: theirs


def agent() -> LitDQN:
    """A network, and another one as its target."""
    torch.manual_seed(1)
    model = LitDQN(hidden_size=HIDDEN, dueling=False, double=False, huber=True, gamma=GAMMA)
    for parameter in model.net.parameters():
        parameter.data += 0.2 * torch.randn_like(parameter)
    return model


def steps() -> list[tuple[Tensor, int, float, Tensor]]:
    """Observation, action, reward and what was reached."""
    torch.manual_seed(2)
    observation = torch.randn(STEPS + len(ENDS) + 1, 4)
    found, row = [], 0
    for t in range(STEPS):
        action, reward = int(torch.randint(2, ())), 3 * float(torch.randn(()))
        found.append((observation[row], action, reward, observation[row + 1]))
        row += 2 if t in ENDS else 1  # what an episode ends in is no beginning of the next
    return found


def ours() -> Tensors:
    model, buffer, number = agent(), ReplayBuffer(60, 1, 4, torch.zeros(1, dtype=torch.long)), []
    for t, (observation, action, reward, reached) in enumerate(steps()):
        number.append(buffer.head)
        outcome = [torch.tensor([value]) for value in (reward, ENDS.get(t, False), t in ENDS, True)]
        buffer.add(observation[None], torch.tensor([action]), *outcome, steps=N_STEP)
        if t in ENDS:  # the reset
            outcome = [torch.tensor([value]) for value in (0.0, False, False, False)]
            buffer.add(reached[None], torch.tensor([0]), *outcome, steps=N_STEP)
    rows = buffer.rows(torch.tensor([number[t] for t in DRAWN]), N_STEP, GAMMA)
    loss = model.loss((*rows, torch.ones(len(DRAWN))))
    loss.backward()
    assert model.errors is not None
    found = {"returns": rows[2], "discounts": rows[4], "loss": loss.detach()[None]}
    found |= {f"grad {name}": p.grad for name, p in model.net.named_parameters() if p.grad is not None}
    return {name: value.double() for name, value in found.items()}


def theirs(time_limits: bool = True) -> Tensors:
    """With stable-baselines3; not ``time_limits``: an episode that was cut counts as terminated."""
    mine = agent()
    env = gymnasium.make("CartPole-v1")
    model = DQN(
        "MlpPolicy",
        env,
        gamma=GAMMA,
        max_grad_norm=1e9,
        learning_rate=0.0,
        policy_kwargs={"net_arch": [HIDDEN] * 2},
        buffer_size=10,
        device="cpu",
    )
    model.set_logger(logger := Logger(None, []))
    weights = {name: p.data for name, p in mine.net.named_parameters()}
    targets = {name: getattr(mine, f"target_{name.replace('.', '_')}") for name in weights}
    for net, values in ((model.q_net, weights), (model.q_net_target, targets)):
        net.load_state_dict({f"{NAMES[n.rpartition('.')[0]]}.{n.rpartition('.')[2]}": v for n, v in values.items()})
    buffer = NStepReplayBuffer(STEPS, env.observation_space, env.action_space, "cpu", n_steps=N_STEP, gamma=GAMMA)
    for t, (observation, action, reward, reached) in enumerate(steps()):
        info = {"TimeLimit.truncated": time_limits and ENDS.get(t) is False}
        end = np.array([t in ENDS])
        buffer.add(observation.numpy(), reached.numpy(), np.array([action]), np.array([reward]), end, [info])
    sample = buffer._get_samples(np.array(DRAWN))
    fixed: Any = buffer
    fixed.sample = lambda *_, **__: sample
    model.replay_buffer = fixed
    model.train(1, len(DRAWN))
    assert sample.discounts is not None
    found = {
        "returns": sample.rewards.flatten(),
        "discounts": (sample.discounts * (1 - sample.dones)).flatten(),
        "loss": torch.tensor([logger.name_to_value["train/loss"]]),
    }
    grads = dict(model.q_net.named_parameters())
    for our, their in NAMES.items():
        found |= {f"grad {our}.{part}": grads[f"{their}.{part}"].grad for part in ("weight", "bias")}  # type: ignore[misc]
    return {name: value.double() for name, value in found.items()}


CHECKS = [
    Check(
        name="rl/dqn",
        claim="three-step returns and discounts, the Huber loss and its gradients with a target network on a buffer "
        "with terminated and truncated episodes against stable-baselines3's buffer and training",
        package="stable-baselines3",
        ours=ours,
        reference=theirs,
        control=partial(theirs, time_limits=False),
        mistake="what a time limit has cut counts as terminated: it has a value of 0 afterward",
        tolerance=1e-5,
        why="stable-baselines3 computes in single precision",
    ),
]
