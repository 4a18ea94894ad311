"""Adversarial training in two processes has the gradients of one, where the noise is the same."""

from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.strategies import DDPStrategy
from torch import Tensor

from datamodules.synthetic.plane_points import PlanePoints
from lit_models.gan.toy import LitToyGAN
from lit_models.tasks import adversarial_losses as adversarial
from tests.distributed.recipes import Gradients
from tests.small import small_trainer
from tests.warm import start_ranks, wait


class LitSameNoise(LitToyGAN):
    """Noise that is a function of the real points, so that a row has the same in whichever process it is."""

    def real(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        self.seen = batch[0]
        return super().real(batch)

    def noise(self, rows: int, generator: Any = None) -> Tensor:
        return (5 * self.seen[:rows]).sin()


def train(folder: Path, world: int) -> None:
    """Trains an epoch and keeps the gradients of all steps, and the averaged weights."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    adversarial.torch.rand = lambda *shape, **kind: torch.full(shape, 0.5, **kind)  # type: ignore[assignment]
    model = LitSameNoise(
        generator_sizes=(8,),
        loss="wasserstein",
        gradient_penalty=10.0,
        r1_gamma=1.0,
        r1_interval=2,
        critic_steps=2,
        ema_half_life=16.0,
        clip_norm=0.5,
        optimizer=lambda parameters: torch.optim.Adam(parameters, 0.01),
    ).double()
    keep = Gradients()
    strategy: Any = DDPStrategy(process_group_backend="gloo", find_unused_parameters=True) if world > 1 else "auto"
    settings = {"devices": world, "strategy": strategy, "precision": "64-true", "use_distributed_sampler": False}
    trainer = small_trainer(folder, keep, max_epochs=1, limit_val_batches=0, **settings)
    trainer.fit(model, datamodule=PlanePoints(num_train=32, num_val=8, batch_size=8 // world))
    if trainer.is_global_zero:
        assert model.ema is not None
        average = torch.cat([p.flatten() for p in model.ema.parameters()])
        torch.save({"steps": keep.steps, "average": average, "count": trainer.global_step}, folder / f"{world}.pt")


def test_two_processes_have_the_gradients_and_the_average_of_one(tmp_path: Path) -> None:
    from functools import partial

    (tmp_path / "two").mkdir()
    assert wait(*start_ranks(partial(train, tmp_path, 1), world=1, folder=tmp_path)) == [0]
    assert wait(*start_ranks(partial(train, tmp_path, 2), world=2, folder=tmp_path)) == [0, 0]
    one, two = (torch.load(tmp_path / f"{world}.pt", weights_only=True) for world in (1, 2))
    assert one["count"] == two["count"] == 4 + 2 + 2  # critic, generator, R1
    for first, second in zip(one["steps"], two["steps"], strict=True):
        torch.testing.assert_close(first, second, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(one["average"], two["average"])
