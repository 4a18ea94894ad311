"""Noise schedules and samplers against diffusers' schedulers: whole trajectories under one fixed model and noise.

Defaults in which diffusers differs from this project, and which are set here: ``clip_sample`` (DDPM and DDIM limit the
estimated data to [-1, 1]), ``timestep_spacing`` (``leading`` for DDPM and DDIM, whose first level has data left),
``steps_offset``, ``set_alpha_to_one``, ``variance_type``. Euler's and Heun's schedulers hold x / a instead of x.
"""

import warnings
from functools import partial
from typing import Any

import torch
from torch import Tensor

from lit_models.functional.diffusion_samplers import sample
from lit_models.functional.noise_schedules import Level, NoiseSchedule, betas_of
from lit_models.functional.parameterizations import parts
from scripts.evidence.verify import Check, Tensors

LINEAR = {"beta_start": 1e-4, "beta_end": 0.02, "beta_schedule": "linear"}
SINGLE = "diffusers' tables are in single precision"
TOLERANCE = 1e-4  # of the schedulers that divide by the last level's a, 0.006


def diffusers() -> Any:
    """The package, without its note on packages that are not installed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import diffusers
    return diffusers


def noise() -> Tensor:
    return torch.randn(3, 4, generator=torch.Generator().manual_seed(5), dtype=torch.float64)


def model(x: Tensor, t: float) -> Tensor:
    """A fixed network: smooth in x and t, and different in each dimension."""
    weights = torch.linspace(-1, 1, x.shape[1] ** 2, dtype=x.dtype).view(x.shape[1], -1)
    return torch.tanh(x @ weights + float(t) / 300) + 0.3 * x


def ours(
    sampler: str,
    spacing: str,
    kind: str = "linear",
    prediction: str = "epsilon",
    offset: int = 0,
    zero_snr: bool = False,
    steps: int = 10,
    **settings: Any,
) -> Tensors:
    """The states after each step."""
    schedule = NoiseSchedule(kind, 1000, zero_snr)  # type: ignore[arg-type]

    def denoise(x: Tensor, level: Level) -> tuple[Tensor, Tensor]:
        t = level.t + 1 if schedule.flow else level.t  # diffusers numbers a flow's levels from 1
        return parts(prediction, model(x, t), x, level.a, level.s)  # type: ignore[arg-type]

    levels = schedule.levels(steps, spacing, offset)  # type: ignore[arg-type]
    how: dict[str, Any] = {"sampler": sampler, "flow": schedule.flow, **settings}
    states = sample(denoise, noise(), levels, generator=torch.Generator().manual_seed(7), **how)
    return {f"step {k}": x for k, x in enumerate(states)}


def reference(
    name: str, step: dict[str, Any] | None = None, scaled: bool = False, steps: int = 10, **config: Any
) -> Tensors:
    """The same states by a scheduler of diffusers, with tables in double precision where they can be exchanged.

    Args:
        name: Its class.
        step: Further arguments of its ``step``.
        scaled: Whether it holds x / a.
        steps: Number of steps. DDPM and DDIM compute the next level from it, rightly where it divides 1,000.
        **config: Its settings.
    """
    scheduler = getattr(diffusers(), name)(num_train_timesteps=1000, **config)
    random = {}
    if name in ("DDPMScheduler", "DDIMScheduler"):
        exact = NoiseSchedule("linear", 1000, bool(config.get("rescale_betas_zero_snr")))
        scheduler.alphas_cumprod = exact.a**2  # compared with diffusers' own in diffusion/schedules
        random = {"generator": torch.Generator().manual_seed(7)}
    scheduler.set_timesteps(steps)
    scale = float((scheduler.sigmas[0] ** 2 + 1) ** 0.5) if scaled else 1.0
    x, states = noise() * scale, []
    for t in scheduler.timesteps:
        seen = scheduler.scale_model_input(x, t) if hasattr(scheduler, "scale_model_input") else x
        x = scheduler.step(model(seen.double(), float(t)), t, x, **random, **(step or {})).prev_sample.double()
        sigma = float(scheduler.sigmas[scheduler.step_index]) if scaled else 0.0
        states.append(x / (sigma**2 + 1) ** 0.5)
    if name == "HeunDiscreteScheduler":  # two calls a step, one for the last
        states = [*states[1:-1:2], states[-1]]
    return {f"step {k}": x for k, x in enumerate(states)}


def schedules(shift: int = 0) -> Tensors:
    """Betas, their products, and noised data at some levels; the control's are a level off."""
    found: Any = {}
    for kind, theirs in (("linear", LINEAR), ("cosine", {"beta_schedule": "squaredcos_cap_v2"})):
        del theirs
        schedule = NoiseSchedule(kind, 1000)  # type: ignore[arg-type]
        t = torch.tensor([0, 500, 998]) + shift
        found |= {f"betas {kind}": betas_of(kind, 1000), f"products {kind}": schedule.a**2}  # type: ignore[arg-type]
        found[f"noised {kind}"] = schedule.add_noise(noise(), noise().flip(0), t)
    found["zero terminal SNR"] = NoiseSchedule("scaled_linear", 1000, zero_snr=True).betas
    return found


