"""The steps of adversarial training, each against a loop in plain torch; resume; what is refused."""

from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback
from torch import Tensor, nn
from torch.utils.data import DataLoader

from common.messages import UserError
from datamodules.synthetic.plane_points import PlanePoints
from lit_models.gan.toy import LitToyGAN
from lit_models.tasks.schedules import Cosine
from tests.small import small_trainer

SMALL: dict[str, Any] = {"generator_sizes": (8,), "discriminator_sizes": (8,), "activation": "relu"}


class Stopped(Exception):
    """Ends a run where nothing is left to be done."""


class SaveAt(Callback):
    """Saves after a batch of the run, and ends it there."""

    def __init__(self, batch: int, path: Path) -> None:
        self.batch, self.path = batch, path

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        if pl_module.batches == self.batch:
            trainer.save_checkpoint(self.path)
            raise Stopped


def adam(lr: float = 0.01) -> Any:
    return partial(torch.optim.Adam, lr=lr)


def fit(folder: Path, model: LitToyGAN, batches: list[Tensor], epochs: int = 1, **settings: Any) -> Any:
    trainer = small_trainer(folder, max_epochs=epochs, **settings)
    rows: Any = [(x,) for x in batches]
    trainer.fit(model, DataLoader(rows, batch_size=None, generator=torch.Generator()))  # draws no number of ours
    return trainer


def batches(count: int = 4, rows: int = 6) -> list[Tensor]:
    return list(torch.randn(count, rows, 2, generator=torch.Generator().manual_seed(3)))


def weights(net: nn.Module) -> Tensor:
    return torch.cat([p.detach().flatten() for p in net.parameters()])


def loop(model: LitToyGAN, data: list[Tensor], critic_steps: int = 1, clip: float = 0.0) -> None:
    """The book's training loop (D2L 20.1), with means for sums."""
    net: Any = model.net
    of_g, of_d = (torch.optim.Adam(n.parameters(), 0.01) for n in (net.generator, net.discriminator))
    bce = nn.functional.binary_cross_entropy_with_logits
    for k, real in enumerate(data):
        of_d.zero_grad()
        fake = net.generator(torch.randn(len(real), 2)).detach()
        logits = net.discriminator(real), net.discriminator(fake)
        (bce(logits[0], torch.ones(len(real))) + bce(logits[1], torch.zeros(len(real)))).backward()
        if clip:
            nn.utils.clip_grad_norm_(net.discriminator.parameters(), clip)
        of_d.step()
        if (k + 1) % critic_steps == 0:
            of_g.zero_grad()
            bce(net.discriminator(net.generator(torch.randn(len(real), 2))), torch.ones(len(real))).backward()
            if clip:
                nn.utils.clip_grad_norm_(net.generator.parameters(), clip)
            of_g.step()


@pytest.mark.parametrize(("critic_steps", "clip"), [(1, 0.0), (3, 0.0), (1, 0.05)])
def test_training_is_the_loop_in_plain_torch(tmp_path: Path, critic_steps: int, clip: float) -> None:
    models = []
    for _ in range(2):
        torch.manual_seed(0)
        models.append(LitToyGAN(**SMALL, optimizer=adam(), critic_steps=critic_steps, clip_norm=clip))
    torch.manual_seed(1)
    trainer = fit(tmp_path, models[0], batches())
    torch.manual_seed(1)
    loop(models[1], batches(), critic_steps, clip)
    torch.testing.assert_close(weights(models[0].net), weights(models[1].net))
    assert trainer.global_step == 4 + 4 // critic_steps


def test_parts_of_a_batch_add_up_to_its_gradient(tmp_path: Path) -> None:
    """Plain gradient descent, and noise that does not depend on the parts."""
    found = []
    for parts in (1, 4):
        torch.manual_seed(0)
        model = LitToyGAN(**SMALL, optimizer=partial(torch.optim.SGD, lr=0.1), parts=parts, r1_gamma=1.0, r1_interval=1)
        drawn = iter([])

        def noise(rows: int, generator: Any = None, drawn: Any = drawn, state: dict[str, Tensor] = {}) -> Tensor:  # noqa: B006
            if "left" not in state or not len(state["left"]):
                state["left"] = torch.randn(6, 2)
            taken, state["left"] = state["left"][:rows], state["left"][rows:]
            return taken

        model.noise = partial(noise, state={})  # type: ignore[method-assign]
        torch.manual_seed(1)
        fit(tmp_path, model, batches())
        found.append(weights(model.net))
    torch.testing.assert_close(found[0], found[1])


