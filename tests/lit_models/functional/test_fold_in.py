"""A new person's vector against scikit-learn and against training; the parts of a score; the first questions."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge

from lit_models.functional.fold_in import contributions, influence, informative, with_bias
from lit_models.recommender.mf import LitMF


def test_it_is_ridge_regression_on_the_items_vectors() -> None:
    q, e = torch.randn(30, 4), torch.randn(7)
    x = with_bias(q)
    ours = influence(x[:7], 0.1) @ e
    theirs = Ridge(alpha=0.7, fit_intercept=False).fit(x[:7].numpy(), e.numpy()).coef_
    assert np.allclose(ours.numpy(), theirs, atol=1e-5)
    wrong = Ridge(alpha=0.1, fit_intercept=False).fit(x[:7].numpy(), e.numpy()).coef_  # the penalty only once
    assert not np.allclose(ours.numpy(), wrong, atol=1e-3)


def test_training_a_known_user_alone_ends_at_the_same_vector() -> None:
    """The loss of ``LitMF`` with its penalty, over the ratings of one user, items fixed."""
    torch.manual_seed(1)
    model = LitMF(num_users=1, num_items=12, embed_size=3, penalty=0.2)
    net = model.net
    net.item.weight.data.normal_()
    net.item_bias.weight.data.normal_()
    pairs, y = torch.stack([torch.zeros(5, dtype=torch.long), torch.arange(5)], 1), torch.tensor([5.0, 1, 4, 2, 5])
    own = [net.user.weight, net.user_bias.weight]
    optimizer = torch.optim.LBFGS(own, max_iter=200, tolerance_grad=1e-9, tolerance_change=1e-12)

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = (net(pairs)[:, 0] - y).square().mean() / 2 + model.penalty / 2 * net.squares(pairs)
        loss.backward()
        return loss

    optimizer.step(closure)  # type: ignore[arg-type]
    base = (net.mean + net.item_bias.weight[:, 0]).detach()
    found = influence(with_bias(net.item.weight.detach())[:5], 0.2) @ (y - base[:5])
    assert torch.allclose(found, torch.cat([own[1][0], own[0][0]]).detach(), atol=1e-4)


def test_the_parts_of_a_score_sum_to_it() -> None:
    x, e = with_bias(torch.randn(20, 3)), torch.randn(4)
    moved = influence(x[:4], 0.3)
    assert torch.allclose(contributions(x, moved, e).sum(1), x @ (moved @ e), atol=1e-5)


def test_biases_only_need_no_vectors() -> None:
    x = with_bias(torch.zeros(5, 0))
    assert influence(x[:2], 0.5) @ torch.tensor([1.0, 3.0]) == pytest.approx(4 / 3)


def test_questions_differ_from_each_other_and_from_what_is_known() -> None:
    x = torch.eye(4).repeat_interleave(3, 0)  # four directions, three equal items each
    chosen = informative(x, torch.ones(12), torch.tensor([0]), 3)
    assert {int(k) // 3 for k in chosen} == {1, 2, 3}  # not the direction that is known
    popular = torch.ones(12)
    popular[5] = 10
    assert int(informative(x, popular, torch.tensor([], dtype=torch.long), 1)) == 5
    assert len(informative(x, popular, torch.arange(10), 9)) == 2
