"""The grammar's exact probabilities against all sentences, one by one."""

from itertools import pairwise, product

import pytest
import torch

from common.messages import UserError
from datamodules.text.masked_grammar import CLS, MASK, SEP, SPECIALS, MaskedGrammar


def test_probabilities_equal_those_of_a_sum_over_all_sentences() -> None:
    data = MaskedGrammar(vocab_size=9, seq_len=6, fanout=2)
    seen = torch.tensor([[CLS, 5, MASK, 7, MASK, SEP], [CLS, MASK, 6, 6, 8, SEP]])
    chosen = torch.tensor([[0, 0, 1, 1, 0, 0], [0, 1, 1, 0, 0, 0]]).bool()
    found = data.masked_log_probs(seen, chosen)
    for row in range(2):
        for place in range(1, 5):
            total = torch.zeros(4, dtype=torch.float64)
            for words in product(range(4), repeat=4):
                p = 0.25
                for a, b in pairwise(words):
                    p *= float(data.transition[a, b])
                for t, word in enumerate(words, 1):
                    what = int(seen[row, t])
                    same = float(what == word + SPECIALS)
                    asked = 0.8 if what == MASK else 0.1 * same + 0.1 / 5
                    p *= asked if t == place else 0.15 * asked + 0.85 * same
                total[words[place - 1]] += p
            torch.testing.assert_close(found[row, place, SPECIALS:].exp(), total / total.sum())


def test_sentences_follow_the_grammar_and_splits_differ() -> None:
    data = MaskedGrammar(train_size=200, val_size=50, test_size=50)
    data.setup("fit")
    rows = data.splits["train"][0].long()
    inner = rows[:, 1:-1] - SPECIALS
    assert bool((data.transition[inner[:, :-1], inner[:, 1:]] > 0).all())
    assert bool((rows[:, 0] == CLS).all()) and bool((rows[:, -1] == SEP).all())
    assert not torch.equal(rows[:50], data.splits["val"][0].long())


def test_an_impossible_grammar_is_one_line() -> None:
    with pytest.raises(UserError, match="more words than successors"):
        MaskedGrammar(vocab_size=7, fanout=3)
