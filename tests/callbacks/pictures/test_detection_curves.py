"""detection_curves.png: what is right, precision and recall against scikit-learn, scores against fractions."""

import torch
from torch import Tensor

from callbacks.pictures.detection_curves import draw_curves, precision_recall, reliability, right_ones


def test_an_object_is_found_once_and_ignored_ones_do_not_count() -> None:
    true = torch.tensor([[0.0, 0, 0.5, 0.5], [0.5, 0.5, 1, 1], [0, 0.5, 0.5, 1]])
    boxes = torch.cat([true[[0, 0, 1, 2]], torch.tensor([[0.8, 0, 1, 0.2], [0, 0, 0, 0]])])
    labels = torch.tensor([0, 0, 1, 0, 0, -1])
    scores = torch.tensor([0.9, 0.8, 0.7, 0.6, 0.5, 0.0])
    ignored, kinds = torch.tensor([False, False, True]), torch.tensor([0, 0, 0])
    found = right_ones(boxes, scores, labels, true, ignored, kinds, 0.5)
    assert found.tolist() == [1, 0, 0, -1, 0, 0]  # twice, of another class, ignored, nowhere, padding


def judged() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    scores = torch.rand(2000, generator=generator)
    return scores, (torch.rand(2000, generator=generator) < scores).long()


def test_precision_and_recall_are_those_of_scikit_learn() -> None:
    from sklearn.metrics import precision_recall_curve

    scores, right = judged()
    precision, recall = precision_recall(scores, right, int(right.sum()))
    theirs, their_recall, _ = precision_recall_curve(right.numpy(), scores.numpy())
    torch.testing.assert_close(precision.flip(0), torch.as_tensor(theirs[:-1].copy()), rtol=0, atol=1e-9)
    torch.testing.assert_close(recall.flip(0), torch.as_tensor(their_recall[:-1].copy()), rtol=0, atol=1e-9)


def test_scores_that_are_probabilities_lie_on_the_diagonal() -> None:
    means, fractions = reliability(*judged())
    assert len(means) == 10 and (means - fractions).abs().max() < 0.1
    scores, right = judged()
    means, fractions = reliability(scores / 2, right)
    assert len(means) == 5 and (fractions - means).min() > 0.02


def test_a_line_for_each_class() -> None:
    scores, right = judged()
    rows = {"scores": scores, "right": right, "kinds": 1 + torch.arange(2000) % 2, "true": torch.tensor([[1, 2, 0]])}
    left, side = draw_curves(rows, ["a", "b"]).axes
    assert [line.get_label() for line in left.lines] == ["a", "b"] and len(side.lines) == 3
