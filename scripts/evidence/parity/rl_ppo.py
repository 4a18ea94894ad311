"""Generalized advantages and PPO's loss on a fixed rollout against stable-baselines3, which resets in the same step."""

from functools import partial
from typing import Any

import gymnasium
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.vec_env import DummyVecEnv
from torch import Tensor

from datamodules.rl.rollouts import Rollout
from lit_models.rl.ppo import LitPPO
from scripts.evidence.verify import Check, Tensors

STEPS, ENVS, HIDDEN, GAMMA, LAM, ENTROPY = 16, 3, 8, 0.97, 0.9, 0.01
#: Name, environment, features, actions.
KINDS = (("discrete", "CartPole-v1", 4, 2), ("continuous", "Pendulum-v1", 3, 1))
NAMES = {  # ours: theirs
    "actor.0": "mlp_extractor.policy_net.0",
    "actor.2": "mlp_extractor.policy_net.2",
    "actor.4": "action_net",
    "critic.0": "mlp_extractor.value_net.0",
    "critic.2": "mlp_extractor.value_net.2",
    "critic.4": "value_net",
}


def agent(features: int, actions: int, continuous: bool) -> LitPPO:
    torch.manual_seed(1)
    return LitPPO(
        num_features=features,
        num_actions=actions,
        continuous=continuous,
        hidden_size=HIDDEN,
        gamma=GAMMA,
        lam=LAM,
        entropy_coef=ENTROPY,
    )


def moved(model: LitPPO) -> None:
    """Changes the weights, as a step of training would, so that the ratio is not 1."""
    torch.manual_seed(2)
    for parameter in model.net.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)


def rollout(features: int, actions: int, continuous: bool) -> Rollout:
    """Episodes that end at the steps 5 and 11, of which each is followed by a reset."""
    torch.manual_seed(3)
    rows = STEPS + 2
    observation, reward = torch.randn(rows + 1, ENVS, features), torch.randn(rows, ENVS)
    action = torch.randn(rows, ENVS, actions) if continuous else torch.randint(actions, (rows, ENVS))
    terminated, over, valid = (torch.zeros(rows, ENVS, dtype=torch.bool) for _ in range(3))
    valid[:] = True
    for row, ends in ((5, [True, False, False]), (12, [False, True, False])):
        terminated[row], over[row], valid[row + 1] = torch.tensor(ends), True, False
        reward[row + 1] = 0
    returns = torch.full((rows, ENVS), float("nan"))
    return Rollout(observation, action, reward, terminated, over, valid, returns)


def ours() -> Tensors:
    found: Tensors = {}
    for kind, _, features, actions in KINDS:
        model = agent(features, actions, kind == "continuous")
        with torch.no_grad():
            batch = model.rows(rollout(features, actions, kind == "continuous"))
        moved(model)
        loss = model.loss(batch)
        loss.backward()
        values = {"advantages": batch[3], "returns": batch[4], "loss": loss.detach()[None]}
        values |= {f"grad {name}": p.grad for name, p in model.net.named_parameters() if p.grad is not None}
        found |= {f"{name} {kind}": value.double() for name, value in values.items()}
    return found


def theirs(bootstrap: bool = True) -> Tensors:
    """With stable-baselines3's buffer and training; not ``bootstrap``: a time limit has no value after it."""
    found: Tensors = {}
    for kind, env_id, features, actions in KINDS:
        mine = agent(features, actions, kind == "continuous")
        model = PPO(
            "MlpPolicy",
            DummyVecEnv([partial(gymnasium.make, env_id)] * ENVS),  # type: ignore[list-item]
            n_steps=STEPS,
            batch_size=STEPS * ENVS,
            n_epochs=1,
            gamma=GAMMA,
            gae_lambda=LAM,
            ent_coef=ENTROPY,
            max_grad_norm=1e9,
            learning_rate=0.0,
            policy_kwargs={"net_arch": {"pi": [HIDDEN] * 2, "vf": [HIDDEN] * 2}},
            device="cpu",
        )
        model.set_logger(logger := Logger(None, []))
        fill(model, mine)
        replay(model, rollout(features, actions, kind == "continuous"), bootstrap)
        buffer = model.rollout_buffer
        values: dict[str, Any] = {
            name: torch.from_numpy(getattr(buffer, name)).flatten() for name in ("advantages", "returns")
        }
        moved(mine)
        fill(model, mine)
        model.train()
        values["loss"] = torch.tensor([logger.name_to_value["train/loss"]])
        grads = dict(model.policy.named_parameters())
        for our, their in NAMES.items():
            values |= {f"grad {our}.{part}": grads[f"{their}.{part}"].grad for part in ("weight", "bias")}
        if kind == "continuous":
            values["grad log_std"] = grads["log_std"].grad
        found |= {f"{name} {kind}": value.double() for name, value in values.items()}
    return found


def fill(model: Any, mine: LitPPO) -> None:
    """Our weights under their names."""
    state = {f"{NAMES[name.rpartition('.')[0]]}.{name.rpartition('.')[2]}": p for name, p in weights(mine)}
    if mine.net.log_std is not None:
        state["log_std"] = mine.net.log_std.data
    model.policy.load_state_dict(state)


def weights(mine: LitPPO) -> list[tuple[str, Tensor]]:
    return [(name, p.data) for name, p in mine.net.named_parameters() if name != "log_std"]


def replay(model: Any, seen: Rollout, bootstrap: bool) -> None:
    """Fills the buffer as their ``collect_rollouts`` does: the value after a time limit is added to the reward."""
    buffer, start = model.rollout_buffer, torch.ones(ENVS, dtype=torch.bool)
    with torch.no_grad():
        for t in range(len(seen.reward)):
            if not bool(seen.valid[t].all()):
                continue
            value, log_prob, _ = model.policy.evaluate_actions(seen.observation[t], seen.action[t])
            after = model.policy.predict_values(seen.observation[t + 1]).flatten()
            cut = seen.over[t] & ~seen.terminated[t]
            reward = seen.reward[t] + GAMMA * after * (cut & bootstrap)
            buffer.add(
                seen.observation[t].numpy(), seen.action[t].numpy(), reward.numpy(), start.numpy(), value, log_prob
            )
            start = seen.over[t]
        buffer.compute_returns_and_advantage(model.policy.predict_values(seen.observation[-1]), start.numpy())


CHECKS = [
    Check(
        name="rl/ppo",
        claim="generalized advantages, returns, PPO's loss and its gradients on a rollout with terminated and "
        "truncated episodes, of a discrete and of a continuous policy, against stable-baselines3's buffer and training",
        package="stable-baselines3",
        ours=ours,
        reference=theirs,
        control=partial(theirs, bootstrap=False),
        mistake="what a time limit has cut counts as terminated: it has a value of 0 afterward",
        tolerance=2e-5,
        why="stable-baselines3 computes in single precision",
    ),
]
