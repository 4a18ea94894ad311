"""Adversarial training: a generator and a discriminator. Batch: ``(real, *conditions)``, real (B, ...).

Goodfellow et al. 2014; D2L 20. ``self.net`` has ``generator``, ``discriminator``, and the ``latent_shape`` of a
sample's noise; ``num_conditions`` of the batch's further tensors (classes) are passed to both, none by default.

Lightning's automatic optimization has one optimizer, so that this task takes its steps itself. What the Trainer refuses
then is an argument here: clipping and the division of a batch. A step of training is one batch:

1. the discriminator's step on this batch and as many generated samples, which are detached from the generator;
2. every ``r1_interval`` batches, a step on the discriminator's R1 penalty alone;
3. every ``critic_steps`` batches, the generator's step with new noise, through a frozen discriminator, and a move of
   the average of its weights.

``trainer.global_step`` counts every one of these steps: give a run's length in epochs (``max_epochs``).
"""

import itertools
from collections.abc import Callable
from copy import deepcopy
from functools import partial
from typing import Any

import torch
from lightning.pytorch.cli import OptimizerCallable
from torch import Tensor, nn

from common.messages import UserError, note
from lit_models.functional.point_measures import energy_distance
from lit_models.tasks.adversarial_losses import Loss, discriminator_loss, generator_loss, gradient_penalty, r1
from lit_models.tasks.processes import EpochMean, gather_equal, gather_rows, rank_and_world
from lit_models.tasks.resumed_optimizer import apply_changes, refuse_another, setup_of
from lit_models.tasks.task import Task
from lit_models.tasks.two_networks import frozen, move_average, refuse_to_train, rescaled, schedule_of, step_schedules

Rows = dict[str, list[Tensor]]  # what an evaluation collects of each batch


