"""GRPO: samples and their targets, the step's loss, a policy that is paid for one token learns it."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from common.messages import UserError
from datamodules.text.sorted_digits import SortedDigits
from lit_models.alignment.grpo import LitGRPO
from tests.battery import ADAM
from tests.small import small_trainer

SMALL: dict[str, Any] = {"vocab_size": 32, "seq_len": 16, "hidden_size": 16, "num_layers": 1, "num_heads": 2}


def data() -> SortedDigits:
    return SortedDigits(3, "ordered", 32, 8, 8, 16, batch_size=8, eval_batch_size=4)


def model(tmp_path: Path, **settings: Any) -> LitGRPO:
    torch.manual_seed(0)
    found = LitGRPO(variant="llama", max_tokens=4, group_size=4, optimizer=ADAM, **SMALL, **settings)
    small_trainer(tmp_path).validate(found, data(), verbose=False)  # attaches the data
    return found


def test_targets_are_the_answer_up_to_its_first_end(tmp_path: Path) -> None:
    policy = model(tmp_path)
    end = policy.end_id()
    prompts, completions = (
        torch.tensor([[3, 4, 5]] * 3),
        torch.tensor([[20, end, end, end], [20, 21, 22, 20], [end] * 4]),
    )
    tokens, targets = policy.sequences(prompts, completions)
    assert tokens.tolist()[0] == [3, 4, 5, 20, end, end]
    assert targets.tolist() == [
        [-1, -1, 20, end, -1, -1],
        [-1, -1, 20, 21, 22, 20],
        [-1, -1, end, -1, -1, -1],
    ]


def test_samples_are_of_the_policys_own_distribution(tmp_path: Path) -> None:
    policy, prompts = model(tmp_path), torch.tensor([[3, 4, 5]]).expand(4000, 3)
    first = policy.sample(policy.net, prompts, torch.Generator().manual_seed(0))[:, 0]
    with torch.no_grad():
        expected = policy.net(prompts[:1])[0, -1].softmax(-1)
    assert float((first.bincount(minlength=32) / 4000 - expected).abs().max()) < 0.03


def test_a_policy_without_a_kl_finds_the_hole_of_its_reward(tmp_path: Path) -> None:
    """An untrained policy is paid for ordered digits: the shortest such answers are right of nothing."""
    policy = model(tmp_path, beta=0.0)
    trainer = small_trainer(tmp_path, max_epochs=15, limit_val_batches=0)
    trainer.fit(policy, data())
    (found,) = small_trainer(tmp_path).test(policy, data(), verbose=False)
    assert found["test/reward"] > 0.9
    assert found["test/exact"] == 0 and found["test/length"] < 3 and found["test/kl"] > 1
    assert found["test/start_reward"] < 0.3


def test_the_step_has_a_gradient_for_the_policy_alone(tmp_path: Path) -> None:
    policy = model(tmp_path)
    policy.log = policy.record_train_loss = lambda *args, **kwargs: None  # type: ignore[assignment,method-assign]
    batch: tuple[Tensor, Tensor] = tuple(t[:8].long() for t in policy.trainer.datamodule.splits["val"])  # type: ignore[attr-defined,assignment]
    policy.training_step(batch, 0).backward()
    assert all(p.grad is not None for p in policy.net.parameters())
    assert all(p.grad is None for p in policy.reference.parameters())


def test_a_group_of_one_is_one_line() -> None:
    with pytest.raises(UserError, match=r"model.group_size is 1: give at least 2"):
        LitGRPO(group_size=1, **SMALL)


def test_a_group_has_one_prompt_and_without_advantages_the_loss_is_the_kl_to_the_start(tmp_path: Path) -> None:
    policy = model(tmp_path, beta=0.5)
    with torch.no_grad():
        for p in policy.net.parameters():
            p.add_(0.3 * torch.randn_like(p))
    seen: list[Tensor] = []
    policy.rewards = lambda *pair: seen.extend(pair) or {"reward": torch.ones(32)}  # type: ignore[assignment,func-returns-value]
    policy.record_train_loss = lambda *args: None  # type: ignore[method-assign]
    prompts, answers = (t[:8].long() for t in policy.trainer.datamodule.splits["val"])  # type: ignore[attr-defined]
    loss = policy.training_step((prompts, answers), 0)
    assert bool((seen[1].view(8, 4, -1) == answers[:, None]).all())
    tokens, targets = policy.sequences(prompts.repeat_interleave(4, 0), seen[0])
    log_p, log_q = (policy.log_probs(tokens, targets, reference) for reference in (False, True))
    each = ((log_q - log_p).exp() - (log_q - log_p) - 1).sum(1) / (targets != -1).sum(1)
    torch.testing.assert_close(loss, 0.5 * each.mean())


def test_samples_are_drawn_without_dropout_while_the_policy_trains(tmp_path: Path) -> None:
    torch.manual_seed(0)
    policy, modes = LitGRPO(max_tokens=4, group_size=2, dropout=0.5, **SMALL), []
    small_trainer(tmp_path).validate(policy, data(), verbose=False)
    policy.record_train_loss = lambda *args: None  # type: ignore[method-assign]
    sample = policy.sample
    policy.sample = lambda net, *args: (modes.append(net.training), sample(net, *args))[1]  # type: ignore[method-assign,func-returns-value]
    batch: tuple[Tensor, Tensor] = tuple(t[:2].long() for t in policy.trainer.datamodule.splits["val"])  # type: ignore[attr-defined,assignment]
    policy.train().training_step(batch, 0)
    assert modes == [False] and policy.net.training


def test_answers_that_are_longer_than_any_sample_are_one_line(tmp_path: Path) -> None:
    policy = LitGRPO(max_tokens=3, **SMALL)
    with pytest.raises(UserError, match=r"model.max_tokens is 3: an answer has 4; give as many"):
        small_trainer(tmp_path).validate(policy, data(), verbose=False)
