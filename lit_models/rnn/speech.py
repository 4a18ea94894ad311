"""Speech to text with connectionist temporal classification: strings of digits, keys or any characters, from a sound.

Graves et al. 2006 for CTC, by hand in ``lit_models/functional/ctc.py``; the network is in ``recognizer.py``. Not in
D2L. Nobody says in the training data when a character is spoken: the loss sums over all alignments.

    dive fit rnn/speech                        strings of telephone keys in noise, offline
    dive fit rnn/speech_stream                 the same while the sound comes in, 200 ms later
    dive fit rnn/speech_spoken_digits          spoken digits of an unheard voice
    dive transcribe rnn/speech --file sound.wav
    dive fit rnn/speech --data SpeechFolder --data.root FOLDER      your own sounds, with a text file of transcripts

The numbers they reach are in RESULTS.md; ctc_alignment.png shows where the characters were heard.
"""

from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from common.messages import UserError
from common.transcription import Heard, Transcript
from lit_models.functional.character_ngram import CharacterNgram
from lit_models.functional.ctc import ctc_loss, frames_needed, torch_ctc_loss
from lit_models.functional.ctc_decoding import align, best_path, prefix_beam
from lit_models.layers.precision import at_least_float32
from lit_models.rnn.listener import Listener, WholeListener
from lit_models.rnn.recognizer import Recognizer
from lit_models.tasks.trains import trains
from lit_models.tasks.transcriber import Transcriber

MOST_ENTRIES = 4_000_000  # of the language model's table, (K + 1)^n: 16 MB


