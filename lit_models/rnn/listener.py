"""Transcribes a sound while it comes in: the network's step by step, and the best path of what is known so far.

A transducer's label comes with the frame that gives it.

Chunks of any length give the same transcript as the whole sound (``LitSpeech.transcribe`` by the best path). The
output of a frame comes when it, and the frames of the look-ahead, are complete.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from common.transcription import Heard, Transcript
from lit_models.functional.ctc import BLANK
from lit_models.rnn.recognizer import Recognizer


class Listener:
    """One sound.

    Args:
        net: A recognizer of one direction, in evaluation mode.
        sample_rate: In Hz.
    """

    def __init__(self, net: Recognizer, sample_rate: int) -> None:
        self.net, self.step = net, net.samples / sample_rate  # seconds
        self.state: dict[str, Any] | None = None
        self.rest = torch.zeros(1, 0)  # samples that do not fill a step yet
        self.before, self.frame = BLANK, 0

    @property
    def delay(self) -> float:
        """Seconds from the beginning of a step to its output."""
        return (1 + self.net.lookahead) * self.step

    def hear(self, samples: Tensor | np.ndarray) -> list[Heard]:
        """What the next samples (n,) in [-1, 1] add; ``end`` is the end of the first frame of a label."""
        heard = torch.cat([self.rest, torch.as_tensor(samples, dtype=torch.float32)[None]], 1)
        whole = heard.shape[1] // self.net.samples * self.net.samples
        self.rest = heard[:, whole:]
        return self.read(heard[:, :whole]) if whole else []

    def finish(self) -> list[Heard]:
        """What is still to be heard at the end: the last step is filled up with silence."""
        missing = -self.rest.shape[1] % self.net.samples
        return self.read(torch.nn.functional.pad(self.rest, (0, missing)), last=True)

    @torch.no_grad()
    def read(self, x: Tensor, last: bool = False) -> list[Heard]:
        """What whole steps of samples (1, n) add."""
        device = self.net.head.weight.device
        log_probs, self.state = self.net.step(x.to(device), self.state, last)
        values, labels = log_probs[0].exp().max(1)
        found = []
        for label, p in zip(labels.tolist(), values.tolist(), strict=True):
            if label not in (BLANK, self.before):
                found.append(Heard(label, self.frame * self.step, (self.frame + 1) * self.step, p))
            self.before, self.frame = label, self.frame + 1
        return found


class TransducerListener(Listener):
    """One sound, heard by a transducer.

    Args:
        net: Has ``encoder``, a recognizer of one direction, and is in evaluation mode.
        sample_rate: In Hz.
        greedy: Decodes frame by frame: ``frame(heard, there)`` returns labels and their probabilities.
    """

    def __init__(self, net: Any, sample_rate: int, greedy: Any) -> None:
        super().__init__(net.encoder, sample_rate)
        self.greedy = greedy

    @torch.no_grad()
    def read(self, x: Tensor, last: bool = False) -> list[Heard]:
        heard, self.state = self.net.step(x.to(self.net.head.weight.device), self.state, last)
        found, there = [], torch.ones(1, dtype=torch.bool, device=heard.device)
        for t in range(heard.shape[1]):
            begin = self.frame * self.step
            for label, p in self.greedy.frame(heard[:, t], there):
                found.append(Heard(int(label), begin, begin + self.step, float(p)))
            self.frame += 1
        return found


class WholeListener(Listener):
    """One sound, of which the network's outputs are kept and decoded together at the end.

    Args:
        net: A recognizer of one direction, in evaluation mode.
        sample_rate: In Hz.
        decode: Makes transcripts of log-probabilities (B, frames, K + 1) with so many frames (B,).
    """

    def __init__(self, net: Recognizer, sample_rate: int, decode: Callable[[Tensor, Tensor], list[Transcript]]) -> None:
        super().__init__(net, sample_rate)
        self.decode = decode
        self.outputs: list[Tensor] = []

    @torch.no_grad()
    def read(self, x: Tensor, last: bool = False) -> list[Heard]:
        log_probs, self.state = self.net.step(x.to(self.net.head.weight.device), self.state, last)
        self.outputs.append(log_probs)
        return []

    def finish(self) -> list[Heard]:
        super().finish()
        log_probs = torch.cat(self.outputs, 1)
        frames = torch.tensor([log_probs.shape[1]], device=log_probs.device)
        return list(self.decode(log_probs, frames)[0].heard)
