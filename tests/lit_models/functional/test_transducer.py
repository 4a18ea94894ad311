"""The transducers' losses; they are compared with a sum over every path in ``dive verify rnn/transducer``."""

from itertools import product

import pytest
import torch
from torch import Tensor

from lit_models.functional.transducer import monotonic_loss, transducer_loss


def lattice(rows: int, frames: int, labels: int, kinds: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(rows, frames, labels + 1, kinds, generator=generator, dtype=torch.float64).log_softmax(3)


def test_an_empty_text_is_a_blank_in_each_frame() -> None:
    y = lattice(1, 4, 2)
    loss = transducer_loss(y, torch.zeros(1, 2, dtype=torch.int64), torch.tensor([4]))
    torch.testing.assert_close(loss, -y[:, :, 0, 0].sum(1))


def test_one_frame_says_all_labels_and_then_a_blank() -> None:
    y = lattice(1, 1, 2)
    loss = transducer_loss(y, torch.tensor([[2, 1]]), torch.tensor([1]))
    torch.testing.assert_close(loss, -(y[0, 0, 0, 2] + y[0, 0, 1, 1] + y[0, 0, 2, 0])[None])


def test_texts_up_to_a_length_have_at_most_probability_one_together() -> None:
    """Where u does not matter: P(no text) + P(one label) + ..., summed by the loss, against a geometric series."""
    y = torch.tensor([0.5, 0.25, 0.25], dtype=torch.float64).log().expand(1, 2, 7, 3)
    total = 0.0
    for size in range(7):
        for text in product((1, 2), repeat=size):
            target = torch.tensor([[*text, *[0] * (6 - size)]])
            total += float((-transducer_loss(y, target, torch.tensor([2]))).exp())
    series = sum((size + 1) * 0.5**size for size in range(7)) * 0.25  # ways to share labels between two frames
    assert total == pytest.approx(series) and 0.9 < total < 1


def test_padding_of_labels_and_frames_changes_nothing() -> None:
    y = lattice(2, 4, 3).requires_grad_()
    targets, frames = torch.tensor([[1, 2, 0], [2, 0, 0]]), torch.tensor([4, 2])
    losses = transducer_loss(y, targets, frames)
    torch.testing.assert_close(losses[1:], transducer_loss(y[1:, :2, :2], targets[1:, :1], frames[1:]))
    losses.sum().backward()
    assert y.grad is not None and not y.grad[1, 2:].any() and not y.grad[1, :, 2:].any() and not y.grad[0, :, 3].any()
    assert float(y.grad.sum()) == pytest.approx(-(4 + 2 + 2 + 1))  # a step for each frame and each label


def test_in_a_monotonic_lattice_all_texts_of_any_length_have_probability_one_together() -> None:
    """A frame gives a blank or one of two labels: texts of at most as many labels as frames, whatever was said."""
    same = lattice(1, 3, 0).expand(-1, -1, 4, -1)
    texts = [text for size in range(4) for text in product((1, 2), repeat=size)]
    losses = [monotonic_loss(same, torch.tensor([[*t, *[0] * (3 - len(t))]]), torch.tensor([3])) for t in texts]
    assert float((-torch.cat(losses)).exp().sum()) == pytest.approx(1)


def test_more_labels_than_frames_have_no_path_in_a_monotonic_lattice() -> None:
    y = lattice(2, 3, 4).requires_grad_()
    losses = monotonic_loss(y, torch.tensor([[1, 2, 2, 1], [1, 2, 1, 0]]), torch.tensor([3, 3]))
    assert losses.isfinite().tolist() == [False, True]
    losses[1].backward()
    assert y.grad is not None and not y.grad[0].any() and float(y.grad[1].sum()) == pytest.approx(-3)
    torch.testing.assert_close(losses[1], -(y[1, 0, 0, 1] + y[1, 1, 1, 2] + y[1, 2, 2, 1]))


def test_padding_changes_nothing_in_a_monotonic_lattice() -> None:
    y = lattice(2, 4, 3).requires_grad_()
    targets, frames = torch.tensor([[1, 2, 0], [2, 0, 0]]), torch.tensor([4, 2])
    losses = monotonic_loss(y, targets, frames)
    torch.testing.assert_close(losses[1:], monotonic_loss(y[1:, :2, :2], targets[1:, :1], frames[1:]))
    losses.sum().backward()
    assert y.grad is not None and not y.grad[1, 2:].any() and not y.grad[0, :, 3].any()
    assert float(y.grad.sum()) == pytest.approx(-(4 + 2))  # a step for each frame
