"""One token after another: greedy, temperature, top-k, top-p, min-p, repetition penalty, stop tokens.

Everything goes through a step function ``step(tokens (B,), state) -> (scores (B, V), state)``; scores are
log-probabilities or logits. A recurrent network, a transformer with its cache and a decoder with its memory are all
such functions.

Fan et al. 2018 (top-k), Holtzman et al. 2020 (top-p), Nguyen et al. 2024 (min-p), Keskar et al. 2019 (repetition
penalty). D2L 9.5 decodes greedily; its from-scratch ``predict`` works for one sequence only. The filters are applied in
the order of transformers.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

Step = Callable[[Tensor, Any], tuple[Tensor, Any]]
OUT = float("-inf")
Generators = torch.Generator | Sequence[torch.Generator] | None  # one for all rows, or one for each


@dataclass(frozen=True)
class Sampling:
    """How the next token is chosen. The default is greedy.

    Args:
        temperature: Divides the scores; 0 takes the best token, 1 samples from the model's own distribution.
        top_k: Only the k best tokens; 0 means all.
        top_p: Only the smallest set of best tokens whose probability reaches p.
        min_p: Only tokens at least this fraction as probable as the best one.
        repetition_penalty: Scores of tokens that are already in the text are divided by it if positive and
            multiplied by it if negative; 1 has no effect.
    """

    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    repetition_penalty: float = 1.0

    def __post_init__(self) -> None:
        for name, good, what in (
            ("temperature", self.temperature >= 0, "at least 0"),
            ("top_k", self.top_k >= 0, "at least 0"),
            ("top_p", 0 < self.top_p <= 1, "above 0 and at most 1"),
            ("min_p", 0 <= self.min_p <= 1, "between 0 and 1"),
            ("repetition_penalty", self.repetition_penalty > 0, "above 0"),
        ):
            if not good:
                raise ValueError(f"{name} is {getattr(self, name)}: give a number {what}")

    def filter(self, scores: Tensor, history: Tensor | None = None) -> Tensor:
        """Scores (B, V) after all filters, minus infinity for excluded tokens; ``history`` (B, L) is the text."""
        scores = scores.float()
        if self.repetition_penalty != 1 and history is not None and history.numel():
            scores = penalize(scores, history, self.repetition_penalty)
        if self.temperature > 0:
            scores = scores / self.temperature
        if 0 < self.top_k < scores.shape[1]:
            least = scores.topk(self.top_k, dim=1).values[:, -1:]
            scores = scores.masked_fill(scores < least, OUT)
        if self.top_p < 1:
            scores = nucleus(scores, self.top_p)
        if self.min_p > 0:
            probabilities = scores.softmax(1)
            too_small = probabilities < self.min_p * probabilities.max(1, keepdim=True).values
            scores = scores.masked_fill(too_small, OUT)
        return scores

    def choose(self, scores: Tensor, history: Tensor | None, generator: Generators = None) -> Tensor:
        """The next tokens (B,)."""
        scores = self.filter(scores, history)
        if self.temperature == 0:
            return scores.argmax(1)
        probabilities = scores.softmax(1)
        if generator is None or isinstance(generator, torch.Generator):
            return torch.multinomial(probabilities, 1, generator=generator).squeeze(1)
        rows = zip(probabilities, generator, strict=True)
        return torch.cat([torch.multinomial(row, 1, generator=own) for row, own in rows])


GREEDY = Sampling()


def penalize(scores: Tensor, history: Tensor, penalty: float) -> Tensor:
    """Scores (B, V), lowered for the tokens of ``history`` (B, L)."""
    seen = scores.gather(1, history)
    return scores.scatter(1, history, torch.where(seen > 0, seen / penalty, seen * penalty))


def nucleus(scores: Tensor, p: float) -> Tensor:
    """Keeps the smallest set of best tokens whose probability reaches p; the best one always stays."""
    best, order = scores.sort(dim=1, descending=True)
    before = best.softmax(1).cumsum(1) - best.softmax(1)  # the probability of all better tokens
    return scores.masked_fill((before >= p).gather(1, order.argsort(1)), OUT)


def stream(
    step: Step,
    last: Tensor,
    state: Any,
    max_tokens: int,
    sampling: Sampling = GREEDY,
    stop: Sequence[int] = (),
    history: Tensor | None = None,
    generator: Generators = None,
) -> Iterator[Tensor]:
    """Yields the next tokens (B,) one by one, until every row has a stop token or ``max_tokens`` are generated.

    A row that has stopped repeats its stop token. Gradients are off.

    Args:
        step: The step function.
        last: The last token of each prompt (B,), which ``state`` has not seen yet.
        state: The state after the rest of the prompts.
        max_tokens: How many tokens at most.
        sampling: How tokens are chosen.
        stop: Tokens that end a row; the stop token itself is yielded.
        history: The prompts (B, L), for the repetition penalty; None means only ``last``.
        generator: Random numbers, on the device of the scores: one generator for all rows, or one per row, so that
            a row is the same alone and in a batch.
    """
    text = last[:, None] if history is None else history
    ends = torch.tensor(list(stop), dtype=torch.long, device=last.device)
    done = torch.zeros_like(last, dtype=torch.bool)
    for _ in range(max_tokens):
        with torch.no_grad():
            scores, state = step(last, state)
            chosen = sampling.choose(scores, text, generator)
        last = torch.where(done, last, chosen)
        if sampling.repetition_penalty != 1:
            text = torch.cat([text, last[:, None]], dim=1)
        yield last
        if len(ends):
            done = done | torch.isin(last, ends)
            if bool(done.all()):
                return


def generate(
    step: Step,
    last: Tensor,
    state: Any,
    max_tokens: int,
    sampling: Sampling = GREEDY,
    stop: Sequence[int] = (),
    history: Tensor | None = None,
    generator: Generators = None,
) -> Tensor:
    """All tokens of ``stream``: (B, L), L at most ``max_tokens``. A row that stops early repeats its stop token."""
    tokens = list(stream(step, last, state, max_tokens, sampling, stop, history, generator))
    return torch.stack(tokens, dim=1) if tokens else last.new_empty(len(last), 0)
