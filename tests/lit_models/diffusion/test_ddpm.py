"""The training step of diffusion: what the network sees, what it costs, what sampling does with it."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from common.messages import UserError
from lit_models.diffusion.ddpm import Diffusion
from lit_models.functional.parameterizations import SIGMA_DATA
from lit_models.functional.variational_bound import bound_terms


class Seen(nn.Module):
    """Remembers its inputs; predicts nothing, and with classes the number of the class."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Tensor, Tensor, Tensor | None]] = []

    def forward(self, x: Tensor, t: Tensor, y: Tensor | None = None) -> Tensor:
        self.calls.append((x, t, y))
        return torch.zeros_like(x) if y is None else y.to(x)[:, None].expand_as(x)


def model(**settings: Any) -> Any:
    net = Diffusion(**({"num_timesteps": 50} | settings))
    net.net = Seen()
    return net


def test_loss_of_no_prediction_is_the_mean_square_of_the_target() -> None:
    data, noise = torch.full((4, 3), 2.0), torch.ones(4, 3)
    t, y = torch.tensor([0, 10, 30, 49]), torch.zeros(4, dtype=torch.long)
    assert model().loss(data, noise, t, y) == 1
    assert model(prediction="x0").loss(data, noise, t, y) == 4
    assert model(prediction="flow", schedule="flow").loss(data, noise, t, y) == 1  # (noise - data)^2
    found = model()
    found.loss(data, noise, t, y)
    torch.testing.assert_close(found.net.calls[0][0], found.schedule.add_noise(data, noise, t))