@trains(Recognizer)
class LitSpeech(Transcriber):
    """Trains a ``Recognizer`` by CTC, in nats per character.

    Args:
        num_classes, sample_rate: See ``Transcriber``.
        ctc: ``hand``: the loss of ``functional/ctc.py``; ``torch``: equal numbers, faster.
        beam_width: Prefixes of the beam search that transcribes; 1 takes the best path.
        lm_weight: Weight of an n-gram model of the training transcripts in the beam search.
        lm_order: Its n; 0: none is counted. Smaller where there are so many characters that the table would be large.
        bonus: Added for each character in the beam search, in nats.
        **task: See ``Transcriber``.
    """

    output_means = "Log-probabilities (B, frames, K + 1) of the blank, and of the characters (class_names)."
    language_model: Tensor

    def __init__(
        self,
        num_classes: int = 10,
        sample_rate: int = 8000,
        ctc: Literal["torch", "hand"] = "torch",
        beam_width: int = 1,
        lm_weight: float = 0.0,
        lm_order: int = 3,
        bonus: float = 0.0,
        **task: Any,
    ) -> None:
        super().__init__(num_classes, sample_rate, **task)
        if beam_width < 1:
            raise UserError(f"model.beam_width is {beam_width}: give at least 1")
        while lm_order > 1 and (num_classes + 1) ** lm_order > MOST_ENTRIES:
            lm_order -= 1
        self.ctc, self.lm_order = ctc, lm_order
        self.beam_width, self.lm_weight, self.bonus = beam_width, lm_weight, bonus
        self.register_buffer("language_model", torch.zeros((num_classes + 1,) * lm_order))
        self.example_input = torch.zeros(1, sample_rate), torch.tensor([sample_rate])

    # -- training -----------------------------------------------------------------------------------------------------

    def losses(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, Tensor, Tensor]:
        """The mean loss over the characters of a batch, their number, and the log-probabilities (B, frames, K + 1)."""
        x, lengths, targets = batch
        log_probs = at_least_float32(self(x, lengths))
        loss = (ctc_loss if self.ctc == "hand" else torch_ctc_loss)(log_probs, targets, self.net.frame_counts(lengths))  # type: ignore[operator]
        count = (targets > 0).sum()
        return loss.sum() / count.clamp(min=1), count, log_probs

    def on_fit_start(self) -> None:
        super().on_fit_start()
        train = self.data_attribute("splits", {}).get("train")
        if train and self.lm_order:
            texts = [[label for label in row if label] for row in train[-1].tolist()]
            table = CharacterNgram.learn(texts, self.num_classes + 1, self.lm_order).table
            self.language_model.copy_(torch.from_numpy(table))

    def least_frames(self, targets: Tensor) -> Tensor:
        return frames_needed(targets)

    def heard(self, outputs: Tensor, batch: tuple[Tensor, ...], test: bool) -> list[list[int]]:
        """By beam search in the test, where ``beam_width`` > 1."""
        return self.texts(outputs, self.net.frame_counts(batch[1]), test)  # type: ignore[operator]

    # -- transcripts --------------------------------------------------------------------------------------------------

    def texts(self, log_probs: Tensor, frames: Tensor, beam: bool = True) -> list[list[int]]:
        """The labels of rows (B, frames, K + 1), by the best path, or by beam search where ``beam_width`` > 1."""
        if self.beam_width > 1 and beam:
            return [
                list(self.beam(y[:n]))
                for y, n in zip(log_probs.detach().double().cpu().numpy(), frames.tolist(), strict=True)
            ]
        best = log_probs.argmax(2).tolist()
        return [best_path(row[:n]) for row, n in zip(best, frames.tolist(), strict=True)]

    def beam(self, log_probs: np.ndarray) -> tuple[int, ...]:
        model = CharacterNgram(self.language_model.double().cpu().numpy()) if self.lm_order else None
        return prefix_beam(log_probs, self.beam_width, model, self.lm_weight, self.bonus)[0].labels

    @torch.no_grad()
    def transcribe(self, sounds: Tensor, lengths: Tensor) -> list[Transcript]:
        """What is said in sounds (B, T), with the times of the most probable alignment."""
        return self.transcripts(self(sounds, lengths), self.net.frame_counts(lengths))  # type: ignore[operator]

    @torch.no_grad()
    def transcripts(self, log_probs: Tensor, frames: Tensor) -> list[Transcript]:
        """The same from the log-probabilities (B, frames, K + 1)."""
        log_probs = at_least_float32(log_probs)
        texts = self.texts(log_probs, frames)
        width = max([1, *map(len, texts)])
        targets = torch.tensor([[*text, *[0] * (width - len(text))] for text in texts], device=log_probs.device)
        sure = (-ctc_loss(log_probs, targets, frames)).exp().tolist()
        step: float = self.net.samples / self.sample_rate  # type: ignore[operator,assignment]
        found = []
        for y, n, text, p in zip(log_probs.double().cpu().numpy(), frames.tolist(), texts, sure, strict=True):
            heard = [
                Heard(label, first * step, (last + 1) * step, float(np.exp(y[first : last + 1, label].max())))
                for label, (first, last) in zip(text, align(y[:n], text), strict=True)
            ]
            found.append(Transcript(tuple(heard), p))
        return found

    def listen(self, whole: bool = False) -> Listener:
        """A sound that comes in pieces.

        Args:
            whole: It is decoded at its end, as ``transcribe`` does, not piece by piece by the best path.

        Raises:
            UserError: The layers read in both directions.
        """
        if self.net.bidirectional:
            raise UserError(
                "this run's layers read in both directions and need the end of a sound first: "
                "`dive fit rnn/speech_stream` trains a model that listens to a stream"
            )
        net: Any = self.net
        if whole:
            return WholeListener(net, self.sample_rate, self.transcripts)
        return Listener(net, self.sample_rate)

    def predict_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> list[Transcript]:
        """A ``Transcript`` of each sound of a batch (sounds, lengths)."""
        return self.transcribe(batch[0], batch[1])

    @torch.no_grad()
    def alignment(self, sounds: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """The log-mel frames (B, frames, n_mels) and the probabilities of all labels (B, steps, K + 1) of sounds."""
        return self.net.log_mel(sounds, lengths), self(sounds, lengths).exp()  # type: ignore[operator]
