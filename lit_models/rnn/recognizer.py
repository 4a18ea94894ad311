"""From a sound to a distribution over characters in each frame: log-mel frames, time reduction, recurrent layers.

Graves, Mohamed and Hinton 2013, "Speech recognition with deep recurrent neural networks", for recurrent layers in both
directions under CTC; Sak et al. 2015 for stacked frames; Amodei et al. 2016, "Deep Speech 2", section 3.7, for the row
convolution. D2L 10.3 and 10.4 for the layers. Departs from them: the spectrogram is part of the network, and its level
is the mean of what was heard so far, so that the same frames can be computed while the sound comes in.

The network hears a sound whole, or in pieces (``step``), with the same result, if its layers read in one direction. A
row convolution then looks some frames ahead: y_t = sum over j of w_j * h_{t+j}, which is the delay of the answer.
"""

import math
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lit_models.audio.spectrogram import mel_filters
from lit_models.layers.precision import full_precision
from lit_models.rnn.stack import TorchStack

FLOOR = 1e-9  # added to a power before its logarithm: -90 dB of a sound in [-1, 1]


class LogMelFrames(nn.Module):
    """Log-mel frames of which each sees the past only: samples (B, n_fft - hop + k hop) -> (B, k, n_mels).

    Args:
        sample_rate: In Hz.
        n_fft: Samples in a frame.
        hop: Samples from one frame to the next.
        n_mels: Filters.
    """

    filters: Tensor

    def __init__(self, sample_rate: int, n_fft: int, hop: int, n_mels: int) -> None:
        super().__init__()
        self.n_fft, self.hop = n_fft, hop
        self.register_buffer("filters", mel_filters(n_fft, n_mels, sample_rate).float(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        with full_precision(x):
            x = x.to(torch.promote_types(x.dtype, torch.float32))
            n = torch.arange(self.n_fft, device=x.device, dtype=x.dtype)
            window = 0.5 - 0.5 * torch.cos(2 * torch.pi * n / self.n_fft)
            spectrum = torch.fft.rfft(x.unfold(1, self.n_fft, self.hop) * window)  # (B, k, n_fft // 2 + 1)
            power = (spectrum.real.square() + spectrum.imag.square()) / self.n_fft
            return torch.log(power @ self.filters.T.to(x.dtype) + FLOOR)


class BothWays(nn.Module):
    """A recurrent layer from the beginning to the end, and one back. (B, T, D) -> (B, T, 2H), outputs side by side.

    Args:
        kind: ``lstm`` or ``gru``.
        input_size, hidden_size: D and H.
    """

    def __init__(self, kind: str, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.ahead = TorchStack(kind, input_size, hidden_size)
        self.back = TorchStack(kind, input_size, hidden_size)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        order = reversed_within(x.shape[1], lengths)[..., None]  # (B, T, 1)
        y = self.back(x.gather(1, order.expand_as(x)))[0]
        return torch.cat([self.ahead(x)[0], y.gather(1, order.expand_as(y))], dim=2)


def reversed_within(steps: int, lengths: Tensor) -> Tensor:
    """The index (B, steps) that reverses each row's first ``lengths`` steps; padding stays behind them."""
    t = torch.arange(steps, device=lengths.device)
    return torch.where(t < lengths[:, None], lengths[:, None] - 1 - t, t)


class Recognizer(nn.Module):
    """Log-probabilities of the blank and K characters in each frame: (B, T) and lengths (B,) -> (B, frames, K + 1).

    Args:
        num_classes: K.
        sample_rate: In Hz.
        n_fft, hop, n_mels: See ``LogMelFrames``.
        reduction: So many log-mel frames are one step of the recurrent layers.
        kind: Of the layers.
        hidden_size: Numbers in a layer's state, in each direction.
        num_layers: Layers; 0: each step for itself.
        bidirectional: Layers read in both directions: they need the end of a sound before they begin.
        lookahead: Where they do not, the steps that the row convolution looks ahead.
        dropout: Fraction of the outputs of each layer that is dropped.
    """

    forward_methods = ("step",)

    def __init__(
        self,
        num_classes: int = 10,
        sample_rate: int = 8000,
        n_fft: int = 512,
        hop: int = 160,
        n_mels: int = 40,
        reduction: int = 2,
        kind: Literal["lstm", "gru"] = "gru",
        hidden_size: int = 64,
        num_layers: int = 2,
        bidirectional: bool = True,
        lookahead: int = 0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.front = LogMelFrames(sample_rate, n_fft, hop, n_mels)
        self.reduction, self.bidirectional = reduction, bidirectional
        self.samples = reduction * hop  # of a step
        self.lookahead = 0 if bidirectional else lookahead
        width = hidden_size * (2 if bidirectional else 1)
        sizes = [reduction * n_mels, *[width] * num_layers]
        if bidirectional:
            layers: list[nn.Module] = [BothWays(kind, size, hidden_size) for size in sizes[:-1]]
        else:
            layers = [TorchStack(kind, size, hidden_size) for size in sizes[:-1]]
        self.layers = nn.ModuleList(layers)
        self.dropout = nn.Dropout(dropout)
        self.row = (
            nn.Parameter(torch.full((self.lookahead + 1, sizes[-1]), 1 / (self.lookahead + 1)))
            if self.lookahead
            else None
        )
        self.head = nn.Linear(sizes[-1], num_classes + 1)

    def frame_counts(self, lengths: Tensor) -> Tensor:
        """Steps (B,) of sounds with so many samples; the last one may be filled up with silence."""
        return (lengths + self.samples - 1) // self.samples

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        frames = self.frame_counts(lengths)
        h = self.stacked(self.log_mel(x, lengths))
        for layer in self.layers:
            h = self.dropout(layer(h, frames) if self.bidirectional else layer(h)[0])
        if self.row is not None:
            real = torch.arange(h.shape[1], device=h.device) < frames[:, None]
            h = self.look_ahead(F.pad(h * real[..., None], (0, 0, 0, self.lookahead)))
        return self.outputs(h)

    def outputs(self, h: Tensor) -> Tensor:
        """What is made of each step's state: log-probabilities."""
        return self.head(h).log_softmax(2)

    def log_mel(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Log-mel frames (B, reduction * frames, n_mels) relative to the level so far."""
        real = torch.arange(x.shape[1], device=x.device) < lengths[:, None]
        before, after = self.front.n_fft - self.front.hop, -x.shape[1] % self.samples
        log = self.front(F.pad(x * real, (before, after)))
        return self.leveled(log, log.new_zeros(log.shape[0], 1), 0)[0]

    def leveled(self, log: Tensor, total: Tensor, count: int) -> tuple[Tensor, Tensor]:
        """Frames minus the mean of all bands and frames so far.

        Args:
            log: Frames (B, k, n_mels).
            total: Sum of the means of the frames before, (B, 1).
            count: Their number.
        """
        sums = total + log.mean(2).cumsum(1)  # (B, k)
        number = torch.arange(count + 1, count + 1 + log.shape[1], device=log.device)
        return log - (sums / number)[..., None], sums[:, -1:]

    def stacked(self, log: Tensor) -> Tensor:
        """``reduction`` frames side by side, in the type of the weights."""
        return log.reshape(log.shape[0], -1, self.reduction * log.shape[2]).to(self.head.weight.dtype)

    def look_ahead(self, h: Tensor) -> Tensor:
        """The row convolution: (B, T + lookahead, H) -> (B, T, H)."""
        assert self.row is not None
        return torch.einsum("btdj,jd->btd", h.unfold(1, self.lookahead + 1, 1), self.row)

    # -- in pieces ----------------------------------------------------------------------------------------------------

    def step(self, x: Tensor, state: dict[str, Any] | None = None, last: bool = False) -> tuple[Tensor, dict[str, Any]]:
        """The next distributions (B, steps, K + 1), late by the lookahead, and the state after them.

        Args:
            x: The next samples (B, n), n a multiple of ``samples``; where the sound has ended, filled up with zeros.
            state: None at the beginning.
            last: The sound has ended: what was held back comes too.
        """
        if state is None:
            past = x.new_zeros(len(x), self.front.n_fft - self.front.hop)
            state = {"past": past, "total": x.new_zeros(len(x), 1), "count": 0, "layers": [None] * len(self.layers)}
            state["held"] = None
        if not x.shape[1]:
            h = x.new_zeros(len(x), 0, self.head.in_features)
        else:
            heard = torch.cat([state["past"], x], 1)
            log = self.front(heard)
            log, total = self.leveled(log, state["total"], state["count"])
            h, states = self.stacked(log), []
            for layer, before in zip(self.layers, state["layers"], strict=True):
                h, after = layer(h, before)
                states.append(after)
            past = heard[:, x.shape[1] :]
            state = state | {"past": past, "total": total, "count": state["count"] + log.shape[1], "layers": states}
        if self.row is not None:
            h = h if state["held"] is None else torch.cat([state["held"], h], 1)
            whole = F.pad(h, (0, 0, 0, self.lookahead)) if last else h
            state = state | {"held": h[:, max(0, h.shape[1] - self.lookahead) :]}
            if whole.shape[1] <= self.lookahead:
                return h.new_zeros(len(h), 0, self.head.out_features), state
            h = self.look_ahead(whole)
        return self.outputs(h), state

    def seconds(self, step: float, sample_rate: int) -> float:
        """When a step begins."""
        return math.floor(step) * self.samples / sample_rate
