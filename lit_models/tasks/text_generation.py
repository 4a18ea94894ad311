"""Texts that continue prompts: what ``LanguageModel.generate`` does besides choosing tokens."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from common.generation import Output
from common.messages import UserError, note
from lit_models.functional.decoding import Sampling
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

    Raises:
        UserError: A prompt does not have a token, or has one that is not in the vocabulary.
    """
    if samples < 1:
        raise UserError(f"--samples is {samples}: give at least 1")
    texts = [text for text in prompts or [beginning(tokenizer)] for _ in range(samples)]
    rows = [encode_prompt(tokenizer, text, context) for text in texts]
    groups: dict[int, list[int]] = defaultdict(list)
    for number, row in enumerate(rows):
        groups[len(row)].append(number)
    banned = [i for i, token in enumerate(tokenizer.tokens) if token in tokenizer.specials or token[:7] == "<unused"]
    for numbers in groups.values():
        streams = [TextStream(tokenizer.decode, rows[n], stop) for n in numbers]
        yield from (Output(n, texts[n]) for n in numbers)
        generators = [torch.Generator(device).manual_seed((seed << 20) + n % samples) for n in numbers]
        for tokens in next_tokens(torch.tensor([rows[n] for n in numbers], device=device), generators, banned):
            for n, stream, token in zip(numbers, streams, tokens.tolist(), strict=True):
                if piece := stream.add(token):
                    yield Output(n, piece)
            if all(stream.ended for stream in streams):
                break
        yield from (Output(n, rest) for n, stream in zip(numbers, streams, strict=True) if (rest := stream.finish()))


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
