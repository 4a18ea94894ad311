"""Right answers: single ones, whole rows, and rows without a question."""

import torch

from lit_models.tasks.answers import Answers


def test_fractions_of_answers_and_of_rows_over_batches() -> None:
    answers = Answers()
    logits = torch.nn.functional.one_hot(torch.tensor([[1, 2, 0], [1, 1, 1]]), 3).float()
    answers.update(logits.flatten(0, 1), torch.tensor([[1, 2, -1], [1, 0, 0]]), -1)
    answers.update(logits[:1].flatten(0, 1), torch.tensor([[0, 2, 0]]), -1)
    assert answers.right.compute().item() == (3 + 2) / (5 + 3)  # not the mean of the batches' fractions
    assert abs(answers.rows.compute().item() - 1 / 3) < 1e-6


def test_a_row_without_a_question_does_not_count() -> None:
    answers = Answers()
    answers.update(torch.eye(2)[[0, 0]], torch.tensor([[0], [-1]]), -1)
    assert answers.rows.compute().item() == 1.0 and answers.rows.weight == 1
