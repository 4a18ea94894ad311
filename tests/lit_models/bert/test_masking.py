"""Masking: the fractions, no special tokens, whole words, at least one."""

import pytest
import torch

from lit_models.bert.masking import choose, corrupt

SPECIAL = torch.tensor([True, False, True, True, True] + [False] * 45)


def text() -> torch.Tensor:
    torch.manual_seed(0)
    tokens = torch.randint(5, 50, (400, 60))
    tokens[:, 0], tokens[:, 40], tokens[:, 41:] = 2, 3, 0
    return tokens


def test_fifteen_percent_of_the_real_tokens_and_no_special_one() -> None:
    chosen = choose(text(), SPECIAL)
    assert not chosen[SPECIAL[text()]].any()
    assert float(chosen[:, 1:40].float().mean()) == pytest.approx(0.15, abs=0.01)


def test_eighty_are_masked_ten_random_ten_stay() -> None:
    tokens = text()
    chosen = choose(tokens, SPECIAL, 0.5)
    seen = corrupt(tokens, chosen, 4, SPECIAL)
    assert torch.equal(seen[~chosen], tokens[~chosen])
    of = seen[chosen]
    assert float((of == 4).float().mean()) == pytest.approx(0.8, abs=0.02)
    assert float((of == tokens[chosen]).float().mean()) == pytest.approx(0.1 + 0.1 / 46, abs=0.02)
    assert not (SPECIAL[of] & (of != 4)).any()


def test_each_call_draws_anew_and_a_generator_repeats() -> None:
    tokens = text()
    assert not torch.equal(choose(tokens, SPECIAL), choose(tokens, SPECIAL))
    one, other = (choose(tokens, SPECIAL, generator=torch.Generator().manual_seed(1)) for _ in range(2))
    assert torch.equal(one, other)


def test_whole_words_are_chosen_together() -> None:
    continues = torch.zeros(50, dtype=torch.bool)
    continues[30:] = True
    tokens = text()
    chosen = choose(tokens, SPECIAL, 0.3, continues)
    for row, picked in zip(tokens[:50], chosen[:50], strict=True):
        for i in range(2, 40):
            if continues[row[i]]:
                assert picked[i] == picked[i - 1] or i == 1
    assert float(chosen[:, 1:40].float().mean()) == pytest.approx(0.3, abs=0.02)


def test_a_short_text_has_one_word_to_predict_and_an_empty_one_none() -> None:
    tokens = torch.tensor([[2, 7, 3], [2, 3, 0]])
    chosen = choose(tokens, SPECIAL, 0.0)
    assert chosen.tolist() == [[False, True, False], [False] * 3]
