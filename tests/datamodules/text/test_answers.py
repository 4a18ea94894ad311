"""Rows with answers: only answers are targets, padding stands at the end, splits share no row."""

import random
from typing import Any

import pytest
import torch

from common.messages import UserError
from datamodules.text.answers import AnswerData, said


class Sums(AnswerData):
    """``1+2=3``."""

    def symbols(self) -> str:
        return "0123456789+="

    def row(self, draw: random.Random) -> Any:
        a, b = draw.randrange(60), draw.randrange(60)
        return said(f"{a}+{b}=") + said(str(a + b), answer=True)


def data(**settings: Any) -> Sums:
    found = Sums(**{"vocab_size": 13, "seq_len": 10, "train_size": 300, "val_size": 50, "test_size": 50} | settings)
    found.setup("fit")
    return found


def test_targets_are_the_answers_alone() -> None:
    sums = data()
    tokens, targets = sums.transform(sums.splits["train"])
    assert tokens.dtype == targets.dtype == torch.long
    for row, target in zip(tokens[:20], targets[:20], strict=True):
        text, answer = sums.tokenizer.decode(row.tolist()), sums.tokenizer.decode(target[target >= 0].tolist())
        question = text.split("=")[0]
        assert sum(map(int, question.split("+"))) == int(answer)
        first = int((target >= 0).nonzero()[0])
        assert sums.tokenizer.tokens[int(row[first])] == "="  # the target of = is the answer's first digit
        end = len(question) + len(answer)
        assert not row[end:].any() and bool((target[end:] == -1).all())


def test_splits_have_no_row_in_common_and_do_not_depend_on_the_runs_seed() -> None:
    torch.manual_seed(3)
    rows = {name: {tuple(row) for row in tensors[0].tolist()} for name, tensors in data().splits.items()}
    assert not rows["train"] & rows["test"] and not rows["val"] & rows["test"]
    assert rows["train"] == {tuple(row) for row in data().splits["train"][0].tolist()}
    assert rows["train"] != {tuple(row) for row in data(data_seed=1).splits["train"][0].tolist()}


def test_sizes_that_do_not_fit_are_refused() -> None:
    for settings, says in (
        ({"vocab_size": 12}, "the task has 13 tokens"),
        ({"seq_len": 4}, "a row has"),
        ({"train_size": 5000}, "fewer than 5100 different rows"),
    ):
        with pytest.raises(UserError, match=says):
            data(**settings)


def test_the_tokenizer_is_kept() -> None:
    first, second = data(), data()
    second.load_processor(first.processor())
    assert second.tokenizer.tokens == first.tokenizer.tokens
