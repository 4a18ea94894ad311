"""Instructions: right answers, no question in two parts, documents of which everything is learned."""

import pytest
import torch

from common.messages import UserError
from datamodules.text.instructions import OPERATIONS, Instructions

SIZES = {"train_size": 20, "val_size": 5, "test_size": 5, "document_size": 40}


def test_answers_are_right_and_no_question_is_in_two_parts() -> None:
    parts = Instructions(**SIZES).parts()  # type: ignore[arg-type]
    questions = [question for pairs in parts.values() for question, _ in pairs]
    assert len(set(questions)) == len(questions) == 70
    assert all(OPERATIONS[q.split(":")[0]](q.split(":")[1]) == a for pairs in parts.values() for q, a in pairs)
    assert OPERATIONS["sort"]("3142") == "1234" and OPERATIONS["reverse"]("31") == "13"
    assert OPERATIONS["largest"]("314") == "4"


def test_documents_are_learned_whole_and_conversations_by_their_answers() -> None:
    data = Instructions(**SIZES)  # type: ignore[arg-type]
    data.setup("fit")
    assert data.tokenizer is not None and data.demonstrations is not None
    tokens, targets = (part[0] for part in data.demonstrations)
    real = targets >= 0
    assert torch.equal(tokens[1:][real[:-1]][:-1], targets[:-1][real[:-1]][:-1])
    assert "=" in data.tokenizer.decode(targets[real].tolist())
    answers = data.splits["train"][1]
    assert "sort" not in {data.tokenizer.tokens[i] for i in answers[answers >= 0].tolist()}


def test_more_questions_than_there_are_is_one_line() -> None:
    with pytest.raises(UserError, match="fewer than 2031 questions"):
        Instructions(1, 2, train_size=1, val_size=15, test_size=15, document_size=2000).parts()
