"""The decision transformer: reinforcement learning from stored episodes as the prediction of the next action.

Chen et al. 2021, "Decision Transformer: reinforcement learning via sequence modeling"; CS25's second lecture; not in
D2L. An episode is a sequence of three tokens a step: the return that is still to come, the observation, the action. A
causal transformer predicts each action from what stands before it. Acting, one asks for a return, and subtracts each
reward from it. No value is learned and nothing is bootstrapped; without returns the same network is behavior cloning.

Names of the parts and numerics are those of transformers' ``DecisionTransformerModel``, whose weights ``parity`` loads.
Departs from the paper: a window that begins an episode is padded at its end and not at its beginning, which needs no
mask under causal attention; discrete actions are drawn from the predicted distribution, since the least actions of a
poor episode are its random ones.

    dive fit rl/decision_transformer                              returns.png: returns asked for and got on CartPole
    dive fit rl/decision_transformer --model.use_returns false    behavior cloning
    dive fit rl/decision_transformer --data.path episodes.npz     stored episodes of your own

The numbers it reaches are in RESULTS.md.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from common.messages import UserError
from lit_models.layers.feed_forward import FeedForward
from lit_models.layers.multi_head import MultiHeadAttention
from lit_models.layers.transformer_layer import TransformerLayer
from lit_models.tasks.processes import rank_and_world
from lit_models.tasks.task import Task
from lit_models.tasks.trains import trains


class DecisionTransformer(nn.Module):
    """Returns to go (B, K), observations (B, K, F), actions (B, K, A) as numbers or one-hot, steps (B, K) of an episode
    -> logits of each step's action, or the action itself from -1 to 1: (B, K, A).

    Args:
        num_features: F.
        num_actions: A.
        continuous: Whether an action is a vector.
        max_steps: Steps of the longest episode.
        hidden_size, num_layers, num_heads: Width, depth and heads.
        dropout: Of attention weights and of each part's output.
        use_returns: False hides the returns: behavior cloning.
    """

    def __init__(
        self,
        num_features: int = 4,
        num_actions: int = 2,
        continuous: bool = False,
        max_steps: int = 200,
        hidden_size: int = 64,
        num_layers: int = 2,
        num_heads: int = 2,
        dropout: float = 0.1,
        use_returns: bool = True,
    ) -> None:
        super().__init__()
        self.continuous, self.use_returns = continuous, use_returns
        self.embed_timestep = nn.Embedding(max_steps, hidden_size)
        self.embed_return = nn.Linear(1, hidden_size)
        self.embed_state = nn.Linear(num_features, hidden_size)
        self.embed_action = nn.Linear(num_actions, hidden_size)
        self.embed_ln = nn.LayerNorm(hidden_size)
        self.dropout = nn.Dropout(dropout)

        def layer() -> TransformerLayer:
            attention = MultiHeadAttention(hidden_size, num_heads, dropout=dropout, bias=True, causal=True)
            mlp = FeedForward(hidden_size, 4 * hidden_size, "relu")
            return TransformerLayer(attention, mlp, lambda: nn.LayerNorm(hidden_size), dropout=dropout)

        self.layers = nn.ModuleList(layer() for _ in range(num_layers))
        self.norm = nn.LayerNorm(hidden_size)
        self.predict_action = nn.Linear(hidden_size, num_actions)

    def forward(self, to_go: Tensor, observation: Tensor, action: Tensor, step: Tensor) -> Tensor:
        when = self.embed_timestep(step)
        asked = self.embed_return(to_go[..., None] * (1.0 if self.use_returns else 0.0))
        parts = [asked, self.embed_state(observation), self.embed_action(action)]
        tokens = torch.stack([part + when for part in parts], 2).flatten(1, 2)  # (B, 3 K, D): return, state, action
        x = self.dropout(self.embed_ln(tokens))
        for layer in self.layers:
            x = layer(x)
        output = self.predict_action(self.norm(x)[:, 1::3])  # from the observation: the action is not seen yet
        return output.tanh() if self.continuous else output


class Memory:
    """The last K steps of N episodes that are being acted, and what return each is still asked for.

    Args:
        asked: Returns (N,), in the network's units.
        window_steps: K.
        max_steps: Steps that the network knows.
    """

    def __init__(self, asked: Tensor, window_steps: int, max_steps: int) -> None:
        self.to_go, self.window_steps, self.max_steps = [asked], window_steps, max_steps
        self.observations: list[Tensor] = []
        self.actions: list[Tensor] = []

    def inputs(self, observation: Tensor, num_actions: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The network's inputs when ``observation`` (N, F) is the newest; its action is still zero."""
        self.observations.append(observation)
        first = max(0, len(self.observations) - self.window_steps)
        nothing = observation.new_zeros(len(observation), num_actions)
        step = torch.arange(first, len(self.observations)).clamp(max=self.max_steps - 1)
        return (
            torch.stack(self.to_go[first:], 1),
            torch.stack(self.observations[first:], 1),
            torch.stack([*self.actions[first:], nothing], 1),
            step.to(observation.device).expand(len(observation), -1),
        )