def their_schedules() -> Tensors:
    found: Any = {}
    package = diffusers()
    for kind, config in (("linear", LINEAR), ("cosine", {"beta_schedule": "squaredcos_cap_v2"})):
        scheduler = package.DDPMScheduler(num_train_timesteps=1000, **config)
        found |= {f"betas {kind}": scheduler.betas.double(), f"products {kind}": scheduler.alphas_cumprod.double()}
        found[f"noised {kind}"] = scheduler.add_noise(noise(), noise().flip(0), torch.tensor([0, 500, 998]))
    latent = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
    scheduler = package.DDIMScheduler(num_train_timesteps=1000, **latent, rescale_betas_zero_snr=True)
    found["zero terminal SNR"] = scheduler.betas.double()
    return found


def sampler_check(
    name: str, claim: str, mine: dict[str, Any], theirs: dict[str, Any], wrong: dict[str, Any], mistake: str, **how: Any
) -> Check:
    return Check(
        name=f"diffusion/{name}",
        claim=f"{claim}: the states after all steps",
        package="diffusers",
        ours=partial(ours, **mine),
        reference=partial(reference, **theirs),
        control=partial(ours, **(mine | wrong)),
        mistake=mistake,
        **({"without": "gradients: samplers have none"} | how),
    )


DDPM = {"name": "DDPMScheduler", "clip_sample": False, **LINEAR}
DDIM = {"name": "DDIMScheduler", "clip_sample": False, **LINEAR}
CHECKS = [
    Check(
        name="diffusion/schedules",
        claim="linear and cosine betas, their products, noised data; zero terminal SNR",
        package="diffusers",
        ours=schedules,
        reference=their_schedules,
        control=partial(schedules, shift=1),
        mistake="noise of the next level: levels counted from 1",
        tolerance=1e-5,
        why=SINGLE,
        without="gradients: schedules have none",
    ),
    sampler_check(
        "ancestral_small",
        "ancestral sampling with the posterior's variance",
        {"sampler": "ancestral", "spacing": "leading", "variance": "small"},
        DDPM | {"variance_type": "fixed_small"},
        {"variance": "large"},
        "the larger variance",
    ),
    sampler_check(
        "ancestral_large",
        "ancestral sampling with the variance beta, v-prediction",
        {"sampler": "ancestral", "spacing": "leading", "variance": "large", "prediction": "v"},
        DDPM | {"variance_type": "fixed_large", "prediction_type": "v_prediction"},
        {"variance": "small"},
        "the smaller variance",
    ),
    sampler_check(
        "ddim",
        "DDIM without noise",
        {"sampler": "ddim", "spacing": "leading"},
        DDIM,
        {"offset": 1},
        "steps_offset 1 (Stable Diffusion)",
    ),
    sampler_check(
        "ddim_eta",
        "DDIM with eta 0.7, prediction of the data",
        {"sampler": "ddim", "spacing": "leading", "eta": 0.7, "prediction": "x0"},
        DDIM | {"step": {"eta": 0.7}, "prediction_type": "sample"},
        {"eta": 0.49},
        "the square of eta",
    ),
    sampler_check(
        "ddim_zero_snr",
        "DDIM from a level without data, v-prediction",
        {"sampler": "ddim", "spacing": "trailing", "prediction": "v", "zero_snr": True},
        DDIM | {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing", "prediction_type": "v_prediction"},
        {"zero_snr": False},
        "the last level has data left",
    ),
    sampler_check(
        "dpm",
        "DPM-Solver++ (2M)",
        {"sampler": "dpm", "spacing": "trailing"},
        {"name": "DPMSolverMultistepScheduler", "timestep_spacing": "trailing", **LINEAR},
        {"sampler": "ddim"},
        "first order",
        tolerance=TOLERANCE,
        why=SINGLE,
    ),
    sampler_check(
        "euler",
        "Euler's method, levels between two of the schedule",
        {"sampler": "euler", "spacing": "linspace", "steps": 12},
        {"name": "EulerDiscreteScheduler", "scaled": True, "steps": 12, **LINEAR},
        {"spacing": "trailing"},
        "levels rounded",
        tolerance=TOLERANCE,
        why=SINGLE,
    ),
    sampler_check(
        "euler_karras",
        "Euler's method on Karras' levels",
        {"sampler": "euler", "spacing": "karras"},
        {"name": "EulerDiscreteScheduler", "scaled": True, "use_karras_sigmas": True, **LINEAR},
        {"spacing": "linspace"},
        "levels evenly spaced",
        tolerance=3e-3,
        why="diffusers takes seventh roots of sigma in single precision",
    ),
    sampler_check(
        "heun",
        "Heun's method",
        {"sampler": "heun", "spacing": "linspace", "steps": 12},
        {"name": "HeunDiscreteScheduler", "scaled": True, "steps": 12, **LINEAR},
        {"sampler": "euler"},
        "Euler's method",
        tolerance=TOLERANCE,
        why=SINGLE,
    ),
    sampler_check(
        "flow_euler",
        "Euler's method along a flow",
        {"sampler": "euler", "spacing": "linspace", "kind": "flow", "prediction": "flow"},
        {"name": "FlowMatchEulerDiscreteScheduler"},
        {"spacing": "trailing"},
        "the last step begins at 1/10 instead of 1/1000",
        tolerance=TOLERANCE,
        why=SINGLE,
    ),
]
