"""Speculative decoding: a small network proposes several tokens, the large one checks them in a single step.

Leviathan, Kalman and Matias 2023, "Fast inference from transformers via speculative decoding". A proposed token x is
accepted with probability min(1, p(x) / q(x)), where p is the large network's distribution and q the small one's. After
the first rejection one token is drawn from max(p - q, 0), normalized; if all are accepted, one more comes from p.
Tokens then have exactly the distribution p, whatever q is. Drawing from p after a rejection, without subtracting q,
would not: tokens that q prefers would come too often.

Greedy decoding is the case in which p and q are certain: a token is accepted if it is the large network's best one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from lit_models.functional.decoding import OUT, Sampling


def accept(
    target: Tensor, draft: Tensor, proposed: Tensor, generator: torch.Generator | None = None
) -> tuple[Tensor, Tensor]:
    """How many proposed tokens are accepted, and the token after them.

    Args:
        target: The large network's probabilities (B, K + 1, V): of each proposed token's place, and of the one after.
        draft: The small network's (B, K, V), from which ``proposed`` was drawn.
        proposed: (B, K).
        generator: Random numbers.

    Returns:
        The number of accepted tokens (B,), 0 to K, and the next token (B,).
    """
    rows, k = proposed.shape
    p, q = (t.gather(2, proposed[..., None]).squeeze(2) for t in (target[:, :k], draft))
    chance = torch.rand(rows, k, generator=generator, device=target.device, dtype=target.dtype)
    count = (chance * q < p).int().cumprod(1).sum(1)  # accepted up to the first rejection
    padded = torch.cat([draft, torch.zeros_like(target[:, :1])], 1)  # after K tokens nothing is subtracted
    row = torch.arange(rows, device=target.device)
    rest = (target[row, count] - padded[row, count]).clamp(min=0)
    rest = torch.where(rest.sum(1, keepdim=True) > 0, rest, target[row, count])  # p = q, up to rounding
    return count, torch.multinomial(rest, 1, generator=generator).squeeze(1)


class Reader:
    """A network that reads a text, keeps its state, and can go back to an earlier place of the text.

    A full context is handled as in ``GPT.decode``: the text continues from its last half.

    Args:
        net: Has ``decode(tokens, state)``, or reads ``context`` tokens anew for each call. A state that is changed in
            place has ``rewind(length) -> bool``.
        context: Maximum number of tokens at once; 0 means any number.
    """

    def __init__(self, net: nn.Module, context: int = 0) -> None:
        self.net, self.context = net, context
        self.start, self.place = 0, 0  # the state has read text[start:place]
        self.state: Any = None
        self.saved: tuple[Any, int, int] = (None, 0, 0)

    def logits(self, text: Tensor, first: int) -> Tensor:
        """Logits (N - first, V) after each of the tokens ``first`` ... N - 1 of the text (N,)."""
        if self.place > first:
            self._rewind(first)
        if getattr(self.state, "rewind", None) is None:
            self.saved = (self.state, self.start, self.place)
        found = []
        while self.place < len(text):
            wanted = max(first, self.place)
            if self.context and self.place - self.start >= self.context:  # full: on from the last half
                end = self.place + 1
                self._begin(self.place - self.context // 2)
            else:
                end = min(len(text), self.start + self.context) if self.context else len(text)
            logits = self._read(text[self.place : end], text[self.start : end])
            found.append(logits[max(0, wanted - self.place) :])
            self.place = end
        return torch.cat(found)

    def _read(self, new: Tensor, whole: Tensor) -> Tensor:
        if not hasattr(self.net, "decode"):
            return self.net(whole[None])[0, len(whole) - len(new) :]
        logits, self.state = self.net.decode(new[None], self.state)  # type: ignore[operator]
        return logits[0]

    def _begin(self, start: int) -> None:
        self.state, self.start, self.place = None, start, start

    def _rewind(self, place: int) -> None:
        start = self._start_of(place)
        if start == self.start and hasattr(self.state, "rewind"):
            if self.state.rewind(place - start):
                self.place = place
                return
        elif not hasattr(self.state, "rewind") and self.saved[1] == start and self.saved[2] <= place:
            self.state, self.start, self.place = self.saved
            return
        self._begin(start)

    def _start_of(self, place: int) -> int:
        """Where the state that is about to read ``place`` begins, before it looks whether the context is full."""
        if not self.context or place <= self.context:
            return 0
        step = self.context - self.context // 2  # from one beginning to the next
        return -(-(place - self.context) // step) * step


@dataclass
class Counts:
    """How the proposals fared.

    Args:
        proposed, accepted: Tokens of the small network.
        steps: How often the large network was asked.
    """

    proposed: int = 0
    accepted: int = 0
    steps: int = 0


def speculative_stream(
    target: Reader,
    draft: Reader,
    prompt: Tensor,
    max_tokens: int,
    sampling: Sampling,
    proposals: int = 4,
    generator: torch.Generator | None = None,
    banned: Tensor | None = None,
    counts: Counts | None = None,
) -> Iterator[Tensor]:
    """Yields the next tokens () of one text, distributed as those of ``stream`` with the large network alone.

    Args:
        target, draft: The large and the small network, of one vocabulary.
        prompt: (L,), at least one token.
        max_tokens: How many tokens.
        sampling: How tokens are chosen, by both networks.
        proposals: K, tokens that the small network proposes at once.
        generator: Random numbers.
        banned: Tokens that cannot be chosen.
        counts: Is added to.
    """
    text, last, counts = prompt, len(prompt) + max_tokens, counts or Counts()

    def probabilities(scores: Tensor, read: Tensor) -> Tensor:
        """Logits (V,) after the text ``read`` -> probabilities (V,), certain if the sampling is greedy."""
        if banned is not None:
            scores = scores.index_fill(0, banned, OUT)
        scores = sampling.filter(scores[None], read[None])[0]
        if sampling.temperature > 0:
            return scores.softmax(0)
        return torch.zeros_like(scores).index_fill(0, scores.argmax(), 1)

    while len(text) < last:
        n, q, proposed = len(text), [], text
        with torch.no_grad():
            for place in range(n, min(n + proposals, last - 1)):
                q.append(probabilities(draft.logits(proposed, place - 1)[-1], proposed))
                token = torch.multinomial(q[-1], 1, generator=generator)
                proposed = torch.cat([proposed, token])
            scores = target.logits(proposed, n - 1)
            p = torch.stack([probabilities(s, proposed[: n + i]) for i, s in enumerate(scores)])
            before = torch.stack(q) if q else p[:0]
            count, token = accept(p[None], before[None], proposed[None, n:], generator)
        counts.proposed, counts.accepted = counts.proposed + len(q), counts.accepted + int(count)
        counts.steps += 1
        text = torch.cat([proposed[: n + int(count)], token])
        yield from text[n:]
