"""Learned variance, EDM and inpainting against diffusers' schedulers; measures of pictures against torchmetrics."""

from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lit_models.functional.diffusion_samplers import sample
from lit_models.functional.generated_pictures import frechet_distance, kernel_distance
from lit_models.functional.inpainting import inpaint
from lit_models.functional.noise_schedules import CLEAN, Level, NoiseSchedule
from lit_models.functional.parameterizations import input_scale, parts
from scripts.evidence.parity.diffusion import LINEAR, diffusers, model, noise
from scripts.evidence.verify import Check, Tensors

WITHOUT = "gradients: samplers have none"
SIGMAS = [80.0, 20.0, 5.0, 1.0, 0.2, 0.01]


def place(x: Tensor, t: float) -> Tensor:
    """What a fixed network says of the variance, between -1 and 1."""
    return torch.sin(3 * x + t / 100)


# -- learned variance -------------------------------------------------------------------------------------------------


def our_learned(limits: float = 1.0) -> Tensors:
    """The states after each step; ``limits``: what the network says is multiplied by it."""

    def denoise(x: Tensor, level: Level) -> tuple[Tensor, ...]:
        data, direction = parts("epsilon", model(x, level.t), x, level.a, level.s)
        return data, direction, (limits * place(x, level.t) + 1) / 2

    levels, generator = NoiseSchedule("linear", 1000).levels(10, "leading"), torch.Generator().manual_seed(7)
    states = sample(denoise, noise(), levels, "ancestral", variance="learned", generator=generator)
    return {f"step {k}": x for k, x in enumerate(states)}


def their_learned() -> Tensors:
    scheduler = diffusers().DDPMScheduler(1000, variance_type="learned_range", clip_sample=False, **LINEAR)
    scheduler.alphas_cumprod = NoiseSchedule("linear", 1000).a ** 2
    scheduler.set_timesteps(10)
    x, found, generator = noise(), {}, torch.Generator().manual_seed(7)
    for k, t in enumerate(scheduler.timesteps):
        output = torch.cat([model(x, float(t)), place(x, float(t))], 1)
        x = scheduler.step(output, int(t), x, generator=generator).prev_sample
        found[f"step {k}"] = x
    return found


# -- EDM --------------------------------------------------------------------------------------------------------------


def our_edm(scaled: bool = True) -> Tensors:
    """Euler's method with the noise added to the data as it is (a = 1); the network is told log(sigma) / 4."""

    def denoise(x: Tensor, level: Level) -> tuple[Tensor, ...]:
        seen = x * input_scale("edm", level.a, level.s) if scaled else x
        return parts("edm", model(seen, level.t), x, level.a, level.s)

    levels = [*(Level(float(np.log(sigma)) / 4, 1.0, sigma) for sigma in SIGMAS), CLEAN]
    return {f"step {k}": x for k, x in enumerate(sample(denoise, noise() * SIGMAS[0], levels, "euler"))}


def their_edm() -> Tensors:
    scheduler = diffusers().EDMEulerScheduler()
    scheduler.set_timesteps(len(SIGMAS))
    scheduler.sigmas = torch.tensor([*SIGMAS, 0.0], dtype=torch.float64)
    scheduler.timesteps = scheduler.precondition_noise(scheduler.sigmas[:-1])
    x, found = noise() * SIGMAS[0], {}
    for k, t in enumerate(scheduler.timesteps):
        seen = scheduler.scale_model_input(x, t)
        x = scheduler.step(model(seen, float(t)), t, x).prev_sample.double()
        found[f"step {k}"] = x
    return found


# -- inpainting -------------------------------------------------------------------------------------------------------

LEVELS, REPEATS = 20, 3
DATA = torch.linspace(-1, 1, 12, dtype=torch.float64).view(3, 4)
KEEP = torch.tensor([[True, True, False, False]])


