"""A recurrent neural network transducer: the next label is predicted from the audio and the labels so far.

Graves 2012, "Sequence transduction with recurrent neural networks"; He et al. 2019, "Streaming end-to-end speech
recognition for mobile devices", for the joint network with one hidden layer; Graves, Mohamed and Hinton 2013, who train
the encoder with CTC first: here at the same time. Not in D2L. The loss is by hand in
``lit_models/functional/transducer.py``. CTC takes a frame's label without knowing the others; here a second recurrent
network reads the labels, as a language model does. In Graves' lattice a frame may give several; with ``monotonic`` a
label also goes one frame on (Sak et al. 2017, "Recurrent neural aligner"; Tripathi et al. 2019), which tells a
repeated key from one that is still sounding. Departs from the papers: greedy, and at most ``most`` labels in a frame.

    dive fit rnn/transducer                            strings of telephone keys in noise, offline
    dive fit rnn/transducer --model.monotonic false    Graves' lattice
    dive transcribe rnn/transducer --file sound.wav --times
    dive fit rnn/transducer --model.bidirectional false --model.lookahead 4 --trainer.max_epochs 15
    dive transcribe rnn/transducer --stream            while the sound comes in, of a run of one direction

The numbers it reaches are in RESULTS.md; label_confusion.png shows which key is taken for which.
"""

from typing import Any, Literal

import torch
from torch import Tensor, nn

from common.messages import UserError, refuse_negative
from common.transcription import Heard, Transcript
from lit_models.functional.ctc import BLANK, frames_needed, torch_ctc_loss
from lit_models.functional.transducer import monotonic_loss, transducer_loss
from lit_models.layers.precision import at_least_float32
from lit_models.rnn.listener import TransducerListener
from lit_models.rnn.recognizer import Recognizer
from lit_models.rnn.stack import TorchStack
from lit_models.tasks.trains import trains
from lit_models.tasks.transcriber import Transcriber


class Encoder(Recognizer):
    """The layers of a ``Recognizer``; a step's output is a vector for the joint network, (B, T) -> (B, frames, J)."""

    def outputs(self, h: Tensor) -> Tensor:
        return self.head(h)


