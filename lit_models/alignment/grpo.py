"""GRPO: a policy learns from rewards that a program computes, without a value network.

Shao et al. 2024, "DeepSeekMath", 4.1. Not in D2L; CS25; Hugging Face course, chapter 12. For each prompt the policy
samples a group of answers; an answer's advantage is its reward, standardized within the group. The KL to the start,
which is frozen, keeps the policy from leaving what it was: without it, it finds whatever the reward forgot to ask for.

    dive fit alignment/grpo                                          rewarded for correct answers, offline
    dive fit alignment/grpo --data.reward ordered --model.beta 0     flawed reward, no KL term: the flaw is found
    dive fit alignment/grpo --data.reward ordered --model.beta 0.5   flawed reward, with a KL term

Departs from the paper: each batch of samples is used for one step, so that the ratio is 1 when its gradient is taken.

The numbers they reach are in RESULTS.md.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchmetrics import MeanMetric

from common.messages import UserError
from lit_models.attention.gpt import GPT
from lit_models.functional.alignment_losses import group_advantages, grpo_loss, kl_of_logits
from lit_models.functional.decoding import Sampling
from lit_models.layers.precision import at_least_float32
from lit_models.tasks.aligned import Aligned
from lit_models.tasks.trains import trains

Batch = tuple[Tensor, Tensor]
SAMPLE = Sampling(temperature=1.0)  # the policy's own distribution, without which the gradient is of another one
MEASURES = ("reward", "exact", "kl", "length", "start_reward", "start_exact")


@trains(GPT)
class LitGRPO(Aligned):
    """GPT aligned by rewards. Batch: prompts (B, P) and right answers (B, L); the data has ``rewards``.

    Logs of each split the means over one sample for each prompt: ``reward``, which is paid; ``exact``, whether the
    answer is right; ``kl``, the KL to the start in nats, exact at each token and summed over the sample; ``length`` in
    tokens; ``start_reward`` and ``start_exact``, the same of the start. ``val/loss`` is ``beta`` times the KL minus the
    reward.

    Args:
        group_size: Answers to each prompt.
        beta: Weight of the KL to the start; 0 switches it off.
        clip: How far the ratio of the policies may move from 1.
        max_tokens: Longest answer.
        **task: See ``Aligned``.

    Raises:
        UserError: A group of one, which has no advantage.
    """

    net: GPT

    def __init__(
        self, group_size: int = 8, beta: float = 0.04, clip: float = 0.2, max_tokens: int = 6, **task: Any
    ) -> None:
        super().__init__(**task)
        if group_size < 2:
            raise UserError(f"model.group_size is {group_size}: give at least 2, an advantage compares answers")
        self.group_size, self.beta, self.clip, self.max_tokens = group_size, beta, clip, max_tokens
        names = [f"{split}_{name}" for split in ("val", "test") for name in MEASURES]
        self.measures: Any = nn.ModuleDict({name: MeanMetric() for name in names})

    # -- samples ----------------------------------------------------------------------------------------------------

    def end_id(self) -> int:
        """The token that ends an answer."""
        return self.data_attribute("tokenizer").id_of(self.data_attribute("chat_stop"))

    def sample(self, net: nn.Module, prompts: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Answers (B, max_tokens) to prompts (B, P), sampled; the end is repeated."""
        end = self.end_id()
        found = torch.stack([*self.generate_tokens(prompts, self.max_tokens, SAMPLE, (end,), generator, net=net)], 1)
        return F.pad(found, (0, self.max_tokens - found.shape[1]), value=end)

    def sequences(self, prompts: Tensor, completions: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens and targets (B, P + L - 1): only the answer up to its first end is a target."""
        whole = torch.cat([prompts, completions], 1)
        over = (completions == self.end_id()).int().cumsum(1) - (completions == self.end_id()).int() > 0
        targets = torch.cat([torch.full_like(prompts, self.pad_id), completions.masked_fill(over, self.pad_id)], 1)
        return whole[:, :-1], targets[:, 1:]

    def rewards(self, completions: Tensor, answers: Tensor) -> dict[str, Tensor]:
        """The rewards of the data, each (N,)."""
        scores: Callable[[Tensor, Tensor], dict[str, Tensor]] | None = self.data_attribute("rewards")
        if scores is None:
            raise UserError("model: this data has no rewards to learn from: give --data SortedDigits")
        return scores(completions, answers)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        prompts, answers = (part.repeat_interleave(self.group_size, 0) for part in batch)
        mode = self.net.training
        completions = self.sample(self.net.eval(), prompts)  # without dropout
        self.net.train(mode)
        rewards = self.rewards(completions, answers)["reward"].view(-1, self.group_size)
        tokens, targets = self.sequences(prompts, completions)
        log_p = self.log_probs(tokens, targets)
        with torch.no_grad():
            before = self.log_probs(tokens, targets, reference=True)
        advantages = group_advantages(rewards).flatten()
        answer = targets != self.pad_id
        loss = grpo_loss(log_p, log_p.detach(), before, advantages, answer, self.clip, self.beta)
        self.record_train_loss(loss, len(batch[0]))
        return loss

    # -- evaluation -------------------------------------------------------------------------------------------------

    def measure(self, batch: Batch, batch_idx: int, split: str) -> None:
        """Adds a batch to the measures of a split; the samples have a seed of their own."""
        prompts, answers = batch
        found: dict[str, Tensor] = {}
        for name, net in (("", self.net), ("start_", self.reference)):
            generator = torch.Generator(prompts.device).manual_seed(batch_idx)
            completions = self.sample(net, prompts, generator)
            rewards = self.rewards(completions, answers)
            found |= {f"{name}{kind}": rewards[kind] for kind in ("reward", "exact")}
            if not name:
                tokens, targets = self.sequences(prompts, completions)
                logits, before = (at_least_float32(n(tokens)) for n in (self.net, self.reference))
                found["kl"] = kl_of_logits(logits, before, targets != self.pad_id)
                found["length"] = (targets != self.pad_id).sum(1).float()
        for key in MEASURES:
            self.measures[f"{split}_{key}"].update(found[key])

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self.measure(batch, batch_idx, "val")

    def test_step(self, batch: Batch, batch_idx: int) -> None:  # type: ignore[override]
        self.measure(batch, batch_idx, "test")

    def predict_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        """Returns ``exact`` and ``reward`` (B,) of a sampled answer to each prompt."""
        generator = torch.Generator(batch[0].device).manual_seed(batch_idx)
        found = self.rewards(self.sample(self.net, batch[0], generator), batch[1])
        return {name: found[name] for name in ("exact", "reward")}

    def on_validation_epoch_end(self) -> None:
        self.log_measures("val")
        reward, kl = (self.measures[f"val_{name}"].compute() for name in ("reward", "kl"))
        self.log("val/loss", self.beta * kl - reward, sync_dist=True)

    def on_test_epoch_end(self) -> None:
        self.log_measures("test")

    def log_measures(self, split: str) -> None:
        for name in MEASURES:
            self.log(f"{split}/{name}", self.measures[f"{split}_{name}"], prog_bar=name == "reward")
