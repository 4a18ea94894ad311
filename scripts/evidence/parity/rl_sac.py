"""SAC's three losses and their gradients on a fixed batch against stable-baselines3's training."""

from functools import partial
from typing import Any

import gymnasium
import torch
from stable_baselines3 import SAC
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.type_aliases import ReplayBufferSamples
from torch import Tensor

from lit_models.rl.sac import LitSAC
from scripts.evidence.verify import Check, Tensors

ROWS, HIDDEN, GAMMA = 24, 8, 0.97
NAMES = {"actor.0": "latent_pi.0", "actor.2": "latent_pi.2"}  # ours: theirs; the last layer is two of theirs


def agent() -> LitSAC:
    torch.manual_seed(1)
    model = LitSAC(num_features=3, num_actions=1, hidden_size=HIDDEN, gamma=GAMMA)
    for parameter in model.net.parameters():
        parameter.data += 0.2 * torch.randn_like(parameter)  # also other critics than the slow copies
    return model


def batch() -> tuple[Tensor, ...]:
    """Observation, action, reward, what was reached, and whether it ended, which a third did."""
    torch.manual_seed(2)
    action, ended = torch.rand(ROWS, 1) * 2 - 1, (torch.arange(ROWS) % 3 == 0).float()
    return torch.randn(ROWS, 3), action, torch.randn(ROWS), torch.randn(ROWS, 3), ended


def ours() -> Tensors:
    model, (observation, action, reward, reached, ended) = agent(), batch()
    torch.manual_seed(3)
    losses = model.losses((observation, action, reward, reached, GAMMA * (1 - ended), torch.ones(ROWS)))
    sum(losses).backward()  # type: ignore[union-attr]
    found = dict(zip(("critics", "actor", "temperature"), (loss.detach()[None] for loss in losses), strict=True))
    found |= {f"grad {name}": p.grad for name, p in model.net.named_parameters() if p.grad is not None}
    return {name: value.double() for name, value in found.items()}


def theirs(entropy: bool = True) -> Tensors:
    """With stable-baselines3 at a learning rate of 0; not ``entropy``: the target lacks the next action's."""
    mine, (observation, action, reward, reached, ended) = agent(), batch()
    model = SAC(
        "MlpPolicy",
        gymnasium.make("Pendulum-v1"),
        gamma=GAMMA,
        learning_rate=0.0,
        policy_kwargs={"net_arch": [HIDDEN] * 2},
        buffer_size=10,
        device="cpu",
    )
    model.set_logger(logger := Logger(None, []))
    fill(model, mine)
    rows = (observation, action, reached, ended[:, None], reward[:, None])
    buffer: Any = model.replay_buffer
    buffer.sample = lambda *_, **__: ReplayBufferSamples(*rows)
    model.actor.action_dist.epsilon = 0.0  # type: ignore[attr-defined]  # of log(1 - a^2 + epsilon)
    draw, calls = model.actor.action_log_prob, []

    def drawn(states: Tensor) -> tuple[Tensor, Tensor]:
        calls.append(states)
        actions, log_prob = draw(states)
        return actions, log_prob * (entropy or len(calls) == 1)

    model.actor.action_log_prob = drawn  # type: ignore[method-assign,assignment]
    grads: Tensors = {}
    step = model.critic.optimizer.step

    def kept(*arguments: Any, **others: Any) -> Any:  # the actor's loss adds to these gradients afterward
        for name, p in model.critic.named_parameters():
            assert p.grad is not None
            grads[f"grad critics.each.{int(name[2])}.{name[4:]}"] = p.grad.clone()
        return step(*arguments, **others)

    model.critic.optimizer.step = kept  # type: ignore[method-assign]
    torch.manual_seed(3)
    model.train(1, ROWS)
    for name, p in model.actor.named_parameters():
        assert p.grad is not None
        grads[name] = p.grad
    for our, their in NAMES.items():
        grads |= {f"grad {our}.{part}": grads.pop(f"{their}.{part}") for part in ("weight", "bias")}
    for part in ("weight", "bias"):
        grads[f"grad actor.4.{part}"] = torch.cat([grads.pop(f"{name}.{part}") for name in ("mu", "log_std")])
    assert model.log_ent_coef is not None and model.log_ent_coef.grad is not None
    grads["grad log_alpha"] = model.log_ent_coef.grad.reshape(())
    said = {"critics": "critic_loss", "actor": "actor_loss", "temperature": "ent_coef_loss"}
    losses = {name: torch.tensor([logger.name_to_value[f"train/{their}"]]) for name, their in said.items()}
    return {name: value.double() for name, value in (losses | grads).items()}


def fill(model: Any, mine: LitSAC) -> None:
    """Our weights under their names; the last layer's rows are the mean and the logarithm of the deviation."""
    own = dict(mine.net.actor.state_dict())
    state = {f"latent_pi.{name}": value for name, value in own.items() if not name.startswith("4")}
    for part in ("weight", "bias"):
        state[f"mu.{part}"], state[f"log_std.{part}"] = own[f"4.{part}"].chunk(2)
    model.actor.load_state_dict(state)
    for critic, weights in (
        (model.critic, dict(mine.net.critics.named_parameters())),
        (model.critic_target, mine.slow()),
    ):
        critic.load_state_dict(
            {f"qf{name.split('.')[1]}.{name.split('.', 2)[2]}": p.data for name, p in weights.items()}
        )
    model.log_ent_coef.data.fill_(float(mine.net.log_alpha.detach()))


CHECKS = [
    Check(
        name="rl/sac",
        claim="the losses of critics, actor and temperature and all their gradients on a fixed batch and draw, a third "
        "of whose rows ended, against stable-baselines3's training",
        package="stable-baselines3",
        ours=ours,
        reference=theirs,
        control=partial(theirs, entropy=False),
        mistake="the critics' target lacks the entropy of the next action",
        tolerance=1e-4,
        why="stable-baselines3 computes in single precision; its log(1 - a^2) is less exact near 1",
    ),
]
