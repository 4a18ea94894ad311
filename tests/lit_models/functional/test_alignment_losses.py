"""Losses of alignment: what they are where the answer is known. Parity has the formulas."""

import math

import torch

from lit_models.functional.alignment_losses import (
    dpo_loss,
    group_advantages,
    grpo_loss,
    kl_of_logits,
    kl_of_samples,
    token_log_probs,
)


def test_prompts_and_padding_have_no_log_probability() -> None:
    logits = torch.randn(2, 3, 5)
    targets = torch.tensor([[-1, 2, 4], [0, -1, -1]])
    found = token_log_probs(logits, targets)
    assert (found == 0).tolist() == [[True, False, False], [False, True, True]]
    torch.testing.assert_close(found[0, 1], logits.log_softmax(-1)[0, 1, 2])


def test_dpo_of_the_start_itself_is_log_two() -> None:
    p = (torch.tensor([-3.0, -1.0]), torch.tensor([-2.0, -5.0]))
    loss, margin = dpo_loss(p, p, 0.1)
    torch.testing.assert_close(loss, torch.full((2,), math.log(2)))
    assert margin.tolist() == [0.0, 0.0]


def test_advantages_are_standardized_in_a_group_and_zero_where_all_are_alike() -> None:
    found = group_advantages(torch.tensor([[1.0, 0, 0, 1], [1, 1, 1, 1]]), 0.0)
    torch.testing.assert_close(found[0].mean(), torch.tensor(0.0))
    torch.testing.assert_close(found[0].std(), torch.tensor(1.0))
    assert group_advantages(torch.ones(1, 4)).tolist() == [[0.0] * 4]


def test_the_kl_of_samples_has_the_kl_as_its_mean_and_is_never_negative() -> None:
    torch.manual_seed(0)
    p, q = torch.randn(4).double().softmax(0), torch.randn(4).double().softmax(0)
    values = kl_of_samples(p.log(), q.log())
    torch.testing.assert_close((p * values).sum(), (p * (p / q).log()).sum())
    assert bool((values >= 0).all())


def test_the_kl_of_logits_is_summed_over_the_answer_alone() -> None:
    p, q = torch.randn(2, 3, 5).double(), torch.randn(2, 3, 5).double()
    answer = torch.tensor([[False, True, True], [False, False, True]])
    each = torch.nn.functional.kl_div(q.log_softmax(-1), p.log_softmax(-1), log_target=True, reduction="none").sum(-1)
    torch.testing.assert_close(kl_of_logits(p, q, answer), (each * answer).sum(1))


def test_a_ratio_beyond_the_clip_has_no_gradient_in_the_direction_it_went() -> None:
    answer = torch.ones(2, 1, dtype=torch.bool)
    log_p = torch.tensor([[0.5], [0.5]], requires_grad=True)  # ratio 1.65 for both
    before = torch.zeros(2, 1)
    grpo_loss(log_p, before, before, torch.tensor([1.0, -1.0]), answer, beta=0.0).backward()
    assert log_p.grad is not None and float(log_p.grad[0]) == 0 and float(log_p.grad[1]) > 0


def test_a_long_answer_weighs_as_much_as_a_short_one() -> None:
    log_p = torch.zeros(2, 4, requires_grad=True)
    answer = torch.tensor([[True] * 4, [True, False, False, False]])
    grpo_loss(log_p, log_p.detach(), log_p.detach(), torch.ones(2), answer).backward()
    assert log_p.grad is not None
    torch.testing.assert_close(log_p.grad.sum(1), torch.tensor([-0.5, -0.5]))
