"""A sound in pieces; that it is heard as a whole is tested in test_speech.py with a trained network."""

from typing import Any

import torch
from torch import Tensor

from common.transcription import Heard, Transcript
from lit_models.rnn.listener import Listener, WholeListener
from lit_models.rnn.recognizer import Recognizer


class Recited(Recognizer):
    """Says fixed labels, one in each step, whatever it hears."""

    def say(self, *labels: int) -> "Recited":
        self.labels = list(labels)
        return self

    def step(self, x: Tensor, state: Any = None, last: bool = False) -> tuple[Tensor, Any]:
        at = (state or 0) + x.shape[1] // self.samples
        now = torch.tensor(self.labels[(state or 0) : at], dtype=torch.int64)
        return torch.where(torch.nn.functional.one_hot(now, 4) > 0, 0.9, 0.03).log()[None], at


def listener(*labels: int) -> Listener:
    net = Recited(num_classes=3, sample_rate=1000, n_fft=64, hop=20, n_mels=8, hidden_size=4, bidirectional=False)
    return Listener(net.say(*labels), 1000)


def test_a_label_is_told_once_when_it_begins_with_its_time() -> None:
    one = listener(0, 2, 2, 0, 2, 1, 1)
    heard = [one.hear(torch.zeros(40)) for _ in range(7)]
    assert [[h.label for h in part] for part in heard] == [[], [2], [], [], [2], [1], []]
    assert [h.begin for part in heard for h in part] == [0.04, 0.16, 0.2]
    assert heard[1][0].end == 0.08 and abs(heard[1][0].confidence - 0.9) < 1e-6


def test_samples_wait_until_a_step_is_full_and_the_last_one_is_filled_up() -> None:
    one = listener(1, 2, 3)
    assert one.hear(torch.zeros(39)) == [] and [h.label for h in one.hear(torch.zeros(42))] == [1, 2]
    assert one.rest.shape == (1, 1)
    assert [h.label for h in one.finish()] == [3]


def test_the_delay_is_a_step_and_the_lookahead() -> None:
    net = Recognizer(hop=160, reduction=2, sample_rate=8000, bidirectional=False, lookahead=4)
    assert Listener(net, 8000).delay == 0.2


def test_what_is_decoded_as_a_whole_comes_at_the_end() -> None:
    def labels_of(log_probs: Tensor, frames: Tensor) -> list[Transcript]:
        assert frames.tolist() == [3] and log_probs.shape == (1, 3, 4)
        return [Transcript(tuple(Heard(label, 0.0, 1.0, 1.0) for label in log_probs[0].argmax(1).tolist()), 1.0)]

    net = listener(1, 1, 3).net
    one = WholeListener(net, 1000, labels_of)
    assert one.hear(torch.zeros(81)) == [] and [h.label for h in one.finish()] == [1, 1, 3]
