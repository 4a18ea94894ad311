"""Rotary positions beyond the trained length: linear interpolation, NTK-aware base, YaRN.

Chen et al. 2023, "Extending context window of large language models via positional interpolation" (linear);
bloc97 2023 (NTK-aware); Peng et al. 2023, "YaRN: Efficient context window extension of large language models".

A network that was trained on ``trained`` positions has never seen the angles of later ones. ``factor`` is how many
times longer a text is. With r_i = trained / wavelength_i, the number of turns of pair i within the trained length:

- ``linear`` divides all frequencies by the factor: no new angle occurs, but neighbors are told apart less well.
- ``ntk`` raises the base, so that the slowest pair is divided by the factor and the fastest one stays.
- ``yarn`` leaves the pairs with r > 32, divides those with r < 1, and goes linearly from one to the other in between.
  The longer text also spreads the softmax: queries and keys are multiplied by 0.1 ln(factor) + 1 (its temperature).
"""

import math
from typing import Any, Literal

import torch
from torch import Tensor, nn

Scaling = Literal["none", "linear", "ntk", "yarn"]
FAST, SLOW = 32, 1  # turns within the trained length: more are left as they are, fewer are interpolated (YaRN, 3.2)


def frequencies(size: int, base: float = 10_000.0) -> Tensor:
    """Radians per position of each pair of features, (size / 2,) in double precision."""
    return base ** (-torch.arange(0, size, 2, dtype=torch.float64) / size)


def pair_of(turns: float, size: int, base: float, trained: int) -> float:
    """The number of the pair, not rounded, that turns ``turns`` times within the trained length."""
    return size * math.log(trained / (turns * 2 * math.pi)) / (2 * math.log(base))


def scaled_frequencies(
    size: int, base: float, scaling: Scaling, factor: float, trained: int, temperature: bool = True
) -> tuple[Tensor, float]:
    """The frequencies (size / 2,), and the number that queries and keys are multiplied by.

    Args:
        size: Features of a head.
        base: Of the trained positions.
        scaling: See above; ``none`` leaves all frequencies.
        factor: The longest text divided by the trained length.
        trained: Longest text in training, in tokens.
        temperature: YaRN's temperature; without it only its frequencies are used.
    """
    plain = frequencies(size, base)
    if scaling == "linear":
        return plain / factor, 1.0
    if scaling == "ntk":
        return frequencies(size, base * factor ** (size / (size - 2))), 1.0
    if scaling == "yarn":
        first = max(math.floor(pair_of(FAST, size, base, trained)), 0)
        last = min(math.ceil(pair_of(SLOW, size, base, trained)), size - 1)
        ramp = (torch.arange(size // 2, dtype=torch.float64) - first) / max(last - first, 0.001)
        slow = ramp.clamp(0, 1)  # 0: as trained, 1: interpolated
        return plain * (1 - slow) + plain / factor * slow, 0.1 * math.log(factor) + 1 if temperature else 1.0
    return plain, 1.0


class ScaledRotary(nn.Module):
    """Rotates (B, H, T, head_size) to places in a text, with the frequencies that its length asks for.

    Args:
        head_size: Features of a head, an even number.
        trained: Longest text in training, in tokens.
        scaling: See above.
        factor: How many times longer a text may be; 0 follows the text: its length divided by ``trained``, at least 1.
            A text that is generated is then read with a factor that grows, the paper's "dynamic scaling".
        base: Of the frequencies.
    """

    def __init__(
        self, head_size: int, trained: int, scaling: Scaling = "none", factor: float = 0.0, base: float = 10_000.0
    ) -> None:
        super().__init__()
        self.head_size, self.trained, self.scaling, self.factor, self.base = head_size, trained, scaling, factor, base
        self.kept: tuple[Any, Tensor, Tensor] | None = None  # the tables of the last call, for the other layers

    def tables(self, span: int, rows: int, like: Tensor) -> tuple[Tensor, Tensor]:
        """cos and sin (at least ``rows``, head_size), of the type and on the device of ``like``; see ``forward``."""
        factor = self.factor or max(1.0, span / self.trained)
        key = (factor if self.scaling != "none" else 1.0, like.dtype, like.device)
        if self.kept is None or self.kept[0] != key or len(self.kept[1]) < rows:
            rates, scale = scaled_frequencies(self.head_size, self.base, self.scaling, factor, self.trained)
            angle = torch.arange(max(2 * rows, self.trained), dtype=torch.float64)[:, None] * rates
            cos, sin = scale * angle.cos(), scale * angle.sin()
            self.kept = (key, torch.cat([cos, cos], 1).to(like), torch.cat([-sin, sin], 1).to(like))
        return self.kept[1], self.kept[2]

    def forward(self, x: Tensor, places: Tensor, span: int, rows: int) -> Tensor:
        """Rotates x (B, H, T, d).

        Args:
            x: Queries or keys.
            places: Where each is in the text (T,).
            span: The largest distance that is compared, in tokens: the length of the text, or of the window.
            rows: The length of the text.
        """
        cos, sin = self.tables(span, rows, x)
        return x * cos[places] + x.roll(x.shape[-1] // 2, -1) * sin[places]