class TransducerNet(nn.Module):
    """log P (B, frames, S + 1, K + 1) of the next label, 0 is the blank, in each frame after each number of labels.

    Args:
        num_classes: K.
        sample_rate, n_fft, hop, n_mels, reduction, kind, hidden_size, num_layers, bidirectional, lookahead, dropout: Of
            the encoder: see ``Recognizer``.
        joint_size: J, of the joint network's hidden layer.
        said_size: Of the state of the network that reads the labels.
    """

    forward_methods = ("hear", "say", "join", "step", "alone", "lattice")

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
        joint_size: int = 64,
        said_size: int = 32,
    ) -> None:
        super().__init__()
        front: Any = {"sample_rate": sample_rate, "n_fft": n_fft, "hop": hop, "n_mels": n_mels, "reduction": reduction}
        layers: Any = {"kind": kind, "hidden_size": hidden_size, "num_layers": num_layers, "dropout": dropout}
        self.encoder = Encoder(joint_size - 1, bidirectional=bidirectional, lookahead=lookahead, **front, **layers)
        self.embedding = nn.Embedding(num_classes + 1, said_size)
        self.said = TorchStack("gru", said_size, said_size)
        self.project = nn.Linear(said_size, joint_size, bias=False)
        self.head = nn.Linear(joint_size, num_classes + 1)
        self.ctc = nn.Linear(joint_size, num_classes + 1)  # of a frame alone, in training only
        self.bidirectional = bidirectional

    def frame_counts(self, lengths: Tensor) -> Tensor:
        """Steps (B,) of sounds with so many samples."""
        return self.encoder.frame_counts(lengths)

    def hear(self, x: Tensor, lengths: Tensor) -> Tensor:
        """The vectors of the frames, (B, frames, J)."""
        return self.encoder(x, lengths)

    def step(self, x: Tensor, state: dict[str, Any] | None = None, last: bool = False) -> tuple[Tensor, dict[str, Any]]:
        """The same of a sound that comes in pieces: see ``Recognizer.step``."""
        return self.encoder.step(x, state, last)

    def say(self, labels: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """Reads labels (B, S): vectors (B, S, J), and the state after them. The first label of all is a blank."""
        y, state = self.said(self.embedding(labels), state)
        return self.project(y), state

    def join(self, heard: Tensor, said: Tensor) -> Tensor:
        """log P (..., K + 1) of vectors (..., J) of frames and of labels."""
        return self.head(torch.tanh(heard + said)).log_softmax(-1)

    def alone(self, heard: Tensor) -> Tensor:
        """log P (B, frames, K + 1) of the labels without those that were said, for CTC."""
        return self.ctc(torch.tanh(heard)).log_softmax(-1)

    def forward(self, x: Tensor, lengths: Tensor, targets: Tensor) -> Tensor:
        return self.lattice(self.hear(x, lengths), targets)

    def lattice(self, heard: Tensor, targets: Tensor) -> Tensor:
        """The same from the vectors of the frames."""
        said, _ = self.say(nn.functional.pad(targets, (1, 0), value=BLANK))  # (B, S + 1, J)
        return self.join(heard[:, :, None], said[:, None])


class Greedy:
    """The most probable label at each place of the lattice, until it is the blank: then the next frame.

    Args:
        net: In evaluation mode.
        rows: Sounds.
        most: Labels that one frame may give: an untrained network would never go on.
    """

    def __init__(self, net: TransducerNet, rows: int, most: int = 3) -> None:
        self.net, self.most = net, most
        self.device = net.head.weight.device
        self.vectors, self.state = net.say(torch.full((rows, 1), BLANK, device=self.device))

    def frame(self, heard: Tensor, there: Tensor) -> list[tuple[Tensor, Tensor]]:
        """What a frame (B, J) gives: labels (B,), blank where none, and their probabilities, up to ``most`` times.

        Args:
            heard: The frame of each sound.
            there: Whether the sound is that long, (B,).
        """
        found = []
        for _ in range(self.most):
            p, labels = self.net.join(heard, self.vectors[:, 0]).exp().max(1)
            labels = labels.masked_fill(~there, BLANK)
            said = labels != BLANK
            if not said.any():
                break
            found.append((labels, p))
            there = said
            vectors, state = self.net.say(labels[:, None], self.state)
            self.vectors = torch.where(said[:, None, None], vectors, self.vectors)
            self.state = torch.where(said[:, None, None], state, self.state)
        return found


@trains(TransducerNet)
class LitTransducer(Transcriber):
    """Trains a ``TransducerNet`` by the loss of its lattice, in nats per character, and transcribes greedily.

    ``train/loss`` contains CTC's, ``val/loss`` and ``test/loss`` are of the lattice alone.

    Args:
        num_classes, sample_rate: See ``Transcriber``.
        ctc_weight: Of CTC's loss on the encoder's frames, in training: the lattice alone begins with hundreds of steps
            in which nothing is heard. Graves et al. 2013 train the encoder with CTC first.
        monotonic: A frame gives at most one label, and a sound needs a frame for each; false: the lattice of Graves.
        **task: See ``Transcriber``.

    Raises:
        UserError: ``ctc_weight`` is negative.
    """

    output_means = "Log-probabilities (B, frames, S + 1, K + 1) of the blank and the characters after S labels."

    def __init__(
        self,
        num_classes: int = 10,
        sample_rate: int = 8000,
        ctc_weight: float = 1.0,
        monotonic: bool = False,
        **task: Any,
    ) -> None:
        super().__init__(num_classes, sample_rate, **task)
        refuse_negative(ctc_weight=ctc_weight)
        self.ctc_weight, self.monotonic = ctc_weight, monotonic
        self.lattice_loss = monotonic_loss if monotonic else transducer_loss
        self.net.ctc.requires_grad_(ctc_weight > 0)  # type: ignore[union-attr]
        sound, length = torch.zeros(1, sample_rate), torch.tensor([sample_rate])
        self.example_input = sound, length, torch.ones(1, 2, dtype=torch.int64)

    def losses(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, Tensor, Tensor]:
        """The mean loss over the characters of a batch, their number, and the lattice."""
        (x, lengths, targets), net = batch, self.net
        frames, heard = net.frame_counts(lengths), net.hear(x, lengths)  # type: ignore[operator]
        log_probs = at_least_float32(net.lattice(heard, targets))  # type: ignore[operator]
        loss, count = self.lattice_loss(log_probs, targets, frames), (targets > 0).sum()
        if self.training and self.ctc_weight:
            long = frames_needed(targets) <= frames  # a sound may be too short for CTC, whose gradient is then NaN
            alone = torch_ctc_loss(at_least_float32(net.alone(heard)), targets * long[:, None], frames)  # type: ignore[operator]
            loss = loss + self.ctc_weight * torch.where(long, alone, 0.0)
        return loss.sum() / count.clamp(min=1), count, log_probs

    def least_frames(self, targets: Tensor) -> Tensor:
        return (targets > 0).sum(1) * self.monotonic

    def greedy(self, rows: int) -> Greedy:
        """The decoder of some sounds: where the lattice is monotonic, a frame gives one label at most."""
        net: Any = self.net
        return Greedy(net, rows, most=1) if self.monotonic else Greedy(net, rows)

    @torch.no_grad()
    def heard(self, outputs: Tensor, batch: tuple[Tensor, ...], test: bool) -> list[list[int]]:
        """Anew, without the true labels."""
        net: Any = self.net
        found = self.decode(net.hear(batch[0], batch[1]), net.frame_counts(batch[1]))
        return [[one.label for one in row] for row in found]

    @torch.no_grad()
    def decode(self, heard: Tensor, frames: Tensor) -> list[list[Heard]]:
        """The labels of each sound from the vectors (B, frames, J) of its frames, of which it has so many (B,)."""
        net: Any = self.net
        greedy, step = self.greedy(len(heard)), net.encoder.samples / self.sample_rate
        found: list[list[Heard]] = [[] for _ in heard]
        for t in range(heard.shape[1]):
            for labels, p in greedy.frame(heard[:, t], t < frames):
                for row in labels.nonzero().flatten().tolist():
                    found[row].append(Heard(int(labels[row]), t * step, (t + 1) * step, float(p[row])))
        return found

    @torch.no_grad()
    def transcribe(self, sounds: Tensor, lengths: Tensor) -> list[Transcript]:
        """What is said in sounds (B, T); a label's time is the frame that gave it."""
        net: Any = self.net
        frames, heard = net.frame_counts(lengths), net.hear(sounds, lengths)
        found = self.decode(heard, frames)
        targets = torch.nn.utils.rnn.pad_sequence(
            [torch.tensor([one.label for one in row], dtype=torch.int64) for row in found], batch_first=True
        ).to(sounds.device)
        log_probs = at_least_float32(net.lattice(heard, targets))
        sure = (-self.lattice_loss(log_probs, targets, frames)).exp().tolist()
        return [Transcript(tuple(row), p) for row, p in zip(found, sure, strict=True)]

    def listen(self) -> TransducerListener:
        """A sound that comes in pieces.

        Raises:
            UserError: The layers read in both directions.
        """
        net: Any = self.net
        if net.bidirectional:
            raise UserError(
                "this run's layers read in both directions and need the end of a sound first: train with "
                "--model.bidirectional false"
            )
        return TransducerListener(net, self.sample_rate, self.greedy(1))

    def predict_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> list[Transcript]:
        """A ``Transcript`` of each sound of a batch (sounds, lengths)."""
        return self.transcribe(batch[0], batch[1])
