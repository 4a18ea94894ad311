"""Denoising diffusion: a network learns to take noise away, and samples are made from noise alone.

Ho et al. 2020, "Denoising diffusion probabilistic models". Not in D2L.
A sample is mixed with noise at a random level, and the network predicts the noise, or what amounts to the same
(``prediction``), from the mixture and the level. What a level is: ``functional/noise_schedules.py``; what is predicted:
``functional/parameterizations.py``; how samples are made: ``functional/diffusion_samplers.py``.

Departs from the paper: evaluation draws its levels and noise from a generator of its own, evenly over the levels, so
that the losses of two epochs can be compared.

    dive fit diffusion/points       eight Gaussians in the plane, whose score is known, offline
"""

from collections import deque
from collections.abc import Iterator
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional as F
from torchmetrics import MeanMetric

from common.messages import UserError
from lit_models.diffusion.other_weights import refuse_other_meaning
from lit_models.functional.diffusion_samplers import Denoise, Sampler, Variance, sample
from lit_models.functional.inpainting import inpaint, invert
from lit_models.functional.noise_schedules import Kind, Level, NoiseSchedule, Spacing
from lit_models.functional.parameterizations import Prediction, guide, input_scale, loss_weight, parts, target
from lit_models.functional.variational_bound import bound_terms, prior_term
from lit_models.layers.precision import at_least_float32
from lit_models.tasks.task import Task

BOUND_WEIGHT = 0.001  # of the bound in the loss of a learned variance: Nichol and Dhariwal 2021, equation 16


