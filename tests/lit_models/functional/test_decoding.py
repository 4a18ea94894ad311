"""Choosing the next token."""

from typing import Any

import pytest
import torch
from torch import Tensor

from lit_models.functional.decoding import Sampling, generate, nucleus, penalize, stream

P = torch.tensor([[0.5, 0.3, 0.15, 0.05]])


def bigrams(table: Tensor) -> Any:
    """A model whose next token depends on the last one alone: table (V, V) of log-probabilities. The state counts."""
    return lambda tokens, state: (table[tokens], state + 1)


def allowed(sampling: Sampling, history: Tensor | None = None) -> list[int]:
    return sampling.filter(P.log(), history)[0].isfinite().nonzero().flatten().tolist()


def test_greedy_takes_the_best_path_step_by_step() -> None:
    table = torch.tensor([[0.1, 0.9, 0.0], [0.2, 0.2, 0.6], [0.8, 0.1, 0.1]]).log()
    assert generate(bigrams(table), torch.tensor([0, 1]), 0, 4).tolist() == [[1, 2, 0, 1], [2, 0, 1, 2]]


@pytest.mark.parametrize(
    ("sampling", "kept"),
    [
        (Sampling(1.0), [0, 1, 2, 3]),
        (Sampling(1.0, top_k=2), [0, 1]),
        (Sampling(1.0, top_p=0.79), [0, 1]),
        (Sampling(1.0, top_p=0.81), [0, 1, 2]),
        (Sampling(1.0, top_p=0.01), [0]),  # the best one always stays
        (Sampling(1.0, min_p=0.3), [0, 1, 2]),
        (Sampling(1.0, min_p=0.31), [0, 1]),
        (Sampling(0.5, min_p=0.3), [0, 1]),  # after the temperature: 0.3^2 / 0.5^2 = 0.36, 0.15^2 / 0.5^2 = 0.09
    ],
)
def test_filters_keep_what_they_should(sampling: Sampling, kept: list[int]) -> None:
    assert allowed(sampling) == kept


def test_samples_have_the_models_frequencies() -> None:
    draws = Sampling(1.0).choose(P.log().expand(20_000, 4), None, torch.Generator().manual_seed(0))
    torch.testing.assert_close(torch.bincount(draws) / 20_000, P[0], atol=0.01, rtol=0)


def test_temperature_sharpens() -> None:
    torch.testing.assert_close(Sampling(0.5).filter(P.log(), None).softmax(1), P.square() / P.square().sum())


def test_repetition_penalty_divides_positive_and_multiplies_negative_scores() -> None:
    scores = torch.tensor([[2.0, -2.0, 1.0]])
    assert penalize(scores, torch.tensor([[0, 1, 1]]), 2.0).tolist() == [[1.0, -4.0, 1.0]]


def test_repetition_penalty_sees_the_prompt_and_what_was_written() -> None:
    table = torch.tensor([[0.0, 1.0, 0.9, 0.8]] * 4)  # always the same wish
    sampling = Sampling(repetition_penalty=10.0)
    written = generate(bigrams(table), torch.tensor([0]), 0, 3, sampling, history=torch.tensor([[2, 0]]))
    assert written.tolist() == [[1, 3, 1]]


def test_a_row_ends_at_its_stop_token_and_the_others_go_on() -> None:
    table = torch.full((4, 4), -9.0)
    table[0, 1] = table[1, 2] = table[2, 3] = table[3, 0] = 0.0
    assert generate(bigrams(table), torch.tensor([0, 2]), 0, 9, stop=[3]).tolist() == [[1, 2, 3], [3, 3, 3]]


def test_the_same_seed_writes_the_same_text_and_streaming_equals_all_at_once() -> None:
    table = torch.randn(7, 7, generator=torch.Generator().manual_seed(1)).log_softmax(1)
    texts = [
        generate(bigrams(table), torch.tensor([0, 3]), 0, 9, Sampling(1.0), generator=torch.Generator().manual_seed(s))
        for s in (5, 5, 6)
    ]
    streamed = stream(
        bigrams(table), torch.tensor([0, 3]), 0, 9, Sampling(1.0), generator=torch.Generator().manual_seed(5)
    )
    assert torch.equal(texts[0], texts[1]) and not torch.equal(texts[0], texts[2])
    assert torch.equal(torch.stack(list(streamed), 1), texts[0])


def test_rows_of_a_batch_are_independent_where_nothing_is_drawn() -> None:
    table = torch.randn(9, 9, generator=torch.Generator().manual_seed(2))
    together = generate(bigrams(table), torch.arange(9), 0, 5)
    alone = torch.cat([generate(bigrams(table), torch.tensor([i]), 0, 5) for i in range(9)])
    assert torch.equal(together, alone)


def test_without_a_history_the_penalty_sees_the_last_token() -> None:
    table = torch.tensor([[0.0, 1.0, 0.9, 0.8]] * 4)
    assert generate(bigrams(table), torch.tensor([1]), 0, 2, Sampling(repetition_penalty=10.0)).tolist() == [[2, 3]]


def test_a_row_with_its_own_generator_draws_the_same_alone_and_beside_others() -> None:
    table = torch.randn(7, 7, generator=torch.Generator().manual_seed(1)).log_softmax(1)

    def draw(*rows: int) -> list[list[int]]:
        own = [torch.Generator().manual_seed(row) for row in rows]
        return generate(bigrams(table), torch.tensor(rows), 0, 9, Sampling(1.0), generator=own).tolist()

    together = draw(0, 3, 4)
    assert together == [*draw(0), *draw(3), *draw(4)] and together != draw(0, 3, 3)


def test_gradients_are_off() -> None:
    on = []

    def step(tokens: Tensor, state: None) -> tuple[Tensor, None]:
        on.append(torch.is_grad_enabled())
        return torch.zeros(len(tokens), 3), state

    generate(step, torch.tensor([0]), None, 2)
    assert on == [False, False]


def test_filters_work_in_single_precision() -> None:
    assert Sampling(1.0, top_p=0.9).filter(P.log().bfloat16(), None).dtype == torch.float32


@pytest.mark.parametrize(
    "wrong",
    [
        {"temperature": -1},
        {"top_p": 0.0},
        {"top_p": 1.5},
        {"top_k": -1},
        {"min_p": 2},
        {"min_p": -0.1},
        {"repetition_penalty": 0},
    ],
)
def test_impossible_settings_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Sampling(**wrong)


def test_nucleus_is_the_smallest_set_that_reaches_p() -> None:
    scores = torch.randn(5, 30, generator=torch.Generator().manual_seed(3))
    for row, kept in zip(scores.softmax(1), nucleus(scores, 0.7).isfinite(), strict=True):
        inside = row[kept].sum()
        assert inside >= 0.7 and inside - row[kept].min() < 0.7


def test_nucleus_of_a_probability_reached_exactly_needs_no_more() -> None:
    assert int(nucleus(torch.zeros(1, 4), 0.5).isfinite().sum()) == 2  # a quarter each
