"""The losses of alignment against the papers' formulas, written out token by token in double precision.

trl's losses are these formulas; it is not a dependency, since its trainers come with it.
"""

from functools import partial
from typing import Any

import torch
from torch import Tensor

from lit_models.alignment.dpo import LitDPO
from lit_models.alignment.grpo import LitGRPO
from lit_models.alignment.instruction import LitInstruction
from lit_models.functional.alignment_losses import group_advantages, grpo_loss, kl_of_samples
from scripts.evidence.verify import Check, Tensors

V, SIZES = 11, {"vocab_size": 11, "seq_len": 8, "hidden_size": 8, "num_layers": 1, "num_heads": 2, "variant": "llama"}


def model(kind: Any, **settings: Any) -> Any:
    """In double precision; the policy has moved away from the reference."""
    torch.manual_seed(6)
    found = kind(**SIZES, **settings).double()
    for parameter in found.net.parameters():
        if parameter.requires_grad:
            parameter.data += 0.2 * torch.randn_like(parameter)
    return found


def rows(seed: int) -> tuple[Tensor, Tensor]:
    """Tokens and targets (3, 8): prompts of two tokens, answers of two to six."""
    torch.manual_seed(seed)
    tokens, targets = torch.randint(V, (3, 8)), torch.randint(V, (3, 8))
    targets[:, 0] = -1
    for row, length in enumerate((2, 4, 6)):
        targets[row, 1 + length :] = -1
    return tokens, targets


def log_p(net: Any, tokens: Tensor, targets: Tensor) -> list[list[Tensor]]:
    """log p of each target of each row, by division of exponentials."""
    scores = net(tokens).exp()
    return [
        [
            (scores[row, place, targets[row, place]] / scores[row, place].sum()).log()
            for place in range(8)
            if targets[row, place] >= 0
        ]
        for row in range(len(tokens))
    ]


# -- instruction tuning ----------------------------------------------------------------------------------------------


def our_instruction() -> Tensors:
    tuned = model(LitInstruction, lora_rank=2)
    tokens, targets = rows(1)
    loss = tuned.mean_loss((tokens, targets), "other")[0]
    loss.backward()
    return {"loss": loss, "grad lora": tuned.net.layers[0].attention.qkv.lora_a.grad}


def their_instruction(all_tokens: bool = False) -> Tensors:
    tuned = model(LitInstruction, lora_rank=2)
    tokens, targets = rows(1)
    if all_tokens:  # the prompt is learned too
        targets[:, 0] = tokens[:, 1]
    every = [value for row in log_p(tuned.net, tokens, targets) for value in row]
    loss = -torch.stack(every).mean()
    loss.backward()
    return {"loss": loss, "grad lora": tuned.net.layers[0].attention.qkv.lora_a.grad}


# -- DPO -------------------------------------------------------------------------------------------------------------

BETA = 0.3


def our_dpo() -> Tensors:
    aligned = model(LitDPO, beta=BETA)
    loss, margin = aligned.pairs((*rows(1), *rows(2)))
    loss.mean().backward()
    return {"loss": loss, "margin": margin, "grad head": aligned.net.head.weight.grad}


def their_dpo(reference: bool = True) -> Tensors:
    """Equation 7; without the reference it pushes apart what the start knew already."""
    aligned = model(LitDPO, beta=BETA)
    ratios = []
    for seed in (1, 2):
        policy, start = (log_p(net, *rows(seed)) for net in (aligned.net, aligned.reference))
        ratios.append(
            torch.stack(
                [
                    torch.stack(p).sum() - (torch.stack(q).sum().detach() if reference else 0)
                    for p, q in zip(policy, start, strict=True)
                ]
            )
        )
    margin = BETA * ratios[0] - BETA * ratios[1]
    loss = -(1 / (1 + (-margin).exp())).log()
    loss.mean().backward()
    return {"loss": loss, "margin": margin, "grad head": aligned.net.head.weight.grad}


# -- GRPO ------------------------------------------------------------------------------------------------------------

REWARDS = torch.tensor([[1.0, 0.0, 0.25]], dtype=torch.float64)
CLIP, KL = 0.2, 0.1


def sampled() -> Tensor:
    """log p (3, 8) of another policy, which sampled the answers: some ratios are clipped."""
    aligned = model(LitGRPO)
    torch.manual_seed(7)
    tokens, targets = rows(1)
    return (aligned.log_probs(tokens, targets) + 0.3 * torch.randn(3, 8).double() * (targets >= 0)).detach()


def our_grpo() -> Tensors:
    aligned = model(LitGRPO)
    tokens, targets = rows(1)
    policy = aligned.log_probs(tokens, targets)
    start = aligned.log_probs(tokens, targets, reference=True).detach()
    advantages = group_advantages(REWARDS, 0.0).flatten()
    loss = grpo_loss(policy, sampled(), start, advantages, targets >= 0, CLIP, KL)
    loss.backward()
    return {"loss": loss, "kl": kl_of_samples(policy, start), "grad head": aligned.net.head.weight.grad}


def their_grpo(per_answer: bool = True) -> Tensors:
    """Equations 3 and 4, answer by answer; the control is a mean over all tokens, where long answers weigh more."""
    aligned = model(LitGRPO)
    tokens, targets = rows(1)
    policy, start = (log_p(net, tokens, targets) for net in (aligned.net, aligned.reference))
    before, rewards = sampled(), REWARDS.flatten().tolist()
    mean = sum(rewards) / 3
    deviation = (sum((r - mean) ** 2 for r in rewards) / 2) ** 0.5
    kl, answers = torch.zeros(3, 8, dtype=torch.float64), []
    for row in range(3):
        places = [place for place in range(8) if targets[row, place] >= 0]
        terms = []
        for place, p, q in zip(places, policy[row], start[row], strict=True):
            ratio, advantage = (p - before[row, place]).exp(), (rewards[row] - mean) / deviation
            clipped = min(max(float(ratio), 1 - CLIP), 1 + CLIP) * advantage
            plain = ratio * advantage
            distance = (q.detach() - p).exp() - (q.detach() - p) - 1
            kl[row, place] = distance.detach()
            terms.append((plain if float(plain) <= clipped else clipped) - KL * distance)
        answers.append(terms)
    if per_answer:
        loss = -sum(sum(terms) / len(terms) for terms in answers) / 3
    else:
        loss = -sum(sum(terms) for terms in answers) / sum(len(terms) for terms in answers)
    loss.backward()
    return {"loss": loss, "kl": kl, "grad head": aligned.net.head.weight.grad}


CHECKS = [
    Check(
        name="alignment/instruction",
        claim="The loss on answers alone, through LoRA, against the formula",
        package="torch",
        ours=our_instruction,
        reference=their_instruction,
        control=partial(their_instruction, all_tokens=True),
        mistake="a token of the prompt in the loss",
    ),
    Check(
        name="alignment/dpo",
        claim="DPO's loss and margins against the paper's equation 7",
        package="torch",
        ours=our_dpo,
        reference=their_dpo,
        control=partial(their_dpo, reference=False),
        mistake="no reference",
    ),
    Check(
        name="alignment/grpo",
        claim="GRPO's loss and KL against the paper's equations 3 and 4",
        package="torch",
        ours=our_grpo,
        reference=their_grpo,
        control=partial(their_grpo, per_answer=False),
        mistake="the mean over all tokens in place of the mean of the answers' means",
    ),
]
