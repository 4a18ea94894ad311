"""Losses of alignment on log probabilities: DPO on pairs, GRPO on groups of samples, and the KL that holds both.

Rafailov et al. 2023, "Direct preference optimization"; Shao et al. 2024, "DeepSeekMath" (GRPO); Schulman 2020,
"Approximating KL divergence" (k3). Not in D2L. Prompts are never part of a loss: their tokens have the target
``pad_id``.
"""

import torch
from torch import Tensor
from torch.nn import functional as F


def token_log_probs(logits: Tensor, targets: Tensor, pad_id: int = -1) -> Tensor:
    """log p of each target (B, T) under logits (B, T, V); 0 where the target is padding or a prompt's."""
    losses = F.cross_entropy(logits.transpose(1, 2), targets, ignore_index=pad_id, reduction="none")
    return -losses


def dpo_loss(policy: tuple[Tensor, Tensor], reference: tuple[Tensor, Tensor], beta: float) -> tuple[Tensor, Tensor]:
    """DPO, equation 7: the loss (B,) of pairs, and their margins (B,), the difference of the implicit rewards.

    Args:
        policy: log p of the chosen answers (B,) and of the rejected ones (B,), sums over their tokens.
        reference: The same under the model at the start.
        beta: Weight of the KL to the reference in the objective that DPO solves.
    """
    margin = beta * ((policy[0] - reference[0]) - (policy[1] - reference[1]))
    return -F.logsigmoid(margin), margin


def group_advantages(rewards: Tensor, epsilon: float = 1e-4) -> Tensor:
    """Rewards (P, G) of G answers to each of P prompts, standardized within each group; 0 where all are alike."""
    deviation = rewards.std(1, keepdim=True)
    return (rewards - rewards.mean(1, keepdim=True)) / (deviation + epsilon)


def kl_of_samples(log_p: Tensor, log_q: Tensor) -> Tensor:
    """k3: q / p - log(q / p) - 1 at samples of p, elementwise. Its mean is KL(p || q), and no value is negative."""
    difference = log_q - log_p
    return difference.exp() - difference - 1


def grpo_loss(
    log_p: Tensor,
    sampled: Tensor,
    reference: Tensor,
    advantages: Tensor,
    answer: Tensor,
    clip: float = 0.2,
    beta: float = 0.04,
) -> Tensor:
    """GRPO, equation 3, to be minimized: the mean over answers of the mean over an answer's tokens, (N,) -> ().

    Args:
        log_p: log p of the tokens (N, T) under the policy.
        sampled: The same under the policy that sampled them, without a gradient.
        reference: The same under the model at the start.
        advantages: Of the answers (N,).
        answer: Whether a token is part of the answer (N, T).
        clip: How far the ratio of the policies may move from 1.
        beta: Weight of the KL to the reference.
    """
    ratio = (log_p - sampled).exp()
    gain = torch.minimum(ratio * advantages[:, None], ratio.clamp(1 - clip, 1 + clip) * advantages[:, None])
    objective = (gain - beta * kl_of_samples(log_p, reference)).masked_fill(~answer, 0)
    return -(objective.sum(1) / answer.sum(1).clamp(min=1)).mean()


def kl_of_logits(logits: Tensor, reference: Tensor, answer: Tensor) -> Tensor:
    """KL(p || q) in nats of the next token, summed over each answer: logits (B, T, V), answer (B, T) -> (B,)."""
    log_p, log_q = logits.log_softmax(-1), reference.log_softmax(-1)
    return ((log_p.exp() * (log_p - log_q)).sum(-1) * answer).sum(1)