class Adversarial(Task):
    """Trains ``self.net.generator`` against ``self.net.discriminator``.

    Logs ``train/discriminator_loss`` and ``train/generator_loss``; of the averaged generator ``val/loss``, the energy
    distance of its samples from the validation split, and ``test/loss``, the same of the test split.

    Args:
        loss: ``non_saturating``, ``wasserstein`` or ``hinge`` (``lit_models/tasks/adversarial_losses.py``).
        discriminator_optimizer: Makes the discriminator's optimizer; None: as the generator's, ``optimizer``.
        critic_steps: Steps of the discriminator for one of the generator.
        gradient_penalty: Weight of the penalty of Gulrajani et al. 2017 in each step of the discriminator; 10 there.
        r1_gamma: Weight of the R1 penalty; 0: none.
        r1_interval: Batches between two steps on R1, which are then weighted by this number. The discriminator's
            learning rate and betas are scaled by i / (i + 1) and to the power i / (i + 1), as in Karras et al. 2020,
            since it takes i + 1 steps in i batches.
        ema_half_life: Samples after which the weight of an old generator in the average has halved; 0: no average.
        clip_norm: Largest norm of the gradients of each of the two networks; 0: no limit.
        parts: A batch is processed in so many parts, whose gradients are added up before the step: less memory.
        **task: See ``Task``. ``optimizer`` is the generator's, ``lr_scheduler`` is made for both; with
            ``lr_interval: step`` the schedules move once per batch.

    Raises:
        UserError: An argument is out of range.
    """

    output_means = "Generated samples."

    def __init__(
        self,
        loss: Loss = "non_saturating",
        discriminator_optimizer: OptimizerCallable | None = None,
        critic_steps: int = 1,
        gradient_penalty: float = 0.0,
        r1_gamma: float = 0.0,
        r1_interval: int = 16,
        ema_half_life: float = 0.0,
        clip_norm: float = 0.0,
        parts: int = 1,
        **task: Any,
    ) -> None:
        super().__init__(**task)
        for name, value in (("critic_steps", critic_steps), ("r1_interval", r1_interval), ("parts", parts)):
            if value < 1:
                raise UserError(f"model.{name} is {value}: give a whole number of at least 1")
        self.automatic_optimization = False
        self.loss: Loss = loss
        self.discriminator_optimizer = discriminator_optimizer or self.optimizer
        self.optimizer_names = ("optimizer", "discriminator_optimizer" if discriminator_optimizer else "optimizer")
        self.critic_steps, self.parts = critic_steps, parts
        self.gradient_penalty, self.r1_gamma, self.r1_interval = gradient_penalty, r1_gamma, r1_interval
        self.ema_half_life, self.clip_norm = ema_half_life, clip_norm
        self.ema = deepcopy(self.net.generator).requires_grad_(False) if ema_half_life else None
        self.batches = 0  # of the whole run, saved in the checkpoint
        self.means = {"discriminator": EpochMean(), "generator": EpochMean()}
        self.collected: Rows = {}
        self.warned = False
        zeros: Any = [torch.zeros(1, dtype=torch.long)] * getattr(self.net, "num_conditions", 0)
        self.example_input = (torch.zeros(1, *self.net.latent_shape), *zeros)  # type: ignore[misc]

    # -- the two networks -------------------------------------------------------------------------------------------

    @property
    def sampler(self) -> nn.Module:
        """The generator to make samples with: the average where there is one."""
        return self.ema if self.ema is not None else self.net.generator  # type: ignore[return-value]

    def forward(self, *inputs: Tensor) -> Any:
        return self.sampler(*inputs)

    def take_weights(self) -> None:
        super().take_weights()
        if self.ema is not None:
            self.ema.load_state_dict(self.net.generator.state_dict())  # type: ignore[union-attr]

    def real(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Real samples as the generator makes them, and the conditions that the networks take."""
        return batch[0], tuple(batch[1 : 1 + getattr(self.net, "num_conditions", 0)])

    def noise(self, rows: int, generator: torch.Generator | None = None) -> Tensor:
        """Standard normal noise (rows, *latent_shape)."""
        net: Any = self.net  # of a seed the same samples on every device
        options: Any = {"device": self.device if generator is None else "cpu", "dtype": self.dtype}
        return torch.randn(rows, *net.latent_shape, generator=generator, **options).to(self.device)

    # -- training ----------------------------------------------------------------------------------------------------

    def training_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> dict[str, Tensor]:
        real, conditions = self.real(batch)
        generator_steps, discriminator_steps = self.optimizers()  # type: ignore[attr-defined,misc]
        net: Any = self.net

        def discriminate(rows: slice) -> Tensor:
            x, given = real[rows], [c[rows] for c in conditions]
            with torch.no_grad():
                fake = net.generator(self.noise(len(x)), *given)
            loss = discriminator_loss(self.loss, net.discriminator(x, *given), net.discriminator(fake, *given))
            if self.gradient_penalty:
                penalty = gradient_penalty(lambda between: net.discriminator(between, *given), x, fake)
                loss = loss + self.gradient_penalty * penalty
            return loss

        def penalize(rows: slice) -> Tensor:
            given = [c[rows] for c in conditions]
            penalty = r1(lambda x: net.discriminator(x, *given), real[rows])
            return self.r1_gamma / 2 * self.r1_interval * penalty

        def generate(rows: slice) -> Tensor:
            given = [c[rows] for c in conditions]
            fake = net.generator(self.noise(len(real[rows])), *given)
            return generator_loss(self.loss, net.discriminator(fake, *given))

        found = {"discriminator": self.take_step(discriminator_steps, len(real), discriminate)}
        if self.r1_gamma and self.batches % self.r1_interval == 0:
            self.take_step(discriminator_steps, len(real), penalize)
        if (self.batches + 1) % self.critic_steps == 0:
            with frozen(net.discriminator):
                found["generator"] = self.take_step(generator_steps, len(real), generate)
                self.regularize_generator(generator_steps, len(real))
            if self.ema is not None:
                samples = len(real) * self.critic_steps * self.trainer.world_size
                move_average(self.ema, net.generator, 0.5 ** (samples / self.ema_half_life))  # type: ignore[arg-type]
        step_schedules(self.trainer, "step", self.lr_monitor)
        self.batches += 1
        self.record(found, len(real))
        return {"loss": torch.stack(list(found.values())).sum()}

    generator_factor = 1.0  #: scales the rate and betas of a generator that takes further steps (``rescaled``)

    def regularize_generator(self, optimizer: Any, rows: int) -> None:
        """A further step of the generator, on a penalty; none by default."""

    def take_step(self, optimizer: Any, rows: int, loss_of: Callable[[slice], Tensor]) -> Tensor:
        """One step of an optimizer on the mean loss of a batch, whose gradients are added up over its parts.

        Args:
            optimizer: Lightning's, so that precision, processes and the count of steps are taken care of.
            rows: Rows of the batch.
            loss_of: The mean loss () of some rows.
        """
        optimizer.zero_grad()
        edges = [rows * k // self.parts for k in range(self.parts + 1)]
        total = torch.zeros((), device=self.device)
        for begin, end in itertools.pairwise(edges):
            if begin < end:
                loss = loss_of(slice(begin, end)) * ((end - begin) / rows)
                self.manual_backward(loss)
                total = total + loss.detach()
        optimizer.step()
        return total

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Called when the gradients have their own scale again, in half precision too."""
        if self.clip_norm:
            self.clip_gradients(optimizer, self.clip_norm, "norm")

    def record(self, found: dict[str, Tensor], rows: int) -> None:
        """Adds the losses of a batch to the epoch's means; logs them on the recorded steps."""
        every = self.trainer.log_every_n_steps  # type: ignore[attr-defined]
        for name, loss in found.items():
            self.means[name].update(self.current_epoch, loss, rows)
            if every and self.batches % every == 0:
                self.log(f"train/{name}_loss_step", loss)

    def on_train_epoch_end(self) -> None:
        step_schedules(self.trainer, "epoch", self.lr_monitor)
        for name, mean in self.means.items():
            loss = mean.compute(self.current_epoch, partial(gather_equal, self))
            if loss.isnan():  # an epoch of fewer than ``critic_steps`` batches
                continue
            self.log(f"train/{name}_loss", loss.to(self.device), sync_dist=True)
            if name == "discriminator" and self.loss != "wasserstein" and loss < 1e-3 and not self.warned:
                self.warned = True
                note(
                    "the discriminator's loss is 0 over a whole epoch: it tells all samples, and the generator hardly "
                    "learns. Lower model.discriminator_optimizer.lr, or give --model.r1_gamma 1"
                )

    # -- optimizers --------------------------------------------------------------------------------------------------

    def configure_optimizers(self) -> Any:
        net: Any = self.net
        factor = self.r1_interval / (self.r1_interval + 1) if self.r1_gamma else 1.0
        optimizers = [
            rescaled(self.optimizer([p for p in net.generator.parameters() if p.requires_grad]), self.generator_factor),
            rescaled(self.discriminator_optimizer(list(net.discriminator.parameters())), factor),
        ]
        setups = [setup_of(optimizer) for optimizer in optimizers]
        self.optimizer_setup = {"both": setups}
        if self.restored_setup and self._trainer is not None and self.trainer.state.fn == "fit":
            for found in zip(self.restored_setup["both"], setups, self.optimizer_names, strict=True):
                refuse_another(*found)
        return optimizers, [schedule_of(self, optimizer) for optimizer in optimizers if self.lr_scheduler]

    def on_train_start(self) -> None:
        if self.restored_setup and self.optimizer_setup:
            schedules: list[Any] = [config.scheduler for config in self.trainer.lr_scheduler_configs] or [None, None]
            both = zip(self.restored_setup["both"], self.optimizer_setup["both"], self.optimizer_names, strict=True)
            for optimizer, schedule, setups in zip(self.trainer.optimizers, schedules, both, strict=True):
                apply_changes(optimizer, [schedule] if schedule else [], *setups)
            self.restored_setup = None
        refuse_to_train(self)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_save_checkpoint(checkpoint)
        means = {name: mean.state(partial(gather_equal, self)) for name, mean in self.means.items()}
        checkpoint["adversarial"] = {"batches": self.batches, "means": means, "warned": self.warned}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_load_checkpoint(checkpoint)
        state = checkpoint["adversarial"]
        self.batches, self.warned = state["batches"], state["warned"]
        for name, mean in self.means.items():
            mean.restore(state["means"][name])

    # -- evaluation --------------------------------------------------------------------------------------------------

    def collect(self, batch: tuple[Tensor, ...], batch_idx: int) -> dict[str, Tensor]:
        """Keeps the real rows of a batch, as many samples with the same conditions, and the logits of both.

        The noise depends on the batch's number and the process only, so that an evaluation can be repeated.
        """
        real, conditions = self.real(batch)
        generator = torch.Generator().manual_seed((batch_idx << 20) + rank_and_world(self)[0])
        fake = self.sampler(self.noise(len(real), generator), *conditions)
        net: Any = self.net
        found = {"real": real, "fake": fake, "real_logits": net.discriminator(real, *conditions)}
        found["fake_logits"] = net.discriminator(fake, *conditions)
        for name, rows in found.items():
            self.collected.setdefault(name, []).append(rows.float())
        return found

    def measures(self, rows: dict[str, Tensor]) -> dict[str, Tensor]:
        """What an evaluation logs, from the rows of the whole split: ``real``, ``fake``, and the logits of both."""
        real, fake = rows["real"].flatten(1), rows["fake"].flatten(1)
        loss = discriminator_loss(self.loss, rows["real_logits"], rows["fake_logits"])
        return {"loss": energy_distance(real, fake), "discriminator_loss": loss}

    def log_measures(self, split: str) -> None:
        """Gathers what was collected over batches and processes, and logs its measures."""
        collected, self.collected = self.collected, {}
        rows = {name: torch.cat(parts) for name, parts in collected.items()}
        if rank_and_world(self)[1] > 1:
            rows = {name: torch.cat(gather_rows(self, [x.cpu()])).to(self.device) for name, x in rows.items()}
        for name, value in self.measures(rows).items():
            value = value.to(self.device, torch.float32)  # some compute on the CPU
            self.log(f"{split}/{name}", value, sync_dist=True, prog_bar=split == "val" and name == "loss")

    def validation_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> None:
        self.collect(batch, batch_idx)

    def test_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> dict[str, Tensor]:
        return {"samples": self.collect(batch, batch_idx)["fake"]}

    def on_validation_epoch_end(self) -> None:
        self.log_measures("val")

    def on_test_epoch_end(self) -> None:
        self.log_measures("test")

    def predict_step(self, batch: Any, batch_idx: int) -> dict[str, Tensor]:
        """Returns ``score`` (B,): the discriminator's logit for each row, larger for what looks real to it."""
        real, conditions = self.real((batch,) if isinstance(batch, Tensor) else batch)
        return {"score": self.net.discriminator(real, *conditions)}  # type: ignore[operator,union-attr]
