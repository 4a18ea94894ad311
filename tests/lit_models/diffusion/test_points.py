"""Diffusion of points: the battery, and the measures with the exact score in the network's place."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from common.generation import Generates
from common.messages import UserError
from datamodules.synthetic.mixture import MixturePoints
from lit_models.diffusion.points import LitPoints, PointDenoiser
from tests.battery import TaskBattery
from tests.small import small_trainer


class TestLitPoints(TaskBattery):
    parameters = 1824 + 18_624 + 2 * (9312 + 18_624 + 9312) + 194  # enter, time, two blocks, leave
    overfit_steps = 400
    overfit_loss = 0.35  # of points without noise: where the noise hides them, nothing can be learned by heart

    def model(self) -> LitPoints:
        return LitPoints(num_timesteps=50, optimizer=partial(torch.optim.Adam, lr=1e-2))

    def batch(self) -> tuple[Tensor, ...]:
        return torch.tensor([[1.0, 0.0], [-1.0, 0.5]]).repeat(64, 1), torch.zeros(128, dtype=torch.long)

    def outputs(self, model: Any, batch: tuple[Tensor, ...]) -> Tensor:
        return model(batch[0], torch.arange(len(batch[0])) * 0 + 20)

    def test_every_parameter_gets_a_gradient(self) -> None:
        model = self.model()
        self.outputs(model, self.batch()).square().sum().backward()
        assert all(bool(p.grad.abs().sum() > 0) for p in model.parameters() if p.grad is not None)
        assert all(p.grad is not None for p in model.parameters())


class Exact(nn.Module):
    """The mixture's own noise in the network's place."""

    def __init__(self, model: LitPoints, mixture: Any) -> None:
        super().__init__()
        self.schedule, self.mixture = model.schedule, mixture

    def forward(self, x: Tensor, t: Tensor, y: Tensor | None = None) -> Tensor:
        a, s = self.schedule.at(t.round(), x)
        return -s * self.mixture.score(x, a, s)


class ExactAndPlace(Exact):
    """With a place of the variance too."""

    def forward(self, x: Tensor, t: Tensor, y: Tensor | None = None) -> Tensor:
        return torch.cat([super().forward(x, t, y), torch.zeros_like(x)], 1)


def test_a_learned_variance_does_not_change_the_likelihood_by_the_flow(tmp_path: Path) -> None:
    data = MixturePoints(num_test=100, batch_size=100)
    found: list[Any] = []
    for variance, net in (("small", Exact), ("learned", ExactAndPlace)):
        model = LitPoints(num_timesteps=20, variance=variance)
        model.net = net(model, data.mixture)
        found += small_trainer(tmp_path).test(model, data, verbose=False)
    assert found[0]["test/log_likelihood"] == found[1]["test/log_likelihood"]


def test_exact_score_has_no_error_and_reaches_the_true_likelihood(tmp_path: Path) -> None:
    data = MixturePoints(num_test=400, batch_size=100)
    model = LitPoints(num_timesteps=100)
    model.net = Exact(model, data.mixture)
    (found,) = small_trainer(tmp_path).test(model, data, verbose=False)
    assert found["test/score_error"] < 1e-5 and found["test/likelihood_gap"] < 0.02
    assert found["test/modes"] == 8 and found["test/outside"] < 0.05


def test_states_of_the_sampler_are_kept_for_an_animation_only(monkeypatch: pytest.MonkeyPatch) -> None:
    model, data, kept = LitPoints(num_timesteps=10), MixturePoints(), []
    monkeypatch.setattr(model, "decode", lambda x: kept.append(len(x)) or x)
    with torch.inference_mode():
        model.test_step((torch.zeros(4, 2), torch.zeros(4)), 0)
        list(model.generate(data, [], samples=3))
        assert kept == [4, 3]
        list(model.generate(data, [], samples=3, gif=True))
    assert kept == [4, 3] + [3] * 10


def test_classes_change_the_prediction() -> None:
    net = PointDenoiser(num_classes=2)
    x, t = torch.randn(3, 2), torch.tensor([1, 2, 3])
    one, two, none = (net(x, t, y) for y in (torch.tensor([0, 0, 0]), torch.tensor([1, 1, 1]), None))
    assert not torch.allclose(one, two)
    assert torch.equal(net(x, t, torch.tensor([2, 2, 2])), none)


def test_generates_a_table_a_picture_and_an_animation() -> None:
    model, data = LitPoints(num_timesteps=10), MixturePoints()
    assert isinstance(model, Generates)
    with torch.inference_mode():
        table, picture = model.generate(data, [], samples=20, sampler="dpm", steps=4, gif=True)
    assert list(table.columns) == ["x0", "x1"] and len(table.columns["x0"]) == 20
    assert len(picture.frames) == 5 and picture.image.size == picture.frames[0].size


@pytest.mark.parametrize(
    ("prompts", "options", "message"),
    [
        (["a"], {}, "no prompt"),
        ([], {"samples": 0}, "--samples is 0"),
        ([], {"steps": 11}, "--steps is 11: give 1 to 10"),
    ],
)
def test_mistakes_are_one_line(prompts: list[str], options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        list(LitPoints(num_timesteps=10).generate(MixturePoints(), prompts, **options))
