"""Texts that continue prompts: what ``LanguageModel.generate`` does besides choosing tokens."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from common.generation import Output
from common.messages import RunError, UserError, note
from lit_models.functional.decoding import OUT, Sampling
from lit_models.functional.speculative import Counts, Reader, speculative_stream
from lit_models.functional.text_stream import TextStream

#: ``tokens(prompts (B, L), generators, banned) -> Iterator[(B,)]``: the next tokens of prompts of one length.
NextTokens = Callable[[Tensor, list[torch.Generator], list[int]], Iterator[Tensor]]


@dataclass
class Draft:
    """A small network that proposes tokens to a large one (``lit_models/functional/speculative.py``).

    Args:
        net: The small network.
        proposals: How many tokens it proposes at once.
    """

    net: nn.Module
    proposals: int = 4


def with_draft(net: nn.Module, draft: Draft, max_tokens: int, options: Sampling) -> NextTokens:
    """The next tokens of prompts, each text on its own; ends with a note that says how many proposals were accepted."""

    def next_tokens(rows: Tensor, generators: list[torch.Generator], banned: list[int]) -> Iterator[Tensor]:
        counts, never = Counts(), torch.tensor(banned, device=rows.device).long()

        def reader(network: nn.Module) -> Reader:
            return Reader(network, getattr(network, "context", 0))

        streams = [
            speculative_stream(
                reader(net), reader(draft.net), row, max_tokens, options, draft.proposals, generator, never, counts
            )
            for row, generator in zip(rows, generators, strict=True)
        ]
        try:
            yield from (torch.stack(tokens) for tokens in zip(*streams, strict=True))
        finally:
            if counts.proposed:
                note(
                    f"{counts.accepted / counts.proposed:.0%} of the draft's {counts.proposed:,} tokens were accepted, "
                    f"{(counts.accepted + counts.steps) / counts.steps:.1f} tokens for each step of the model"
                )

    return next_tokens


@dataclass
class Together:
    """Texts of any lengths that are continued in one step.

    Args:
        server: A ``PagedGPT``.
        max_tokens: Of each text.
        sampling: How tokens are chosen.
    """

    server: Any
    max_tokens: int
    sampling: Sampling

    def add(self, row: list[int], generator: torch.Generator, banned: Tensor) -> int:
        """A text's number, by which ``server.step`` names it.

        Raises:
            UserError: With its prompt it is longer than the memory, or than the context.
        """
        history, context = list(row), self.server.net.context
        if context and len(row) + self.max_tokens - 1 > context:
            raise UserError(
                f"--pool_tokens: {len(row)} tokens of the prompt and --max_tokens {self.max_tokens} are more than the "
                f"{context} that the model reads at once: shorten them, or leave out --pool_tokens: a text then goes "
                "on from its last half"
            )

        def choose(logits: Tensor) -> int:
            scores = logits[None].index_fill(1, banned, OUT)
            seen = torch.tensor([history], device=logits.device)
            history.append(int(self.sampling.choose(scores, seen, [generator])))
            return history[-1]

        try:
            number: int = self.server.add(row, self.max_tokens, choose)
        except RunError as error:
            raise UserError(f"{error}: give more --pool_tokens, or a smaller --max_tokens") from None
        return number

    def pieces(
        self, rows: list[list[int]], streams: list[TextStream], generators: list[torch.Generator], banned: Tensor
    ) -> Iterator[tuple[int, str]]:
        """The place of a text among ``rows`` and what follows it, piece by piece."""
        place = {self.add(row, own, banned): n for n, (row, own) in enumerate(zip(rows, generators, strict=True))}
        while self.server.busy:
            for number, token in self.server.step().items():
                n = place[number]
                if piece := streams[n].add(token):
                    yield n, piece
                if streams[n].ended:
                    self.server.end(number)


def sampling(**options: float) -> Sampling:
    """The options of ``Sampling``.

    Raises:
        UserError: One is out of range.
    """
    try:
        return Sampling(**options)  # type: ignore[arg-type]
    except ValueError as error:
        raise UserError(f"--{error}") from None


def continue_texts(
    next_tokens: NextTokens,
    tokenizer: Any,
    prompts: Sequence[str],
    samples: int,
    stop: Sequence[str],
    seed: int,
    context: int,
    device: torch.device,
    together: Together | None = None,
) -> Iterator[Output]:
    """Yields the prompts and what follows them, ``samples`` texts for each.

    Each text has random numbers of its own, from ``seed`` and its number among the samples of its prompt: it is the
    same whether it is generated alone or in a batch. Prompts of the same length are continued as one batch.

    Args:
        next_tokens: Generates tokens.
        tokenizer: Of the run's texts.
        prompts: Texts to continue; none means the beginning of a line.
        samples: Texts for each prompt.
        stop: Texts that end one.
        seed: Of the random numbers.
        context: Maximum number of tokens that the model reads at once; 0 means no limit.
        device: Where the model is.
        together: Continues prompts of any lengths, in place of ``next_tokens``.

    Raises:
        UserError: A prompt does not have a token, or has one that is not in the vocabulary.
    """
    if samples < 1:
        raise UserError(f"--samples is {samples}: give at least 1")
    texts = [text for text in prompts or [beginning(tokenizer)] for _ in range(samples)]
    rows = [encode_prompt(tokenizer, text, context) for text in texts]
    groups: dict[int, list[int]] = defaultdict(list)
    for number, row in enumerate(rows):
        groups[0 if together else len(row)].append(number)
    banned = [i for i, token in enumerate(tokenizer.tokens) if token in tokenizer.specials or token[:7] == "<unused"]
    for numbers in groups.values():
        streams = [TextStream(tokenizer.decode, rows[n], stop) for n in numbers]
        yield from (Output(n, texts[n]) for n in numbers)
        generators = [torch.Generator(device).manual_seed((seed << 20) + n % samples) for n in numbers]
        several = [rows[n] for n in numbers]
        if together:
            pieces = together.pieces(several, streams, generators, torch.tensor(banned, device=device).long())
        else:
            pieces = in_step(next_tokens(torch.tensor(several, device=device), generators, banned), streams)
        yield from (Output(numbers[place], piece) for place, piece in pieces)
        yield from (Output(n, rest) for n, stream in zip(numbers, streams, strict=True) if (rest := stream.finish()))


def in_step(tokens: Iterator[Tensor], streams: list[TextStream]) -> Iterator[tuple[int, str]]:
    """The place of a text and what follows it, piece by piece, from the next tokens (B,) of all texts."""
    for row in tokens:
        for n, (stream, token) in enumerate(zip(streams, row.tolist(), strict=True)):
            if piece := stream.add(token):
                yield n, piece
        if all(stream.ended for stream in streams):
            break


def beginning(tokenizer: Any) -> str:
    """The first token of a text without a prompt: a new line, or the most frequent token."""
    if tokenizer.encode("\n") and not tokenizer.unknown_pieces("\n"):
        return "\n"
    ordinary = (token for token in tokenizer.tokens if token not in tokenizer.specials and token[:7] != "<unused")
    return next(ordinary, "")


def encode_prompt(tokenizer: Any, text: str, context: int = 0) -> list[int]:
    """The ids of a prompt; if it is longer than the context, only its last part, with a note.

    Raises:
        UserError: It does not have a token, or has one that is not in the vocabulary.
    """
    if unknown := tokenizer.unknown_pieces(text):
        raise UserError(f"the prompt has {unknown[0]!r}, which the model's vocabulary lacks: phrase it without")
    ids: list[int] = tokenizer.encode(text)
    if not ids:
        raise UserError("the prompt has no token in it: give --prompt some text")
    if context and len(ids) > context:
        note(f"the prompt has {len(ids)} tokens, the model reads {context} at once: it goes on from the last of them")
        ids = ids[-context:]
    return ids
