"""How a chat chooses its next token: ChatRWKV's penalties, and the two orders of temperature and top-p.

A token that was said already loses ``presence``, and ``frequency`` for each time; the count of times fades by
``penalty_decay`` with each new token. ChatRWKV cuts the unlikely tokens by top-p first and applies the temperature to
the rest (``temperature_last``); transformers and ``Sampling`` apply the temperature first, so that a high temperature
also lets more tokens in.
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from lit_models.functional.decoding import OUT, Sampling


@dataclass(frozen=True)
class ChatSampling:
    """Options of a chat's choices.

    Args:
        temperature: 0 takes the best token.
        top_p: Only the best tokens that reach this probability.
        top_k: Only the k best tokens; 0 means all.
        presence: Subtracted from the score of a token that the answer has already.
        frequency: Subtracted for each time that the answer has it.
        penalty_decay: Factor of all counts at each new token.
        temperature_last: Top-p before the temperature, as ChatRWKV; otherwise after it.
        ban: Tokens that are never chosen.
    """

    temperature: float = 1.0
    top_p: float = 0.85
    top_k: int = 0
    presence: float = 0.2
    frequency: float = 0.2
    penalty_decay: float = 0.996
    temperature_last: bool = False
    ban: tuple[int, ...] = field(default=())

    def __post_init__(self) -> None:
        Sampling(self.temperature, self.top_k, self.top_p)  # refuses what is out of range
        if not 0 <= self.penalty_decay <= 1:
            raise ValueError(f"penalty_decay is {self.penalty_decay}: give a number between 0 and 1")


class Counts:
    """How often an answer has each token, fading.

    Args:
        size: V.
        free: Tokens that are not counted: spaces and digits, which texts repeat for good reasons.
        device: Of the scores.
    """

    def __init__(self, size: int, free: frozenset[int] = frozenset(), device: torch.device | str = "cpu") -> None:
        self.free = free
        self.counts, self.seen = torch.zeros(size, device=device), torch.zeros(size, device=device)

    def add(self, token: int, decay: float) -> None:
        """Counts a token; a free one is seen, with a count of 0, as in ChatRWKV."""
        self.counts *= decay
        self.seen[token] = 1.0
        self.counts[token] += token not in self.free

    def penalize(self, scores: Tensor, presence: float, frequency: float) -> Tensor:
        """Scores (V,) less the penalties."""
        return scores - presence * self.seen - frequency * self.counts


def probabilities(scores: Tensor, options: ChatSampling, counts: Counts | None = None) -> Tensor:
    """The distribution (V,) from which the next token is drawn; scores (V,) are logits."""
    scores = scores.float()
    if counts is not None:
        scores = counts.penalize(scores, options.presence, options.frequency)
    if options.ban:
        scores = scores.index_fill(0, torch.tensor(options.ban, device=scores.device), OUT)
    if options.temperature == 0:
        return torch.nn.functional.one_hot(scores.argmax(), len(scores)).float()
    first = 1.0 if options.temperature_last else options.temperature
    kept = Sampling(first, options.top_k, options.top_p).filter(scores[None])[0]
    return (kept / options.temperature if options.temperature_last else kept).softmax(0)


def choose(scores: Tensor, options: ChatSampling, counts: Counts, generator: torch.Generator) -> int:
    """Draws the next token and counts it."""
    token = int(torch.multinomial(probabilities(scores, options, counts), 1, generator=generator))
    counts.add(token, options.penalty_decay)
    return token
