"""Beam search against greedy, against trying everything, and the book's example."""

from itertools import product
from typing import Any

import pytest
import torch
from torch import Tensor

from lit_models.functional.beam import beam_search
from lit_models.functional.decoding import generate

EOS = 0


def history_model(vocabulary: int, depth: int, seed: int) -> Any:
    """A random model whose answer depends on everything before: the state numbers the prefix."""
    table = torch.randn(vocabulary**depth * 2, vocabulary, generator=torch.Generator().manual_seed(seed))
    table = (2 * table).double().log_softmax(1)

    def step(tokens: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        state = (state * vocabulary + tokens + 1) % len(table)
        return table[state], state

    return step


def everything(step: Any, vocabulary: int, length: int, alpha: float) -> list[tuple[float, list[int]]]:
    """The score of every output of at most ``length`` tokens."""
    found = {}
    for tokens in product(range(vocabulary), repeat=length):
        cut = list(tokens[: tokens.index(EOS) + 1]) if EOS in tokens else list(tokens)
        last, state, log_p = torch.tensor([1]), torch.zeros(1, dtype=torch.long), 0.0
        for token in cut:
            scores, state = step(last, state)
            log_p += float(scores[0, token])
            last = torch.tensor([token])
        found[tuple(cut)] = log_p / len(cut) ** alpha
    return sorted(((score, list(tokens)) for tokens, score in found.items()), reverse=True)


def search(step: Any, width: int, length: int, alpha: float = 0.75, rows: int = 1, num_best: int = 1) -> Any:
    last, state = torch.ones(rows, dtype=torch.long), torch.zeros(rows, dtype=torch.long)
    return beam_search(step, last, state, width, length, EOS, alpha, num_best)


@pytest.mark.parametrize("length", range(1, 5))
@pytest.mark.parametrize("vocabulary", range(2, 6))
def test_a_beam_of_all_prefixes_is_exhaustive_and_its_n_best_are_the_n_best(vocabulary: int, length: int) -> None:
    width = vocabulary ** (length - 1)
    for seed in range(12 if width < 20 else 2):
        for alpha in (0.0, 0.75, 1.5):
            step = history_model(vocabulary, length, seed)
            best = search(step, width, length, alpha, num_best=width)[0]
            expected = everything(step, vocabulary, length, alpha)[:width]
            assert [h.tokens for h in best] == [tokens for _, tokens in expected]
            assert all(abs(h.score - score) < 1e-12 for h, (score, _) in zip(best, expected, strict=True))


def test_a_better_output_that_does_not_end_is_kept_beside_one_that_ends_in_the_last_step() -> None:
    """Two beams: the end comes first (0.4) and then again (0.6 * 0.1); what goes on has 0.6 * 0.9."""
    table = torch.tensor([[0.4, 0.6], [0.1, 0.9]], dtype=torch.float64).log()

    def step(tokens: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        return table[state], state + 1

    (best,) = search(step, 2, 2, alpha=0.0)[0]
    assert best.tokens == [1, 1]


def as_transformers(step: Any, vocabulary: int) -> Any:
    """``history_model`` as transformers asks for it: without a cache, the whole text each time."""
    transformers: Any = pytest.importorskip("transformers")

    class TableModel(transformers.PreTrainedModel, transformers.GenerationMixin):  # type: ignore[misc]
        config_class = transformers.GPT2Config

        def __init__(self, config: Any) -> None:
            super().__init__(config)
            self.anything = torch.nn.Parameter(torch.zeros(1))

        def forward(self, input_ids: Tensor, **_: Any) -> Any:
            state = torch.zeros(len(input_ids), dtype=torch.long)
            for tokens in input_ids.T:
                scores, state = step(tokens, state)
            return transformers.modeling_outputs.CausalLMOutput(logits=scores[:, None])

    special = {"eos_token_id": EOS, "pad_token_id": EOS, "bos_token_id": 1}
    return TableModel(transformers.GPT2Config(vocab_size=vocabulary, **special))


@pytest.mark.parametrize("length", range(1, 5))
@pytest.mark.parametrize("vocabulary", range(2, 6))
def test_every_hypothesis_is_the_one_of_transformers(vocabulary: int, length: int) -> None:
    rows = torch.arange(vocabulary)
    for seed, alpha in product(range(3), (0.0, 0.75)):
        step = history_model(vocabulary, 4, seed)
        model = as_transformers(step, vocabulary)
        for width in range(2, vocabulary + 1):  # wider beams begin with empty ones, which transformers counts
            found = beam_search(step, rows, torch.zeros_like(rows), width, length, EOS, alpha, width)
            settings = {"num_beams": width, "num_return_sequences": width, "max_new_tokens": length}
            out = model.generate(
                rows[:, None],
                attention_mask=torch.ones_like(rows[:, None]),
                early_stopping=True,
                length_penalty=alpha,
                do_sample=False,
                use_cache=False,
                return_dict_in_generate=True,
                output_scores=True,
                **settings,
            )
            theirs = out.sequences[:, 1:].tolist()
            scores = out.sequences_scores.tolist()
            ours = [h for row in found for h in row]
            assert [h.tokens for h in ours] == [row[: row.index(EOS) + 1] if EOS in row else row for row in theirs]
            assert all(abs(h.score - score) < 1e-5 for h, score in zip(ours, scores, strict=True))


@pytest.mark.parametrize("seed", range(8))
def test_a_beam_of_one_is_greedy(seed: int) -> None:
    step = history_model(4, 4, seed)
    greedy = generate(step, torch.tensor([1]), torch.zeros(1, dtype=torch.long), 6, stop=[EOS])
    assert search(step, 1, 6)[0][0].tokens == greedy[0].tolist()


def test_the_books_example() -> None:
    """D2L 10.8.1: greedy finds 0.5 * 0.4 * 0.4 * 0.6 = 0.048, A C B end has 0.5 * 0.3 * 0.6 * 0.6 = 0.054."""
    a, b, c, end = 1, 2, 3, 0
    after = {
        (): {a: 0.5, b: 0.2, c: 0.2, end: 0.1},
        (a,): {a: 0.1, b: 0.4, c: 0.3, end: 0.2},
        (a, b): {a: 0.2, b: 0.2, c: 0.4, end: 0.2},
        (a, b, c): {a: 0.0, b: 0.2, c: 0.2, end: 0.6},
        (a, c): {a: 0.1, b: 0.6, c: 0.2, end: 0.1},
        (a, c, b): {a: 0.1, b: 0.2, c: 0.1, end: 0.6},
    }
    uniform = dict.fromkeys(range(4), 0.25)
    prefixes: list[tuple[int, ...]] = [()]

    def step(tokens: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        rows, numbers = [], []
        for token, number in zip(tokens.tolist(), state.tolist(), strict=True):
            prefix = () if token == 9 else (*prefixes[number], token)
            if prefix not in prefixes:
                prefixes.append(prefix)
            numbers.append(prefixes.index(prefix))
            p = after.get(prefix, uniform)
            rows.append([p[i] for i in range(4)])
        return torch.tensor(rows, dtype=torch.float64).log(), torch.tensor(numbers)

    start, zero = torch.tensor([9]), torch.tensor([0])
    (greedy,) = beam_search(step, start, zero, 1, 4, end)[0]
    assert greedy.tokens == [a, b, c, end] and abs(greedy.log_probability - torch.tensor(0.048).log().item()) < 1e-6
    (best,) = beam_search(step, start, zero, 2, 4, end)[0]
    assert best.tokens == [a, c, b, end] and abs(best.log_probability - torch.tensor(0.054).log().item()) < 1e-6


def test_rows_of_a_batch_are_searched_independently() -> None:
    step = history_model(4, 3, 0)
    last, state = torch.tensor([1, 2, 3]), torch.tensor([0, 5, 9])
    together = beam_search(step, last, state, 3, 5, EOS, num_best=2)
    alone = [beam_search(step, last[i : i + 1], state[i : i + 1], 3, 5, EOS, num_best=2)[0] for i in range(3)]
    assert together == alone


def chain(first: list[float], second: dict[int, list[float]]) -> Any:
    """A model of two steps: probabilities of the first token, and of the second by the first."""

    def step(tokens: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        rows = [first if t == 9 else second[t] for t in tokens.tolist()]
        return torch.tensor(rows, dtype=torch.float64).log(), state

    return step


def test_an_end_among_the_best_takes_no_place_of_those_that_go_on() -> None:
    """End 0.5, a 0.3, b 0.2: both a and b go on in a beam of two, and b ends surely."""
    a, b = 1, 2
    step = chain([0.5, 0.3, 0.2], {a: [0.4, 0.3, 0.3], b: [1.0, 0.0, 0.0]})
    (best,) = beam_search(step, torch.tensor([9]), torch.zeros(1), 2, 2, EOS, length_penalty=2.0)[0]
    assert best.tokens == [b, EOS]


def test_there_are_no_more_outputs_than_the_model_can_give() -> None:
    found = beam_search(chain([0.6, 0.4], {}), torch.tensor([9]), torch.zeros(1), 3, 1, EOS, num_best=3)[0]
    assert [h.tokens for h in found] == [[0], [1]]


def test_length_penalty_favors_longer_outputs() -> None:
    lengths = [
        len(search(history_model(4, 4, seed), 4, 6, alpha)[0][0].tokens) for alpha in (0.0, 2.0) for seed in range(12)
    ]
    assert sum(lengths[:12]) < sum(lengths[12:])


def test_more_outputs_than_beams_are_refused() -> None:
    with pytest.raises(ValueError, match="num_best is 3"):
        search(history_model(3, 2, 0), 2, 2, num_best=3)
