"""No n-gram twice, as transformers has it."""

from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor

from common.messages import UserError
from lit_models.functional.beam import beam_search
from lit_models.functional.decoding import generate
from lit_models.functional.repeats import repeating, without_repeats
from lit_models.tasks.seq2seq import Seq2Seq


@pytest.mark.parametrize("size", [1, 2, 3])
def test_banned_tokens_are_those_of_transformers(size: int) -> None:
    transformers: Any = pytest.importorskip("transformers")
    past = torch.randint(0, 4, (20, 9), generator=torch.Generator().manual_seed(0))
    for length in range(1, 10):
        theirs = transformers.NoRepeatNGramLogitsProcessor(size)(past[:, :length], torch.zeros(20, 4))
        found = repeating(past[:, :length], size, 4)
        assert torch.equal(found, theirs.isinf())
    assert found.any() and not found.all()
    assert not torch.equal(found, repeating(past, size + 1, 4))


def turning(tokens: Tensor, state: Any) -> tuple[Tensor, Any]:
    """Prefers 1 after 0, 2 after 1, 0 after 2, forever; then the next best is the token itself."""
    scores = torch.zeros(len(tokens), 4)
    scores[torch.arange(len(tokens)), (tokens + 1) % 3] = 2.0
    scores[torch.arange(len(tokens)), tokens] += 1.0
    return scores.log_softmax(1), (tokens if state is None else state[0] + 1,)


@pytest.mark.parametrize("beams", [1, 3])
def test_a_text_that_turns_in_circles_leaves_them(beams: int) -> None:
    """The state of a beam has its own past."""
    for step, repeats in ((turning, True), (without_repeats(turning, 2), False)):
        if beams == 1:
            (row,) = generate(step, torch.tensor([0]), None, 9, stop=[3]).tolist()
        else:
            row = beam_search(step, torch.tensor([0]), None, beams, 9, 3, 1.0)[0][0].tokens
        pairs = list(pairwise(row))
        assert (len(set(pairs)) < len(pairs)) == repeats


def test_a_negative_length_is_refused() -> None:
    with pytest.raises(UserError, match="no_repeat"):
        Seq2Seq(no_repeat=-1)
