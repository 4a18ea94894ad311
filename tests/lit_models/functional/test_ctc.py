"""CTC: which targets have a path, and what cannot change a loss. Loss and gradient are compared in ``dive verify``."""

import pytest
import torch
from torch import Tensor

from lit_models.functional.ctc import ctc_loss, frames_needed, torch_ctc_loss, with_blanks


def probabilities(rows: int = 2, frames: int = 6, labels: int = 4) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(rows, frames, labels, generator=generator, dtype=torch.float64).log_softmax(2)


def test_a_repeated_label_needs_a_blank_between() -> None:
    targets = torch.tensor([[1, 2, 3], [1, 1, 1], [2, 0, 0], [0, 0, 0]])
    assert frames_needed(targets).tolist() == [3, 5, 1, 0]
    assert with_blanks(targets)[1].tolist() == [0, 1, 0, 1, 0, 1, 0]


def test_the_probabilities_of_all_texts_add_up_to_one() -> None:
    texts = [[a, b] for a in range(3) for b in range(3) if a or not b]
    y = probabilities(1, 2, 3).expand(len(texts), 2, 3)
    losses = ctc_loss(y, torch.tensor(texts), torch.full((len(texts),), 2))
    assert losses[texts.index([1, 1])] == torch.inf  # two frames have no room for the blank
    assert float((-losses).exp().sum()) == pytest.approx(1)


def test_an_empty_target_is_blanks_in_every_frame() -> None:
    y = probabilities()
    losses = ctc_loss(y, torch.zeros(2, 3, dtype=torch.int64), torch.tensor([6, 4]))
    torch.testing.assert_close(losses, -torch.stack([y[0, :, 0].sum(), y[1, :4, 0].sum()]))


def test_a_sound_without_frames_has_the_empty_text_only() -> None:
    losses = ctc_loss(probabilities(), torch.tensor([[0], [1]]), torch.tensor([0, 0]))
    assert losses.tolist() == [0.0, torch.inf]


def test_a_target_that_is_too_long_is_infinite_and_has_no_gradient() -> None:
    y = probabilities().requires_grad_()
    losses = ctc_loss(y, torch.tensor([[1, 1, 2], [1, 2, 3]]), torch.tensor([3, 3]))
    assert losses.isinf().tolist() == [True, False]
    losses.sum().backward()
    assert y.grad is not None and not y.grad[0].any() and y.grad[1, :3].sum() == pytest.approx(-3)


def test_padding_of_targets_and_frames_changes_nothing() -> None:
    y, targets, lengths = probabilities(), torch.tensor([[1, 2], [3, 3]]), torch.tensor([6, 4])
    longer = torch.cat([y, torch.zeros_like(y)], 1)
    wide = torch.cat([targets, torch.zeros_like(targets)], 1)
    torch.testing.assert_close(ctc_loss(longer, wide, lengths), ctc_loss(y, targets, lengths))
    torch.testing.assert_close(torch_ctc_loss(longer, wide, lengths), ctc_loss(y, targets, lengths))
    longer.requires_grad_()
    ctc_loss(longer, wide, lengths).sum().backward()
    assert longer.grad is not None and not longer.grad[0, 6:].any() and not longer.grad[1, 4:].any()


def test_a_long_sound_does_not_underflow() -> None:
    y = torch.randn(1, 3000, 5, generator=torch.Generator().manual_seed(0)).mul(3).log_softmax(2).requires_grad_()
    loss = ctc_loss(y, torch.tensor([[1, 2, 3, 4, 4]]), torch.tensor([3000]))
    loss.backward()
    assert loss.isfinite() and y.grad is not None and float(y.grad.sum()) == pytest.approx(-3000, rel=1e-3)
