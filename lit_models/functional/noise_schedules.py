"""Noise schedules: how much of the data and how much noise there is at each noise level, x_t = a_t x_0 + s_t noise.

- ``linear``: betas rise linearly, a^2 is the product of 1 - beta. Ho et al. 2020, "Denoising diffusion probabilistic
  models".
- ``scaled_linear``: their square roots rise linearly. Rombach et al. 2022.
- ``cosine``: a^2 falls along a squared cosine. Nichol and Dhariwal 2021.
- ``flow``: a = 1 - s, a straight line from data to noise. Lipman et al. 2023, "Flow matching for generative modeling".

The first three keep the variance: a^2 + s^2 = 1. Levels are numbered from 0, the least noise, to T - 1, as in
diffusers; Ho et al. number them from 1 to T. The numbers are computed in double precision, on the CPU, and used in at
least single precision whatever the network's: bfloat16 cannot tell 0.9999 from 1.

Departs from Ho et al.: with another number of levels than 1,000, the ends of the linear schedule are scaled so that the
last level is as noisy (as in Nichol and Dhariwal's code).
"""

import math
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from common.messages import UserError

Kind = Literal["linear", "scaled_linear", "cosine", "flow"]
Spacing = Literal["leading", "trailing", "linspace", "karras"]


class Level(NamedTuple):
    """One noise level of a sampler.

    Args:
        t: Its number in the schedule, perhaps between two; -1 for data without noise.
        a: The factor of the data.
        s: The factor of the noise.
    """

    t: float
    a: float
    s: float

    @property
    def sigma(self) -> float:
        """Noise in units of the data, s / a."""
        return self.s / self.a if self.a else math.inf


CLEAN = Level(-1.0, 1.0, 0.0)


class NoiseSchedule:
    """The levels of a diffusion.

    Args:
        kind: See the file's beginning.
        num_timesteps: Number of levels T.
        zero_snr: Rescale the levels so that the last one has no data left. Lin et al. 2024, algorithm 1.

    Raises:
        UserError: Fewer than two levels.
    """

    def __init__(self, kind: Kind = "linear", num_timesteps: int = 1000, zero_snr: bool = False) -> None:
        if num_timesteps < 2:
            raise UserError(f"model.num_timesteps is {num_timesteps}: a diffusion needs at least 2 noise levels")
        self.kind, self.total, self.flow = kind, num_timesteps, kind == "flow"
        if self.flow:
            self.s = torch.arange(1, num_timesteps + 1, dtype=torch.float64) / num_timesteps
            self.a = 1 - self.s
        else:
            self.a = (1 - betas_of(kind, num_timesteps)).cumprod(0).sqrt()
            if zero_snr:
                first, last = float(self.a[0]), float(self.a[-1])
                self.a = (self.a - last) * first / (first - last)
            self.s = (1 - self.a**2).sqrt()

    @property
    def betas(self) -> Tensor:
        """The variance of the noise that each level adds to the one before (T,)."""
        squares = self.a**2
        return 1 - squares / torch.cat([squares.new_ones(1), squares[:-1]])

    @property
    def snr(self) -> Tensor:
        """Signal-to-noise ratio a^2 / s^2 of each level (T,)."""
        return (self.a / self.s) ** 2

    def at(self, t: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
        """The factors a and s of levels t (B,), in the shape (B, 1, ...) and the precision of ``like`` (B, ...)."""
        shape = (len(t), *[1] * (like.ndim - 1))
        dtype = torch.promote_types(like.dtype, torch.float32)
        index = t.to("cpu", torch.long)
        return tuple(table[index].to(like.device, dtype).view(shape) for table in (self.a, self.s))  # type: ignore[return-value]

    def add_noise(self, x: Tensor, noise: Tensor, t: Tensor) -> Tensor:
        """Data x (B, ...) at levels t (B,)."""
        a, s = self.at(t, x)
        return a * x + s * noise

    def level(self, t: float) -> Level:
        """The level of number t; between two levels, sigma is interpolated linearly (of a flow, s)."""
        low = min(int(t), self.total - 2)
        part = t - low
        if part in (0.0, 1.0):
            return Level(t, float(self.a[low + round(part)]), float(self.s[low + round(part)]))
        values = self.s if self.flow else self.s / self.a
        value = float(torch.lerp(values[low], values[low + 1], part))
        return Level(t, 1 - value, value) if self.flow else at_sigma(value, t)

    def sigma_to_t(self, sigma: float) -> float:
        """The number of a level whose sigma is given, by interpolation of its logarithm; within 0 and T - 1."""
        logs = (self.s / self.a).log()
        value = math.log(sigma)
        low = int((logs <= value).sum().clamp(1, self.total - 1)) - 1
        part = (value - float(logs[low])) / float(logs[low + 1] - logs[low])
        return low + min(max(part, 0.0), 1.0)

    def levels(self, steps: int, spacing: Spacing = "trailing", offset: int = 0) -> list[Level]:
        """The levels that a sampler of ``steps`` steps goes through, from noise to data without noise.

        Args:
            steps: Number of steps.
            spacing: ``trailing`` begins with the last level; ``leading`` ends with the first one, as DDPM and DDIM did,
                and with few steps begins where data is left; ``linspace`` has both; ``karras`` spaces sigma^(1/7)
                evenly (Karras et al. 2022).
            offset: Added to the numbers of ``leading``; Stable Diffusion has 1.

        Raises:
            UserError: More steps than levels, or none.
        """
        if not 1 <= steps <= self.total:
            raise UserError(f"--steps is {steps}: give 1 to {self.total}, the noise levels of the model's training")
        last = self.total - 1
        if spacing == "karras":
            if self.flow or not float(self.a[-1]):
                raise UserError("the spacing karras needs a last level that has data left: use trailing")
            low, high = (float(self.s[k] / self.a[k]) ** (1 / 7) for k in (0, last))
            sigmas = [(high + (low - high) * k / max(steps - 1, 1)) ** 7 for k in range(steps)]
            return [*(at_sigma(sigma, self.sigma_to_t(sigma)) for sigma in sigmas), CLEAN]
        if spacing == "leading":
            numbers: list[float] = [k * (self.total // steps) + offset for k in reversed(range(steps))]
        elif spacing == "linspace":
            numbers = [last - last * k / max(steps - 1, 1) for k in range(steps)]
        else:
            numbers = [round(self.total - k * self.total / steps) - 1 for k in range(steps)]
        return [*(self.level(min(t, last)) for t in numbers), CLEAN]


def at_sigma(sigma: float, t: float) -> Level:
    """The level of a sigma at which the variance is kept."""
    a = 1 / math.sqrt(1 + sigma**2)
    return Level(t, a, sigma * a)


def betas_of(kind: Kind, total: int) -> Tensor:
    """The betas (T,) of a schedule that keeps the variance."""
    if kind == "linear":
        return torch.linspace(0.1 / total, 20 / total, total, dtype=torch.float64).clamp(max=0.999)
    if kind == "scaled_linear":
        return torch.linspace((0.85 / total) ** 0.5, (12 / total) ** 0.5, total, dtype=torch.float64) ** 2
    edges = torch.arange(total + 1, dtype=torch.float64) / total
    squares = ((edges + 0.008) / 1.008 * math.pi / 2).cos() ** 2
    return (1 - squares[1:] / squares[:-1]).clamp(max=0.999)
