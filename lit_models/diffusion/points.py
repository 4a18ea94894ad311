"""Diffusion of points in the plane, where everything a diffusion model learns is known exactly.

Ho et al. 2020, "Denoising diffusion probabilistic models"; Song et al. 2021 (the probability flow). Not in D2L.
The data is a mixture of Gaussians, so the score at each noise level has a formula. The test compares with it what the
network has learned, the likelihood by the probability flow with the true one, and counts the components that samples
fall into.

    dive fit diffusion/points               predicts the noise, offline
    dive fit diffusion/points_flow          flow matching, offline
    dive generate diffusion/points --sampler heun --steps 20

The numbers they reach are in RESULTS.md.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchmetrics import CatMetric, MeanMetric

from common.data_protocol import attribute_of
from common.generation import Output
from common.messages import UserError
from lit_models.diffusion.ddpm import Diffusion
from lit_models.functional.diffusion_samplers import Variance
from lit_models.functional.drawing import scatter
from lit_models.functional.flow_likelihood import flow_levels, log_likelihood
from lit_models.layers.time_embedding import TimeEmbedding, time_features
from lit_models.tasks.trains import trains

LIKELIHOOD_STEPS = 100  # of the probability flow: with the exact score they are within 0.02 nat of the truth


class PointDenoiser(nn.Module):
    """Points x (B, num_features) at noise levels t (B,) -> predictions (B, num_features).

    The first layer also reads sines and cosines of the coordinates, since the score is steep between two components.
    The noise level scales and shifts each block's hidden values (Perez et al. 2018, "FiLM").

    Args:
        num_features: Dimensions of a point.
        hidden_size: Width of the network.
        num_blocks: Residual blocks of two dense layers.
        num_classes: Number of classes; 0 for none. The network has one more, "no class".
        variance: ``learned`` gives the output twice the dimensions, see ``Diffusion``.
    """

    FREQUENCIES = (1.0, 2.0, 4.0, 8.0)  # in radians per unit

    def __init__(
        self,
        num_features: int = 2,
        hidden_size: int = 96,
        num_blocks: int = 2,
        num_classes: int = 0,
        variance: Variance = "small",
    ) -> None:
        super().__init__()
        self.enter = nn.Linear(num_features * (1 + 2 * len(self.FREQUENCIES)), hidden_size)
        self.time = TimeEmbedding(hidden_size, hidden_size)
        self.classes = nn.Embedding(num_classes + 1, hidden_size) if num_classes else None
        self.blocks = nn.ModuleList(
            nn.ModuleDict(
                {
                    "first": nn.Linear(hidden_size, hidden_size),
                    "scale_shift": nn.Linear(hidden_size, 2 * hidden_size),
                    "second": nn.Linear(hidden_size, hidden_size),
                }
            )
            for _ in range(num_blocks)
        )
        self.leave = nn.Linear(hidden_size, num_features * (2 if variance == "learned" else 1))

    def forward(self, x: Tensor, t: Tensor, y: Tensor | None = None) -> Tensor:
        condition = self.time(time_features(t, self.enter.out_features))  # (B, H)
        if self.classes is not None:
            none = torch.full_like(t, self.classes.num_embeddings - 1, dtype=torch.long)
            condition = condition + self.classes(none if y is None else y)
        waves = torch.cat([x * k for k in self.FREQUENCIES], 1)
        h = self.enter(torch.cat([x, waves.sin(), waves.cos()], 1))
        for block in self.blocks:
            scale, shift = block["scale_shift"](F.silu(condition)).chunk(2, 1)  # type: ignore[operator,index]
            h = h + block["second"](F.silu(block["first"](h) * (1 + scale) + shift))  # type: ignore[operator,index]
        return self.leave(F.silu(h))


@trains(PointDenoiser)
class LitPoints(Diffusion):
    """Diffusion of points.

    Besides the loss, logs of the test split ``test/bound`` (nats), and where the datamodule knows its ``mixture``:
    ``test/score_error``, the error of the estimated noise as a fraction of the true score's, root mean square over all
    levels; ``test/log_likelihood`` by the probability flow and ``test/likelihood_gap``, how far the mean is from the
    true one, both in nats; ``test/modes``, the components that got at least half their share of samples;
    ``test/outside``, the fraction of samples more than three standard deviations from each.

    Args:
        num_features: Dimensions of a point.
        **task: See ``Diffusion``.
    """

    def __init__(self, num_features: int = 2, **task: Any) -> None:
        super().__init__(**task)
        self.num_features = num_features
        self.example_input = (torch.zeros(1, num_features), torch.zeros(1, dtype=torch.long))
        self.test_bound, self.error, self.size = MeanMetric(), MeanMetric(), MeanMetric()
        self.likelihood, self.true_likelihood = MeanMetric(), MeanMetric()
        self.samples = CatMetric()

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> dict[str, Tensor]:
        super().test_step(batch, batch_idx)
        x, seed = batch[0], self.global_rank + 1000 * batch_idx
        (samples,) = self.sample(tuple(x.shape), seed=seed, last_only=True)
        self.samples.update(samples)
        self.test_bound.update(self.bound(x, None, seed))
        if (mixture := self.data_attribute("mixture")) is not None:
            self.compare(mixture, x, seed)
        return {"samples": samples}

    def compare(self, mixture: Any, x: Tensor, seed: int) -> None:
        """Compares the estimated noise and the likelihood with the mixture's own, from test points x (B, D)."""
        generator = self.generator(seed)
        noise = torch.randn(x.shape, generator=generator, device=x.device, dtype=x.dtype)
        t = self.even_levels(len(x), generator)
        a, s = self.schedule.at(t, x)
        noisy = a * x + s * noise
        true = -s * mixture.score(noisy, a, s)  # the best prediction of the noise
        _, estimated, *_ = self.estimate(noisy, t)
        self.error.update((estimated - true).square().mean(), len(x))
        self.size.update(true.square().mean(), len(x))
        levels = flow_levels(self.schedule, min(LIKELIHOOD_STEPS, self.schedule.total))
        first = levels[-1]
        lightly = first.a * x + first.s * noise  # level 0: the flow begins where the network was trained
        self.likelihood.update(log_likelihood(self.denoiser(), lightly, levels, self.schedule.flow))
        self.true_likelihood.update(mixture.log_prob(lightly, first.a, first.s))

    def on_test_epoch_end(self) -> None:
        super().on_test_epoch_end()
        self.log("test/bound", self.test_bound)
        mixture = self.data_attribute("mixture")
        if mixture is None:
            return
        found = self.likelihood.compute()
        shares, inside = mixture.coverage(self.samples.compute())
        self.log_dict(
            {
                "test/score_error": (self.error.compute() / self.size.compute()).sqrt(),
                "test/log_likelihood": found,
                "test/likelihood_gap": (found - self.true_likelihood.compute()).abs(),
                "test/modes": (shares >= mixture.weights.to(shares) / 2).sum().float(),
                "test/outside": 1 - inside,
            }
        )
        for metric in (self.samples, self.error, self.size, self.likelihood, self.true_likelihood):
            metric.reset()  # Lightning resets only metrics that are logged as such

    def generate(
        self,
        data: Any,
        prompts: Sequence[str],
        *,
        samples: int = 1000,
        sampler: Literal["", "ancestral", "ddim", "euler", "heun", "dpm"] = "",
        steps: int = 0,
        eta: float = 0.0,
        seed: int = 0,
        gif: bool = False,
    ) -> Iterator[Output]:
        """Yields a table of points and a picture of them.

        Args:
            data: The datamodule; its ``mixture`` is drawn beside the samples.
            prompts: None: points have none.
            samples: Number of points.
            sampler: How they are made; the model's own if empty.
            steps: Steps of the sampler; 0 for the model's own number.
            eta: Noise of ddim, 0 to 1.
            seed: Of the noise.
            gif: Whether an animation of the steps is made too.
        """
        if prompts:
            raise UserError("a model of points has no prompt: leave out --prompt")
        if samples < 1:
            raise UserError(f"--samples is {samples}: give at least 1")
        shape = (samples, self.num_features)
        how: dict[str, Any] = {"seed": seed, "sampler": sampler, "steps": steps, "eta": eta, "last_only": not gif}
        states = [x.cpu() for x in self.sample(shape, **how)]
        mixture = attribute_of(data, "mixture")
        truth = mixture.sample(samples, torch.Generator().manual_seed(seed))[0] if mixture is not None else None
        kept = states[:: max(1, len(states) // 40)] + states[-1:] if gif else []
        columns = {f"x{k}": column.tolist() for k, column in enumerate(states[-1].T)}
        yield Output(0, columns=columns, name="points")
        yield Output(0, image=scatter(states[-1], truth), frames=[scatter(x, truth) for x in kept], name="points")
