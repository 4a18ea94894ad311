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
from torchmetrics import MeanMetric

from common.messages import UserError
from common.transcription import Heard, Transcript
from lit_models.functional.character_ngram import CharacterNgram
from lit_models.functional.ctc import ctc_loss, frames_needed, torch_ctc_loss
from lit_models.functional.ctc_decoding import align, best_path, prefix_beam
from lit_models.functional.edit_distance import edits, error_interval, error_rate
from lit_models.layers.precision import at_least_float32
from lit_models.rnn.listener import Listener
from lit_models.rnn.recognizer import Recognizer
from lit_models.tasks.processes import gather_rows, own_rows, rank_and_world
from lit_models.tasks.task import Task
from lit_models.tasks.trains import trains

MOST_ENTRIES = 4_000_000  # of the language model's table, (K + 1)^n: 16 MB


@trains(Recognizer)
class LitSpeech(Task):
    """Trains a ``Recognizer`` by CTC, in nats per character. Batch: sounds (B, T), lengths (B,), targets (B, S).

    Targets are labels 1 to K, padded with 0. Logs ``train/loss``; of validation and test ``loss``, ``label_error``
    (edits over true labels of the whole split) and ``string_error`` (fraction of sounds with any error); of the test
    also the 95 % interval of the label error by bootstrap (``label_error_low``, ``label_error_high``), and both errors
    of the datamodule's ``subsets``.

    Args:
        num_classes: Characters K.
        sample_rate: Of the sounds, in Hz.
        ctc: ``hand``: the loss of ``functional/ctc.py``; ``torch``: equal numbers, faster.
        beam_width: Prefixes of the beam search that transcribes; 1 takes the best path.
        lm_weight: Weight of an n-gram model of the training transcripts in the beam search.
        lm_order: Its n; 0: none is counted. Smaller where there are so many characters that the table would be large.
        bonus: Added for each character in the beam search, in nats.
        **task: See ``Task``.
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
        super().__init__(**task)
        if beam_width < 1:
            raise UserError(f"model.beam_width is {beam_width}: give at least 1")
        while lm_order > 1 and (num_classes + 1) ** lm_order > MOST_ENTRIES:
            lm_order -= 1
        self.num_classes, self.sample_rate, self.ctc, self.lm_order = num_classes, sample_rate, ctc, lm_order
        self.beam_width, self.lm_weight, self.bonus = beam_width, lm_weight, bonus
        self.register_buffer("language_model", torch.zeros((num_classes + 1,) * lm_order))
        self.val_loss, self.test_loss = MeanMetric(), MeanMetric()
        self.rows: list[tuple[list[int], list[int], int]] = []  # true, heard and number of this rank's rows
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
        self.refuse_short_sounds("train", "val")
        train = self.data_attribute("splits", {}).get("train")
        if train and self.lm_order:
            texts = [[label for label in row if label] for row in train[-1].tolist()]
            table = CharacterNgram.learn(texts, self.num_classes + 1, self.lm_order).table
            self.language_model.copy_(torch.from_numpy(table))

    def on_test_start(self) -> None:
        super().on_test_start()
        self.refuse_short_sounds("test")

    def refuse_short_sounds(self, *splits: str) -> None:
        """Refuses a sound with fewer frames than its text needs: the text would have probability 0.

        Raises:
            UserError: Names the sound and the least number of frames.
        """
        for name in splits:
            split = self.data_attribute("splits", {}).get(name)
            if not split:
                continue
            has, needs = self.net.frame_counts(split[1]), frames_needed(split[2])  # type: ignore[operator]
            for row in (needs > has).nonzero().flatten().tolist():
                sound = self.data_attribute("utterance_names", {}).get(name, [])
                what = sound[row] if row < len(sound) else f"sound {row} of {name}"
                raise UserError(
                    f"{what} is shorter than its text: {int(split[1][row]) / self.sample_rate:.2f} s are "
                    f"{int(has[row])} frames, its {int((split[2][row] > 0).sum())} characters need {int(needs[row])}: "
                    "correct the transcript, leave the sound out, or give a smaller --model.reduction"
                )

    def training_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> Tensor:
        loss, count, _ = self.losses(batch)
        self.record_train_loss(loss, count)
        return loss

    # -- evaluation ---------------------------------------------------------------------------------------------------

    def evaluate(self, batch: tuple[Tensor, ...], metric: MeanMetric, beam: bool) -> dict[str, Tensor]:
        loss, count, log_probs = self.losses(batch)
        metric.update(loss, count)
        heard = self.texts(log_probs, self.net.frame_counts(batch[1]), beam)  # type: ignore[operator]
        done, world = len(self.rows), rank_and_world(self)[1]
        numbers = own_rows(self, range((done + len(heard)) * world), done, len(heard))
        true = [[label for label in row if label] for row in batch[2].tolist()]
        self.rows += zip(true, heard, numbers, strict=True)
        return {"log_probs": log_probs}

    def validation_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> dict[str, Tensor]:
        return self.evaluate(batch, self.val_loss, beam=False)

    def test_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> dict[str, Tensor]:
        return self.evaluate(batch, self.test_loss, beam=True)

    def on_validation_epoch_start(self) -> None:
        self.rows = []

    on_test_epoch_start = on_validation_epoch_start

    def on_validation_epoch_end(self) -> None:
        self.log("val/loss", self.val_loss)
        found, _ = self.errors()
        self.log_dict({f"val/{name}": value for name, value in found.items()}, prog_bar=True, sync_dist=True)

    def on_test_epoch_end(self) -> None:
        self.log("test/loss", self.test_loss)
        found, rows = self.errors()
        counts, sizes = [edits(true, heard) for true, heard, _ in rows], [len(true) for true, _, _ in rows]
        found["label_error_low"], found["label_error_high"] = error_interval(counts, sizes)
        for name, member in self.data_attribute("subsets", {}).get("test", {}).items():
            part = [row for row in rows if member[row[2]]]
            if part:
                found |= {f"{metric}_{name}": value for metric, value in errors_of(part).items()}
        self.log_dict({f"test/{name}": value for name, value in found.items()}, sync_dist=True)

    def errors(self) -> tuple[dict[str, float], list[tuple[list[int], list[int], int]]]:
        """The errors of an evaluation over all processes, and its rows in the order of the split."""
        rows = sorted(gather_rows(self, self.rows), key=lambda row: row[2])
        return errors_of(rows), rows

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
        log_probs, frames = at_least_float32(self(sounds, lengths)), self.net.frame_counts(lengths)  # type: ignore[operator]
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

    def listen(self) -> Listener:
        """A sound that comes in pieces.

        Raises:
            UserError: The layers read in both directions.
        """
        if self.net.bidirectional:
            raise UserError(
                "this run's layers read in both directions and need the end of a sound first: "
                "`dive fit rnn/speech_stream` trains a model that listens to a stream"
            )
        return Listener(self.net, self.sample_rate)  # type: ignore[arg-type]

    def predict_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> list[Transcript]:
        """A ``Transcript`` of each sound of a batch (sounds, lengths)."""
        return self.transcribe(batch[0], batch[1])

    @torch.no_grad()
    def alignment(self, sounds: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """The log-mel frames (B, frames, n_mels) and the probabilities of all labels (B, steps, K + 1) of sounds."""
        return self.net.log_mel(sounds, lengths), self(sounds, lengths).exp()  # type: ignore[operator]


def errors_of(rows: list[tuple[list[int], list[int], int]]) -> dict[str, float]:
    """The error rates of rows (true labels, heard labels, number), by label and by string."""
    counts = [edits(true, heard) for true, heard, _ in rows]
    strings = sum(count > 0 for count in counts) / max(1, len(rows))
    return {"label_error": error_rate(counts, [len(true) for true, _, _ in rows]), "string_error": strings}