class Diffusion(Task):
    """Trains ``self.net(x, t, y)``, x (B, C, ...), t (B,) levels, y (B,) classes or None -> a prediction of x's shape;
    with ``variance: learned`` (B, 2 C, ...), the second half of which says how large the variance of a step is.

    Batch: ``(x, y)`` with the class y of each sample. A model without classes does not look at y. Logs ``train/loss``,
    ``val/loss`` and ``test/loss``, the mean squared error of the prediction.

    Args:
        num_classes: Number of classes; 0 for a model without. The network has one more, "no class".
        schedule: The noise schedule.
        num_timesteps: Number of noise levels in training.
        zero_snr: Whether the last level has no data left (Lin et al. 2024); ``prediction`` must then not be the noise.
        prediction: What the network predicts.
        variance: Of the steps of the ancestral sampler and of the variational bound: ``small``, ``large``, or
            ``learned`` between the two from the bound, a thousandth of which joins the loss (Nichol, Dhariwal 2021).
        min_snr: Limit of the loss's weights in units of the data (Hang et al. 2023: 5); 0 weighs each level's error of
            the prediction alike, as Ho et al. do.
        class_dropout: Fraction of training samples whose class the network is not told, which guidance needs.
        sampler: How samples are made in the test, and by default.
        steps: Steps of the sampler; 0 means one for each level.
        spacing: Which levels the sampler visits.
        guidance: Classifier-free guidance in the test, and by default: 1 is none.
        clip: The estimated data is limited to this absolute value in sampling; 0 for no limit.
        **task: See ``Task``.

    Raises:
        UserError: The noise is to be predicted where no data is left.
    """

    output_means = "What the network predicts of x at noise levels t: see parts() in functional/parameterizations.py."

    def __init__(
        self,
        num_classes: int = 0,
        schedule: Kind = "linear",
        num_timesteps: int = 1000,
        zero_snr: bool = False,
        prediction: Prediction = "epsilon",
        variance: Variance = "small",
        min_snr: float = 0.0,
        class_dropout: float = 0.1,
        sampler: Sampler = "ancestral",
        steps: int = 0,
        spacing: Spacing = "trailing",
        guidance: float = 1.0,
        clip: float = 0.0,
        **task: Any,
    ) -> None:
        super().__init__(**task)
        if prediction == "epsilon" and (zero_snr or schedule == "flow"):
            raise UserError("the last noise level has no data left, which the noise does not determine there: "
                            "give --model.prediction v, x0 or flow")  # fmt: skip
        self.num_classes, self.prediction, self.variance = num_classes, prediction, variance
        self.schedule = NoiseSchedule(schedule, num_timesteps, zero_snr)
        self.min_snr, self.class_dropout = min_snr, class_dropout
        self.sampler, self.steps, self.spacing = sampler, steps, spacing
        self.guidance, self.clip = guidance, clip
        self.of_pictures = False  # a leaf whose batches are pictures in [0, 1] says so
        self.bins = 0  # and how many values their pixels have
        self.val_loss, self.test_loss = MeanMetric(), MeanMetric()

    def forward(self, x: Tensor, t: Tensor, y: Tensor | None = None) -> Tensor:  # type: ignore[override]
        return self.net(x, t, y)

    def take_weights(self) -> None:
        refuse_other_meaning(self.weights, self.hparams)
        super().take_weights()

    # -- between a batch and what is diffused ------------------------------------------------------------------------

    def encode(self, x: Tensor) -> Tensor:
        """A batch's x as data of mean about 0 and variance about 1: pictures in [0, 1] are moved to [-1, 1]."""
        return 2 * x - 1 if self.of_pictures else x

    def decode(self, data: Tensor) -> Tensor:
        """The way back; what is outside of a picture's range is cut off."""
        return ((data + 1) / 2).clamp(0, 1) if self.of_pictures else data

    # -- training ----------------------------------------------------------------------------------------------------

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        data = self.encode(x)
        t = torch.randint(self.schedule.total, (len(data),), device=data.device)
        dropped = torch.rand(len(data), device=data.device) < self.class_dropout
        loss = self.loss(data, torch.randn_like(data), t, torch.where(dropped, self.num_classes, y))
        self.record_train_loss(loss, len(data))
        return loss

    def loss(self, data: Tensor, noise: Tensor, t: Tensor, y: Tensor) -> Tensor:
        """The weighted mean squared error of the prediction for data (B, ...) with noise at levels t (B,)."""
        a, s = self.schedule.at(t, data)
        noisy = a * data + s * noise
        seen = (input_scale(self.prediction, a, s) * noisy).to(data.dtype)
        prediction, *learned = self.split(at_least_float32(self(seen, t, y if self.num_classes else None)))
        error = F.mse_loss(prediction, target(self.prediction, data, noise, a, s), reduction="none")
        loss = (error * loss_weight(self.prediction, a, s, self.min_snr)).mean()
        if learned:  # the bound teaches the variance alone: its gradient for the prediction is noisy
            estimate, _ = parts(self.prediction, prediction.detach(), noisy, a, s)
            terms = bound_terms(self.schedule, data, estimate, t, "learned", self.bins, learned[0])
            loss = loss + BOUND_WEIGHT * self.schedule.total * terms.mean() / data[0].numel()
        return loss

    def split(self, output: Tensor) -> tuple[Tensor, ...]:
        """The network's prediction, and with a learned variance where it is between small (0) and large (1)."""
        if self.variance != "learned":
            return (output,)
        prediction, place = output.chunk(2, 1)
        return prediction, (place + 1) / 2

    # -- evaluation --------------------------------------------------------------------------------------------------

    def even_levels(self, rows: int, generator: torch.Generator) -> Tensor:
        """A level for each of ``rows``, spread evenly over all of them, in a random order (rows,)."""
        places = (torch.randperm(rows, generator=generator, device=generator.device) + 0.5) / rows
        return (places * self.schedule.total).long()

    def generator(self, seed: int) -> torch.Generator:
        return torch.Generator(self.device).manual_seed(seed)

    def _evaluate(self, batch: tuple[Tensor, Tensor], batch_idx: int, loss: MeanMetric) -> None:
        data, y = self.encode(batch[0]), batch[1]
        generator = self.generator(batch_idx)
        noise = torch.randn(data.shape, generator=generator, device=data.device, dtype=data.dtype)
        loss.update(self.loss(data, noise, self.even_levels(len(data), generator), y), len(data))

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        self._evaluate(batch, batch_idx, self.val_loss)

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Any:
        self._evaluate(batch, batch_idx, self.test_loss)

    def on_validation_epoch_end(self) -> None:
        self.log("val/loss", self.val_loss, prog_bar=True)

    def on_test_epoch_end(self) -> None:
        self.log("test/loss", self.test_loss)

    def bound(self, data: Tensor, y: Tensor | None, seed: int, draws: int = 8) -> Tensor:
        """The variational bound of each sample in nats (B,), estimated from ``draws`` levels a sample.

        Of pictures it is that of their whole numbers: -log of a probability, not of a density.

        Args:
            data: As ``encode`` returns it (B, ...).
            y: Classes (B,).
            seed: Of the levels and the noise.
            draws: Levels a sample.
        """
        generator = self.generator(seed)
        levels = self.even_levels(draws * len(data), generator).view(draws, len(data))
        total = prior_term(self.schedule, data)
        for t in levels:
            noise = torch.randn(data.shape, generator=generator, device=data.device, dtype=data.dtype)
            estimate, _, *learned = self.estimate(self.schedule.add_noise(data, noise, t), t, y)
            estimate = estimate.clamp(-1, 1) if self.bins else estimate
            terms = bound_terms(self.schedule, data, estimate, t, self.variance, self.bins, *learned)
            total = total + self.schedule.total / draws * terms
        return total

    def predict_step(self, batch: Any, batch_idx: int) -> dict[str, Tensor]:
        """Returns ``bound``, the variational bound of -log p of each row in nats (B,): rare samples have a high one."""
        data = self.encode(batch if isinstance(batch, Tensor) else batch[0])
        return {"bound": self.bound(data, None, batch_idx)}

    # -- denoising and sampling --------------------------------------------------------------------------------------

    def predict(self, x: Tensor, t: Tensor, y: Tensor | None, guidance: float = 1.0, rescale: float = 0.0) -> Tensor:
        """The network's output for x (B, ...) at levels t (B,); with classes y (B,), guided. None means no class."""
        if not self.num_classes:
            return self(x.to(self.dtype), t, None).to(x.dtype)
        nothing = torch.full((len(x),), self.num_classes, device=x.device)
        if y is None or guidance == 1:
            return self(x.to(self.dtype), t, nothing if y is None else y).to(x.dtype)
        both = self(torch.cat([x, x]).to(self.dtype), torch.cat([t, t]), torch.cat([y, nothing])).to(x.dtype)
        conditional, unconditional = both.chunk(2)
        if self.variance != "learned":
            return guide(conditional, unconditional, guidance, rescale)
        (guided, place), (other, _) = conditional.chunk(2, 1), unconditional.chunk(2, 1)
        return torch.cat([guide(guided, other, guidance, rescale), place], 1)

    def estimate(self, x: Tensor, t: Tensor, y: Tensor | None = None) -> tuple[Tensor, ...]:
        """The data and the noise in x (B, ...) at levels t (B,); with a learned variance, where it is (``split``)."""
        a, s = self.schedule.at(t, x)
        prediction, *learned = self.split(self.predict(x * input_scale(self.prediction, a, s), t, y))
        return (*parts(self.prediction, prediction, x, a, s), *learned)

    def denoiser(self, y: Tensor | None = None, guidance: float = 1.0, rescale: float = 0.0) -> Denoise:
        """A denoiser of samples of the classes y (B,), as the samplers call it."""

        def denoise(x: Tensor, level: Level) -> tuple[Tensor, ...]:
            t = torch.full((len(x),), level.t, device=x.device)
            seen = x * input_scale(self.prediction, level.a, level.s)
            prediction, *learned = self.split(self.predict(seen, t, y, guidance, rescale))
            data, noise = parts(self.prediction, prediction, x, level.a, level.s)
            if self.clip:
                data = data.clamp(-self.clip, self.clip)
                noise = (x - level.a * data) / level.s
            return (data, noise, *learned)

        return denoise

    def sample(
        self, shape: tuple[int, ...], y: Tensor | None = None, seed: int = 0, sampler: Sampler | Literal[""] = "",
        steps: int = 0, eta: float = 0.0, guidance: float | None = None, rescale: float = 0.0,
        noise: Tensor | None = None, last_only: bool = False,
    ) -> Iterator[Tensor]:  # fmt: skip
        """Yields decoded samples after each step.

        Args:
            shape: Of the data (B, ...).
            y: Their classes (B,); None for none.
            seed: Of the noise.
            sampler, steps, guidance: Instead of the model's own.
            eta: See ``diffusion_samplers.sample``.
            rescale: See ``guide``.
            noise: What the sampler begins with; drawn if None.
            last_only: Only the last step's samples are decoded and yielded; no others are kept.

        Raises:
            UserError: More steps than levels, or a sampler that cannot begin without data.
        """
        levels = self.schedule.levels(steps or self.steps or self.schedule.total, self.spacing)
        generator = self.generator(seed)
        if noise is None:
            kind = torch.promote_types(self.dtype, torch.float32)  # type: ignore[arg-type]  # many small steps add up
            noise = torch.randn(shape, generator=generator, device=self.device, dtype=kind)
        denoise = self.denoiser(y, self.guidance if guidance is None else guidance, rescale)
        settings: dict[str, Any] = {"eta": eta, "variance": self.variance, "generator": generator}
        name: Any = sampler or self.sampler
        states = sample(denoise, noise, levels, name, flow=self.schedule.flow, **settings)
        for x in deque(states, maxlen=1) if last_only else states:
            yield self.decode(x)

    def fill(
        self, x: Tensor, keep: Tensor, y: Tensor | None = None, seed: int = 0, steps: int = 0, repeats: int = 5,
        guidance: float | None = None, last_only: bool = False,
    ) -> Iterator[Tensor]:  # fmt: skip
        """Yields x (B, ...) after each step, with what is not kept made anew (``functional/inpainting.py``).

        Args:
            x: As a batch has it.
            keep: Which values are kept, boolean; it broadcasts to x.
            y: Classes (B,); None for none.
            seed: Of the noise.
            steps: Instead of the model's own.
            repeats: How often each step is taken.
            guidance: Instead of the model's own.
            last_only: See ``sample``.
        """
        levels = self.schedule.levels(steps or self.steps or self.schedule.total, self.spacing)
        generator = self.generator(seed)
        data = at_least_float32(self.encode(x))
        noise = torch.randn(data.shape, generator=generator, device=data.device, dtype=data.dtype)
        denoise = self.denoiser(y, self.guidance if guidance is None else guidance)
        states = inpaint(denoise, noise, levels, data, keep, repeats, generator)
        for state in deque(states, maxlen=1) if last_only else states:
            yield self.decode(state)

    def noise_of(self, x: Tensor, y: Tensor | None = None, steps: int = 0) -> Tensor:
        """The noise from which DDIM makes x (B, ...) of classes y (B,), without guidance."""
        levels = self.schedule.levels(steps or self.steps or self.schedule.total, self.spacing)
        return invert(self.denoiser(y), self.encode(x), [*levels[:-1], self.schedule.level(0)])