def test_the_penalties_change_the_discriminator_when_it_is_their_turn(tmp_path: Path) -> None:
    """R1 every third batch is a step of its own: batches 0 and 3 of four."""
    model = LitToyGAN(**SMALL, optimizer=adam(), r1_gamma=5.0, r1_interval=3)
    assert fit(tmp_path, model, batches()).global_step == 4 + 4 + 2
    group = model.trainer.optimizers[1].param_groups[0]
    assert group["lr"] == pytest.approx(0.01 * 3 / 4) and group["betas"][1] == pytest.approx(0.999 ** (3 / 4))


def test_the_average_follows_the_generator_with_its_half_life(tmp_path: Path) -> None:
    model = LitToyGAN(**SMALL, optimizer=adam(), ema_half_life=6.0)
    before = weights(model.net.generator)  # type: ignore[arg-type]
    fit(tmp_path, model, batches(1))
    assert model.ema is not None
    after = weights(model.net.generator)  # type: ignore[arg-type]
    torch.testing.assert_close(weights(model.ema), (before + after) / 2)  # one batch of six is the half-life
    assert model.sampler is model.ema


def test_without_an_average_the_generator_itself_makes_samples() -> None:
    model = LitToyGAN(**SMALL)
    assert model.sampler is model.net.generator