@trains(DecisionTransformer)
class LitDecisionTransformer(Task):
    """Trained by the actions of stored episodes. A batch is (returns to go, observations, actions, steps, actions to
    predict): (B, K), (B, K, F), (B, K, A), (B, K), (B, K) with -1, or (B, K, A) with NaN, where there is no step.

    An evaluation's batch is return asked for, return got, and length (N,), of episodes that were acted. Logs
    ``<split>/error``, the mean distance of the two in parts of the largest return asked for, and ``<split>/return``,
    the mean of those that were asked for it.

    Args:
        window_steps: K, the steps that the network sees.
        return_scale: Returns are divided by it.
        **task: See ``Task``.

    Raises:
        UserError: A window of less than one step, or a scale that is not positive.
    """

    output_means = "for each step logits of its action, or the action from -1 to 1"
    net: DecisionTransformer

    def __init__(self, window_steps: int = 20, return_scale: float = 200.0, **task: Any) -> None:
        if window_steps < 1:
            raise UserError(f"model.window_steps is {window_steps}: give at least one step")
        if not return_scale > 0:
            raise UserError(f"model.return_scale is {return_scale}: give a number greater than 0")
        super().__init__(**task)
        self.window_steps, self.return_scale = window_steps, return_scale
        features, actions = self.net.embed_state.in_features, self.net.embed_action.in_features
        steps = torch.zeros(1, window_steps)
        numbers = (torch.zeros(1, window_steps, features), torch.zeros(1, window_steps, actions))
        self.example_input = (steps, *numbers, steps.long())  # type: ignore[misc]
        self.memory: Memory | None = None
        self.seen: tuple[Tensor, Tensor] | None = None  # asked and got, of the last evaluation

    # -- learning -------------------------------------------------------------------------------------------------

    def forward(self, to_go: Tensor, *inputs: Tensor) -> Tensor:  # type: ignore[override]
        return self.net(to_go / self.return_scale, *inputs)

    def training_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> Tensor:
        *inputs, target = batch
        output = self(*inputs).float()
        if self.net.continuous:
            loss = torch.where(target.isnan(), 0.0, output - target.nan_to_num()).square().mean()
        else:
            loss = F.cross_entropy(output.flatten(0, 1), target.flatten(), ignore_index=-1, reduction="sum")
            loss = loss / target.numel()  # the same for all batches and processes, whatever is padded
        self.record_train_loss(loss, len(target))
        return loss

    # -- acting ---------------------------------------------------------------------------------------------------

    def begin(self, asked: Tensor) -> None:
        """New episodes, each with the return (N,) that it is asked for."""
        self.memory = Memory(asked.to(self.device), self.window_steps, self.net.embed_timestep.num_embeddings)

    def act(self, observation: Tensor, greedy: bool = False) -> Tensor:
        """Actions (N,), or (N, A), for observations (N, F)."""
        assert self.memory is not None
        actions = self.net.embed_action.in_features
        output = self(*self.memory.inputs(observation, actions))[:, -1].float()
        if self.net.continuous:
            self.memory.actions.append(output)
            return output
        chosen = output.argmax(1) if greedy else torch.multinomial(output.softmax(1), 1)[:, 0]
        self.memory.actions.append(F.one_hot(chosen, actions).to(output))
        return chosen

    def earned(self, reward: Tensor) -> None:
        """What the actions (N,) have earned is not asked for any more."""
        assert self.memory is not None
        self.memory.to_go.append(self.memory.to_go[-1] - reward.to(self.memory.to_go[-1]))

    # -- evaluation -----------------------------------------------------------------------------------------------

    def evaluate(self, stage: str, asked: Tensor, got: Tensor) -> None:
        self.seen = (asked.cpu(), got.cpu())
        most, several = asked.max(), rank_and_world(self)[1] > 1
        error = (asked - got).abs().mean() / most.abs().clamp(min=1e-9)
        values = {f"{stage}/loss": error, f"{stage}/error": error, f"{stage}/return": got[asked == most].mean()}
        self.log_dict(values, batch_size=len(asked), sync_dist=several)

    def validation_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> None:
        self.evaluate("val", batch[0], batch[1])

    def test_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> None:
        self.evaluate("test", batch[0], batch[1])

    def predict_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> dict[str, Tensor]:
        """What was asked for, what was got, and the episode's length."""
        return {"asked": batch[0], "return": batch[1], "length": batch[2]}

    def panels(self) -> list[dict[str, Any]]:
        """Return got over return asked for."""
        if self.seen is None:
            return []
        asked, got = self.seen
        levels = asked.unique()
        means = torch.stack([got[asked == level].mean() for level in levels])
        titles = {"title": "the last evaluation", "xlabel": "return asked for", "ylabel": "return got"}
        lines = {"as asked": (levels, levels), "mean": (levels, means)}
        return [titles | {"lines": lines, "points": {"episodes": (asked, got)}}]