def our_filled(repeats: int = REPEATS) -> Tensors:
    schedule, generator = NoiseSchedule("linear", LEVELS), torch.Generator().manual_seed(7)

    def denoise(x: Tensor, level: Level) -> tuple[Tensor, ...]:
        return parts("epsilon", model(x, level.t), x, level.a, level.s)

    states = list(inpaint(denoise, noise(), schedule.levels(LEVELS), DATA, KEEP, repeats, generator))
    return {"filled": states[-1], "half way": states[LEVELS // 2 - 1]}


def their_filled() -> Tensors:
    betas = NoiseSchedule("linear", LEVELS).betas.numpy()
    scheduler = diffusers().RePaintScheduler(LEVELS, trained_betas=betas, eta=1.0, clip_sample=False)
    scheduler.set_timesteps(LEVELS, jump_length=1, jump_n_sample=REPEATS)
    scheduler.final_alpha_cumprod = scheduler.final_alpha_cumprod.double()
    x, before, middle = noise(), LEVELS, noise()
    generator = torch.Generator().manual_seed(7)
    for t in scheduler.timesteps.tolist():
        if t < before:
            x = scheduler.step(model(x, t), t, x, DATA, KEEP.double(), generator).prev_sample
            middle = x if t == LEVELS // 2 else middle
        else:
            x = scheduler.undo_step(x, before, generator)
        before = t
    return {"filled": x, "half way": middle}


# -- measures ---------------------------------------------------------------------------------------------------------


def features() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(2)
    real, fake = (torch.randn(n, 6, generator=generator, dtype=torch.float64) for n in (50, 40))
    return real @ torch.diag(torch.arange(1.0, 7, dtype=torch.float64)), fake + 0.3


def our_measures(biased: bool = False) -> Tensors:
    """``biased``: covariances divided by n instead of n - 1."""
    real, fake = features()
    scale = [((len(x) - 1) / len(x)) ** 0.5 if biased else 1.0 for x in (real, fake)]
    shrunk = [(x - x.mean(0)) * k + x.mean(0) for x, k in zip((real, fake), scale, strict=True)]
    kernel = kernel_distance(shrunk[0][: len(fake)], shrunk[1])  # torchmetrics takes as many of both
    return {"frechet distance": frechet_distance(*shrunk), "kernel distance": kernel}


def their_measures() -> Tensors:
    from torchmetrics.image.fid import FrechetInceptionDistance
    from torchmetrics.image.kid import poly_mmd

    class Given(nn.Module):
        """The features are the pictures."""

        num_features = 6

        def forward(self, x: Tensor) -> Tensor:
            return x.flatten(1)

    metric: Any = FrechetInceptionDistance(feature=Given(), input_img_size=(1, 2, 3))
    real, fake = features()
    metric.update(real.view(-1, 1, 2, 3), real=True)
    metric.update(fake.view(-1, 1, 2, 3), real=False)
    return {"frechet distance": metric.compute().double(), "kernel distance": poly_mmd(real[: len(fake)], fake)}


CHECKS = [
    Check(
        name="diffusion/ancestral_learned",
        claim="ancestral sampling with a learned variance: the states after all steps",
        package="diffusers",
        ours=our_learned,
        reference=their_learned,
        control=partial(our_learned, limits=-1.0),
        mistake="the two limits exchanged",
        without=WITHOUT,
    ),
    Check(
        name="diffusion/edm",
        claim="the preconditioning of Karras et al. (EDM) in Euler's method: the states after all steps",
        package="diffusers",
        ours=our_edm,
        reference=their_edm,
        control=partial(our_edm, scaled=False),
        mistake="the network sees x as it is",
        tolerance=1e-5,
        why="diffusers keeps its noise levels in single precision",
        without=WITHOUT,
    ),
    Check(
        name="diffusion/inpainting",
        claim="RePaint with each step taken three times: what is filled in",
        package="diffusers",
        ours=our_filled,
        reference=their_filled,
        control=partial(our_filled, repeats=1),
        mistake="each step taken once",
        without=WITHOUT,
    ),
    Check(
        name="diffusion/measures",
        claim="Fréchet and kernel distance of the same features, in double precision",
        package="torchmetrics",
        ours=our_measures,
        reference=their_measures,
        control=partial(our_measures, biased=True),
        mistake="covariances divided by n",
        without="gradients: measures have none",
    ),
]
