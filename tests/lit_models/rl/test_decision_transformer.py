"""The decision transformer: what each prediction may see, what is asked for while acting, and its loss."""

from typing import Any

import pytest
import torch
from torch import Tensor

from common.messages import UserError
from lit_models.rl.decision_transformer import DecisionTransformer, LitDecisionTransformer

SIZES: dict[str, Any] = {"num_features": 3, "num_actions": 2, "max_steps": 12, "hidden_size": 8, "num_layers": 1}


def inputs(rows: int = 4, steps: int = 5) -> tuple[Tensor, ...]:
    torch.manual_seed(1)
    action = torch.nn.functional.one_hot(torch.randint(2, (rows, steps)), 2).float()
    return torch.randn(rows, steps), torch.randn(rows, steps, 3), action, torch.arange(steps).expand(rows, -1)


def changed(net: DecisionTransformer, which: int, at: int) -> list[bool]:
    """The steps whose prediction depends on one entry of one input."""
    x = [part.clone() for part in inputs()]
    before = net(*x)
    x[which][:, at] = x[which][:, at] + 1
    return ((net(*x) - before).abs().amax((0, 2)) > 1e-7).tolist()


def test_a_prediction_sees_its_return_and_observation_and_only_earlier_actions() -> None:
    net = DecisionTransformer(**SIZES).eval()
    for which in (0, 1):
        assert changed(net, which, 2) == [False, False, True, True, True]
    assert changed(net, 2, 2) == [False, False, False, True, True]


def test_behavior_cloning_does_not_see_returns() -> None:
    net = DecisionTransformer(**SIZES, use_returns=False).eval()
    assert changed(net, 0, 2) == [False] * 5 and any(changed(net, 1, 2))


def test_steps_without_an_action_to_predict_do_not_count() -> None:
    model = LitDecisionTransformer(**SIZES, dropout=0.0)
    model.record_train_loss = lambda loss, rows: None  # type: ignore[method-assign,assignment]
    x, target = inputs(), torch.tensor([[0, 1, -1, -1, -1]] * 4)
    loss = model.training_step((*x, target), 0)
    log_prob = model(*x).log_softmax(2)
    expected = -(log_prob[:, 0, 0] + log_prob[:, 1, 1]).sum() / 20
    torch.testing.assert_close(loss, expected)


def test_acting_asks_for_less_after_each_reward_and_forgets_what_is_long_ago() -> None:
    torch.manual_seed(0)
    model, seen = LitDecisionTransformer(**SIZES, window_steps=2, return_scale=10.0).eval(), []
    forward = model.net.forward
    model.net.forward = lambda *x: (seen.append(x), forward(*x))[1]  # type: ignore[method-assign,func-returns-value]
    model.begin(torch.tensor([10.0, 20.0]))
    observations = torch.randn(3, 2, 3)
    for k in range(3):
        action = model.act(observations[k])
        model.earned(torch.tensor([1.0, 2.0]))
    to_go, observation, actions, step = seen[-1]
    torch.testing.assert_close(to_go, torch.tensor([[0.9, 0.8], [1.8, 1.6]]))
    assert torch.equal(observation, observations[1:].transpose(0, 1)) and step.tolist() == [[1, 2]] * 2
    assert bool((actions[:, 0].sum(1) == 1).all()) and not bool(actions[:, 1].any()) and action.shape == (2,)


def test_continuous_actions_are_regressed_within_their_limits() -> None:
    model = LitDecisionTransformer(**SIZES, continuous=True, dropout=0.0)
    model.record_train_loss = lambda loss, rows: None  # type: ignore[method-assign,assignment]
    x, target = inputs(), torch.rand(4, 5, 2)
    target[:, 3:] = float("nan")
    output = model(*x)
    assert float(output.detach().abs().max()) <= 1
    expected = (output - target)[:, :3].square().sum() / target.numel()
    torch.testing.assert_close(model.training_step((*x, target), 0), expected)


@pytest.mark.parametrize("arguments", [{"window_steps": 0}, {"return_scale": 0.0}])
def test_wrong_arguments_are_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=f"model.{next(iter(arguments))}"):
        LitDecisionTransformer(**SIZES, **arguments)


def test_an_evaluation_logs_the_distance_of_all_and_the_return_of_those_that_were_asked_for_most() -> None:
    model = LitDecisionTransformer(**SIZES)
    found: dict[str, Any] = {}
    model.log_dict = lambda values, **_: found.update(values)  # type: ignore[method-assign]
    model.evaluate("test", torch.tensor([10.0, 20.0, 20.0]), torch.tensor([12.0, 20.0, 12.0]))
    assert {name: round(float(value), 4) for name, value in found.items()} == {
        "test/loss": 0.1667, "test/error": 0.1667, "test/return": 16.0
    }  # fmt: skip
