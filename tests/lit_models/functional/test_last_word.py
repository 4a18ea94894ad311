"""LAMBADA's score on a planted model, whose answers and probabilities are known."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from common.messages import UserError
from lit_models.functional.last_word import last_word_scores


def encode(text: str) -> list[int]:
    return list(text.encode())


class Planted:
    """Knows the byte after each prefix that it was told, with probability 1/2; the rest shares the other half."""

    def __init__(self, *texts: str) -> None:
        self.known = {text[:i].encode(): text.encode()[i] for text in texts for i in range(1, len(text))}
        self.begins: list[int] = []

    def decode(self, tokens: Tensor, state: Any) -> tuple[Tensor, Any]:
        ids = tokens[0].tolist()
        self.begins.append(ids[0])
        text = bytes(i for i in ids if i)  # 0 is the end of the text before
        shift = len(ids) - len(text)
        logits = torch.full((1, len(ids), 256), math.log(0.5 / 255))
        for t in range(len(text)):
            wanted = self.known.get(text[: t + 1])
            if wanted is not None:
                logits[0, t + shift, wanted] = math.log(0.5)
        return logits, None


def test_a_word_is_right_if_all_of_its_tokens_are() -> None:
    model = Planted("a b cat", "x y z dog")
    accuracy, perplexity = last_word_scores(model.decode, encode, ["a b cat", "x y z dot", " a b cat\n"])
    assert accuracy == pytest.approx(2 / 3)
    # " cat" is four bytes of probability 1/2; of " dot" the last one has 0.5 / 255
    expected = (4 + 4 + 3) / 3 * math.log(2) + math.log(255 / 0.5) / 3
    assert perplexity == pytest.approx(math.exp(expected), rel=1e-4)


def test_a_first_token_stands_before_each_passage() -> None:
    model = Planted("a b")
    assert last_word_scores(model.decode, encode, ["a b"], begin=[0])[0] == 1 and model.begins == [0]


def test_single_words_and_no_passages_are_refused() -> None:
    for passages, says in ((["word"], "has one word"), ([], "no passages")):
        with pytest.raises(UserError, match=says):
            last_word_scores(Planted("a").decode, encode, passages)