@pytest.mark.parametrize(("interval", "expected"), [("step", 0.01 * 0.5), ("epoch", 0.01 * 0.5)])
def test_both_schedules_reach_half_the_rate_in_half_the_run(tmp_path: Path, interval: Any, expected: float) -> None:
    model = LitToyGAN(**SMALL, optimizer=adam(), lr_scheduler=Cosine, lr_interval=interval, critic_steps=2)
    trainer = fit(tmp_path, model, batches(), epochs=2, limit_train_batches=4)
    rates: list[float] = []
    assert [c.scheduler.last_epoch for c in trainer.lr_scheduler_configs] == [8 if interval == "step" else 2] * 2
    rates += [
        c.scheduler.base_lrs[0] * c.scheduler.factor(c.scheduler.total // 2) for c in trainer.lr_scheduler_configs
    ]
    assert rates == pytest.approx([expected] * 2)


def test_a_run_stopped_within_an_epoch_ends_as_one_that_was_not(tmp_path: Path) -> None:
    """Weights, averages, optimizers, schedules and counts: with critic steps that an epoch does not divide."""
    from callbacks.random_state import RandomState

    def model() -> LitToyGAN:
        torch.manual_seed(0)
        return LitToyGAN(
            **SMALL,
            optimizer=adam(),
            lr_scheduler=Cosine,
            critic_steps=3,
            ema_half_life=50.0,
            r1_gamma=1.0,
            r1_interval=2,
        )

    def data() -> PlanePoints:
        return PlanePoints(kind="ring", num_train=40, num_val=20, batch_size=8)

    ends = []
    for stop in (False, True):
        torch.manual_seed(5)
        trainer = small_trainer(tmp_path, RandomState(), max_epochs=3)
        one = model()
        if stop:
            short = small_trainer(tmp_path, RandomState(), SaveAt(7, tmp_path / "a.ckpt"), max_epochs=3)
            with pytest.raises(Stopped):
                short.fit(one, datamodule=data())
            torch.manual_seed(99)
            one = model()
        trainer.fit(one, datamodule=data(), ckpt_path=tmp_path / "a.ckpt" if stop else None)
        ends.append(
            (weights(one), one.batches, trainer.global_step, float(trainer.callback_metrics["train/generator_loss"]))
        )
    assert torch.equal(ends[0][0], ends[1][0])
    assert ends[0][1:] == ends[1][1:]


def test_a_changed_rate_of_the_discriminator_overrides_the_checkpoint(tmp_path: Path, capsys: Any) -> None:
    model = LitToyGAN(**SMALL, optimizer=adam())
    trainer = fit(tmp_path, model, batches())
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    again = LitToyGAN(**SMALL, optimizer=adam(), discriminator_optimizer=adam(0.5))
    longer = small_trainer(tmp_path, max_epochs=2)
    longer.fit(again, DataLoader([(x,) for x in batches()], batch_size=None), ckpt_path=tmp_path / "a.ckpt")  # type: ignore[arg-type]
    assert [o.param_groups[0]["lr"] for o in longer.optimizers] == [0.01, 0.5]
    assert "discriminator_optimizer.lr was 0.01" in capsys.readouterr().err


def test_another_discriminator_optimizer_is_refused_by_its_name(tmp_path: Path) -> None:
    fit(tmp_path, LitToyGAN(**SMALL, optimizer=adam()), batches()).save_checkpoint(tmp_path / "a.ckpt")
    again = LitToyGAN(**SMALL, optimizer=adam(), discriminator_optimizer=partial(torch.optim.SGD, lr=0.1))
    longer = small_trainer(tmp_path, max_epochs=2)
    with pytest.raises(UserError, match=r"model\.discriminator_optimizer is SGD, the run was trained with Adam"):
        longer.fit(again, DataLoader([(x,) for x in batches()], batch_size=None), ckpt_path=tmp_path / "a.ckpt")  # type: ignore[arg-type]


def test_a_loss_that_stays_at_zero_is_said_once(tmp_path: Path, capsys: Any) -> None:
    model = LitToyGAN(**SMALL, optimizer=adam(0.0), loss="hinge")
    with torch.no_grad():  # the generator's points are all at the origin, the data is far to the right of it
        for p in model.net.parameters():
            p.zero_()
        model.net.discriminator[0][0].weight[0, 0] = 1.0  # type: ignore[index,union-attr]
        model.net.discriminator[0][2].weight[0, 0] = 1.0  # type: ignore[index,union-attr]
        model.net.discriminator[0][2].bias[0] = -2.0  # type: ignore[index,union-attr]
    fit(tmp_path, model, [torch.full((6, 2), 9.0)] * 2, epochs=2)
    assert capsys.readouterr().err.count("the discriminator's loss is 0") == 1


def test_fewer_rows_than_a_batch_are_refused(tmp_path: Path) -> None:
    data = PlanePoints(num_train=5, num_val=5, batch_size=8)
    with pytest.raises(UserError, match="the train split has 5 rows, fewer than one batch of 8"):
        small_trainer(tmp_path).fit(LitToyGAN(**SMALL, optimizer=adam()), datamodule=data)


@pytest.mark.parametrize("name", ["critic_steps", "r1_interval", "parts"])
def test_a_count_below_one_is_refused(name: str) -> None:
    with pytest.raises(UserError, match=rf"model.{name} is 0"):
        LitToyGAN(**SMALL, **{name: 0})


def test_a_checkpoint_has_plain_values_and_the_average(tmp_path: Path) -> None:
    model = LitToyGAN(**SMALL, optimizer=adam(), discriminator_optimizer=adam(0.5), ema_half_life=10.0)
    fit(tmp_path, model, batches()).save_checkpoint(tmp_path / "a.ckpt")
    content = torch.load(tmp_path / "a.ckpt", weights_only=True)
    assert "discriminator_optimizer" not in content["hyper_parameters"]
    again = LitToyGAN.load_from_checkpoint(tmp_path / "a.ckpt", weights_only=True)
    noise = torch.randn(3, 2)
    assert torch.equal(again(noise), model(noise))


def test_bfloat16_trains_with_penalties_in_full_precision(tmp_path: Path) -> None:
    model = LitToyGAN(**SMALL, optimizer=adam(), loss="wasserstein", gradient_penalty=10.0, r1_gamma=1.0)
    fit(tmp_path, model, batches(), precision="bf16-mixed")
    assert bool(weights(model.net).isfinite().all())


@pytest.mark.parametrize("option", ["ema_half_life", "gradient_penalty", "r1_gamma"])
def test_pure_half_precision_is_refused_with_averages_and_penalties(tmp_path: Path, option: str) -> None:
    with pytest.raises(UserError, match=rf"bf16-true is too coarse for model\.{option}: give bf16-mixed"):
        fit(tmp_path, LitToyGAN(**SMALL, optimizer=adam(), **{option: 9.0}), batches(), precision="bf16-true")


def test_what_is_logged_is_on_the_models_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lightning reduces it over the processes; NCCL takes nothing from the CPU."""
    model, devices = LitToyGAN(**SMALL, optimizer=adam()), {}
    model._device = torch.device("meta")
    model._trainer = SimpleNamespace(current_epoch=0, global_rank=0, world_size=1, lr_scheduler_configs=[])
    monkeypatch.setattr(model, "log", lambda name, value, **_: devices.update({name: value.device.type}))
    monkeypatch.setattr(model, "measures", lambda rows: {"frechet": torch.tensor(1.0, dtype=torch.float64)})
    for mean in model.means.values():
        monkeypatch.setattr(mean, "compute", lambda *_: torch.tensor(1.0))
    model.on_train_epoch_end()
    model.log_measures("test")
    names = ("train/discriminator_loss", "train/generator_loss", "test/frechet")
    assert devices == dict.fromkeys(names, "meta")
