"""The transducer's loss; it is compared with a sum over every path in ``dive verify rnn/transducer``."""

from itertools import product

import pytest
import torch
from torch import Tensor

from lit_models.functional.transducer import transducer_loss


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