def test_levels_of_an_evaluation_are_spread_evenly_and_the_same_each_time() -> None:
    net = model()
    levels = net.even_levels(100, net.generator(3))
    assert sorted(levels.tolist()) == [k // 2 for k in range(100)]
    assert torch.equal(levels, net.even_levels(100, net.generator(3)))


def test_the_class_is_dropped_in_training_and_never_in_evaluation() -> None:
    net = model(num_classes=3, class_dropout=0.5)
    net.record_train_loss = lambda *_: None
    batch = (torch.randn(400, 2), torch.ones(400, dtype=torch.long))
    net.training_step(batch, 0)
    dropped = float((net.net.calls[-1][2] == 3).float().mean())
    assert 0.4 < dropped < 0.6
    net.validation_step(batch, 0)
    assert net.net.calls[-1][2].tolist() == [1] * 400


def test_guidance_is_one_call_with_and_without_the_class() -> None:
    net, x, t = model(num_classes=4), torch.zeros(2, 3), torch.zeros(2)
    y = torch.tensor([1, 2])
    assert net.predict(x, t, y, guidance=3.0)[:, 0].tolist() == [4 + 3 * (1 - 4), 4 + 3 * (2 - 4)]
    assert len(net.net.calls) == 1
    assert net.predict(x, t, y)[:, 0].tolist() == [1, 2] and net.predict(x, t, None)[:, 0].tolist() == [4, 4]


def test_clipped_data_and_noise_still_make_up_x() -> None:
    net, x = model(clip=1.0), torch.tensor([[5.0, -0.1]])
    level = net.schedule.level(20)
    data, noise = net.denoiser()(x, level)
    assert float(data.abs().max()) == 1
    torch.testing.assert_close(level.a * data + level.s * noise, x)


def test_samples_depend_on_the_seed_only() -> None:
    net = model(steps=5)
    (*_, one), (*_, same), (*_, other) = (list(net.sample((3, 2), seed=k)) for k in (1, 1, 2))
    assert torch.equal(one, same) and not torch.equal(one, other)
    assert len(list(net.sample((3, 2), sampler="ddim", steps=7))) == 7


def test_the_last_samples_are_those_of_all_steps_and_are_decoded_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    net, x, keep = model(steps=5), torch.zeros(3, 2), torch.tensor([True, False])
    *_, sampled = net.sample((3, 2), seed=1)
    *_, filled = net.fill(x, keep, seed=1)
    decoded: list[Tensor] = []
    monkeypatch.setattr(net, "decode", lambda data: decoded.append(data) or data)
    (one,), (two,) = net.sample((3, 2), seed=1, last_only=True), net.fill(x, keep, seed=1, last_only=True)
    assert torch.equal(one, sampled) and torch.equal(two, filled) and len(decoded) == 2


def test_bound_counts_each_level() -> None:
    """With a draw for each level it is the whole sum, of which the prior's term is the smallest part."""
    net, data = model(), torch.randn(5, 2)
    few, many = (torch.stack([net.bound(data, None, k, draws) for k in range(20)]) for draws in (2, 50))
    assert few.std(0).mean() > 2 * many.std(0).mean()
    torch.testing.assert_close(few.mean(), many.mean(), rtol=0.15, atol=0)


@pytest.mark.parametrize("settings", [{"zero_snr": True}, {"schedule": "flow"}])
def test_noise_cannot_be_predicted_where_no_data_is_left(settings: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=r"--model\.prediction v, x0 or flow"):
        model(**settings)
    model(**settings, prediction="v")


class Halves(nn.Module):
    """Predicts zero noise, and one number for where the variance is."""

    def __init__(self, place: float) -> None:
        super().__init__()
        self.place = nn.Parameter(torch.tensor(place, dtype=torch.float64))
        self.noise = nn.Parameter(torch.zeros((), dtype=torch.float64))

    def forward(self, x: Tensor, t: Tensor, y: Tensor | None = None) -> Tensor:
        return torch.cat([self.noise.expand_as(x), self.place.expand_as(x)], 1)


def learned(place: float) -> Any:
    net = model(variance="learned")
    net.net = Halves(place)
    return net


def test_learned_variance_has_the_smaller_and_the_larger_one_as_its_limits() -> None:
    data = torch.randn(6, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    bounds = [learned(place).bound(data, None, 1) for place in (-1.0, 0.0, 1.0)]
    for place, variance in ((0, "small"), (2, "large")):
        net = model(variance=variance)
        torch.testing.assert_close(bounds[place], net.bound(data, None, 1))
    assert not torch.allclose(bounds[1], bounds[0]) and not torch.allclose(bounds[1], bounds[2])


def test_the_bound_teaches_the_variance_and_not_the_prediction() -> None:
    """The hybrid loss of Nichol and Dhariwal, equation 16: L_simple + 0.001 L_bound, the sum over all levels."""
    net, data = learned(0.3), torch.randn(50, 2, dtype=torch.float64)
    noise, t, y = torch.randn_like(data), torch.arange(50), torch.zeros(50, dtype=torch.long)
    loss = net.loss(data, noise, t, y)
    noisy = net.schedule.add_noise(data, noise, t)
    estimate, _, fraction = net.estimate(noisy, t)
    bound = bound_terms(net.schedule, data, estimate, t, "learned", 0, fraction).mean() * 50
    torch.testing.assert_close(loss, noise.square().mean() + 0.001 * bound / 2)
    loss.backward()
    torch.testing.assert_close(net.net.noise.grad, -2 * noise.mean())  # of the squared error alone
    assert float(net.net.place.grad.abs()) > 0


def test_guidance_leaves_the_variance_as_the_class_has_it() -> None:
    net = model(variance="learned", num_classes=4)
    x, t, y = torch.zeros(2, 2), torch.zeros(2), torch.tensor([1, 2])
    assert net.predict(x, t, y, guidance=3.0).tolist() == [[4 + 3 * (1 - 4), 1.0], [4 + 3 * (2 - 4), 2.0]]


def test_edm_network_sees_and_learns_numbers_of_variance_one() -> None:
    net = model(prediction="edm", schedule="linear")
    generator = torch.Generator().manual_seed(0)
    data, noise = (torch.randn(20_000, 2, generator=generator) * k for k in (SIGMA_DATA, 1.0))
    for level in (0, 25, 49):
        loss = net.loss(data, noise, torch.full((20_000,), level), torch.zeros(20_000, dtype=torch.long))
        assert abs(float(loss.detach()) - 1) < 0.05 and abs(float(net.net.calls[-1][0].std()) - 1) < 0.03


@pytest.mark.parametrize(
    "settings", [{"variance": "learned"}, {"prediction": "edm"}, {"schedule": "flow", "prediction": "edm"}]
)
def test_filling_keeps_and_inversion_returns(settings: dict[str, Any]) -> None:
    net, x = model(steps=5, **settings), torch.rand(2, 2, 4, 4)
    net.net = Halves(0.0).float() if "variance" in settings else Seen()
    keep = torch.zeros(1, 1, 4, 4, dtype=torch.bool)
    keep[..., 2:] = True
    *_, last = net.fill(x, keep)
    torch.testing.assert_close(last[..., 2:], x[..., 2:])
    assert not torch.allclose(last[..., :2], x[..., :2]) and net.noise_of(x).shape == x.shape


def test_the_noise_of_a_picture_is_found_through_all_levels_from_the_least_noisy_one() -> None:
    net = model(steps=5)
    net.noise_of(torch.zeros(1, 2))
    assert [float(t) for _, t, _ in net.net.calls] == [0, 9, 19, 29, 39]


def test_estimates_of_pixels_are_inside_of_their_range_in_the_bound() -> None:
    """An estimate of 7 costs what one of 1 costs, since no pixel is above."""
    data, y = torch.rand(3, 2), torch.tensor([7, 7, 7])
    found = []
    for label in (y, y * 0 + 1):
        net = model(num_classes=9, prediction="x0")
        net.bins = 256
        found.append(net.bound(data, label, 1))
    torch.testing.assert_close(*found)
