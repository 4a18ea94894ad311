"""A conversation with a language model: questions, streamed answers, and the way back.

The network reads each text once: a conversation keeps its state, and the state before each question, so that undo and
another try cost nothing. A recurrent network's state is a few tensors that are never changed in place; of a cache that
is (a transformer's), copies are kept.
"""

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from common.messages import UserError
from lit_models.functional.chat_sampling import ChatSampling, Counts, choose
from lit_models.functional.state import map_state, rows_of
from lit_models.functional.text_stream import TextStream

Decode = Callable[[Tensor, Any], tuple[Tensor, Any]]
PREFILL = 256  # tokens of a prompt that are read at once: bounds the memory of a long one


@dataclass
class Turn:
    """A question, its answer, and where the conversation was before.

    Args:
        question, answer: Texts.
        before: Number of tokens, state, and scores of the next token (V,) before the question; None where they are
            not kept any more.
    """

    question: str
    answer: str
    before: tuple[int, Any, Tensor | None] | None


class Conversation:
    """Asks a network and remembers.

    Args:
        decode: ``decode(tokens (1, T), state) -> (logits (1, T, V), state)``; state None is the beginning.
        tokenizer: Has ``encode``, ``decode``, ``unknown_pieces``.
        template: The text around a question, with ``{}`` in its place.
        stop: The text that ends an answer; it belongs to the text that the network reads.
        model: What the network is, in words and numbers: a state fits no other.
        seed: Of the random numbers.
        device: Where the network is.
        context: Most tokens that the network reads at once; 0 means any number.
        undo_depth: How many questions can be taken back, each of which costs the memory of a state; 0 means all.
    """

    def __init__(
        self,
        decode: Decode,
        tokenizer: Any,
        template: str = "User: {}\n\nAssistant:",
        stop: str = "\n\n",
        model: str = "",
        seed: int = 0,
        device: torch.device | str = "cpu",
        context: int = 0,
        undo_depth: int = 0,
    ) -> None:
        if "{}" not in template:
            raise UserError(f"the template {template!r} has no {{}}, where the question stands")
        self.net_decode, self.tokenizer, self.template, self.stop, self.model = decode, tokenizer, template, stop, model
        self.device, self.vocab_size, self.undo_depth = device, len(tokenizer), undo_depth
        self.piece = min(PREFILL, max(1, context // 2)) if context else PREFILL
        self.generator = torch.Generator(device).manual_seed(seed)
        self.turns: list[Turn] = []
        self.tokens: list[int] = []
        self.state: Any = None
        self.scores: Tensor | None = None  # (V,), of the next token

    # -- talking --------------------------------------------------------------------------------------------------

    def ask(self, question: str, options: ChatSampling, max_tokens: int = 200) -> Iterator[str]:
        """Yields the answer in pieces that are final. Whoever stops listening ends the answer where it is.

        Raises:
            UserError: There is no question, or the vocabulary lacks a part of it; nothing has changed then. The scores
                after the question are not numbers.
        """
        if not question.strip():
            raise UserError("the question is empty: say something")
        text = self.template.replace("{}", question)
        if unknown := self.tokenizer.unknown_pieces(text):
            raise UserError(f"the question has {unknown[0]!r}, which the model's vocabulary lacks: phrase it without")
        ids = self.tokenizer.encode(text)
        turn = Turn(question, "", (len(self.tokens), self.snapshot(), self.scores))
        self.turns.append(turn)
        for old in self.turns[: -self.undo_depth] if self.undo_depth else ():
            old.before = None
        try:
            self.read(ids)
            for piece in self._answer(ids, options, max_tokens):
                turn.answer += piece
                yield piece
        finally:
            if self.stop and not self._ended():
                self.read(self.tokenizer.encode(self.stop))  # the next question begins as after any answer

    def _answer(self, prompt: list[int], options: ChatSampling, max_tokens: int) -> Iterator[str]:
        assert self.scores is not None
        if not bool(self.scores.isfinite().all()):
            raise UserError("the model's scores are not numbers: its weights are damaged, or not in float32")
        pieces = TextStream(self.tokenizer.decode, prompt, [self.stop] if self.stop else [])
        counts = Counts(len(self.scores), self._free(), self.device)
        for _ in range(max_tokens):
            token = choose(self.scores, options, counts, self.generator)
            self.read([token])
            if piece := pieces.add(token):
                yield piece
            if pieces.ended:
                return
        if rest := pieces.finish():
            yield rest

    def read(self, ids: Sequence[int]) -> None:
        """Lets the network read tokens."""
        with torch.inference_mode():
            for start in range(0, len(ids), self.piece):
                part = torch.tensor([list(ids[start : start + self.piece])], device=self.device)
                logits, self.state = self.net_decode(part, self.state)
                self.scores = logits[0, -1, : self.vocab_size].clone()  # weights may have more than the vocabulary
        self.tokens += ids

    def _ended(self) -> bool:
        """Whether the text so far ends as an answer does."""
        return bool(self.tokenizer.decode(self.tokens[-16:]).endswith(self.stop))

    def _free(self) -> frozenset[int]:
        ids = (self.tokenizer.encode(character) for character in " \t0123456789")
        return frozenset(found[0] for found in ids if len(found) == 1)

    # -- going back -----------------------------------------------------------------------------------------------

    def snapshot(self) -> Any:
        """The state as it is now, which later tokens do not change."""
        return self.state if self.state is None or rows_of(self.state) else copy.deepcopy(self.state)

    def undo(self) -> str:
        """Takes back the last question and its answer; returns the question.

        Raises:
            UserError: There is none, or its state is not kept any more.
        """
        if not self.turns:
            raise UserError("there is no question to take back")
        if self.turns[-1].before is None:
            raise UserError(f"only the last {self.undo_depth} questions can be taken back")
        turn = self.turns.pop()
        assert turn.before is not None
        length, self.state, self.scores = turn.before
        self.tokens = self.tokens[:length]
        return turn.question

    def again(self, options: ChatSampling, max_tokens: int = 200) -> Iterator[str]:
        """Another answer to the last question."""
        return self.ask(self.undo(), options, max_tokens)

    def reset(self) -> None:
        """Forgets everything."""
        self.turns, self.tokens, self.state, self.scores = [], [], None, None

    # -- files ----------------------------------------------------------------------------------------------------

    def save(self, path: str | Path) -> None:
        """Saves the conversation: of a recurrent network the state, otherwise the tokens, to be read again."""
        tensors = map_state(lambda t: t.cpu().clone(), self.state) if rows_of(self.state) else None
        talk = [(turn.question, turn.answer) for turn in self.turns]
        content = {"model": self.model, "tokens": self.tokens, "state": tensors, "scores": self.scores, "talk": talk}
        torch.save(content, path)

    def load(self, path: str | Path) -> list[tuple[str, str]]:
        """Continues a saved conversation; returns its questions and answers, which cannot be taken back one by one.

        Raises:
            UserError: There is no such file, it is another kind of file, or the state of another model.
        """
        try:
            content = torch.load(path, map_location=self.device, weights_only=True)
            model, tokens, state, scores, talk = (content[k] for k in ("model", "tokens", "state", "scores", "talk"))
        except FileNotFoundError:
            raise UserError(f"there is no file {path}") from None
        except Exception:  # torch, pickle and zipfile raise many kinds of exceptions
            raise UserError(f"{path} is not a conversation: /save writes one") from None
        if model != self.model:
            raise UserError(f"{path} is the state of {model}, and this is {self.model}")
        self.reset()
        if state is None:
            self.read(tokens)
        else:
            self.tokens, self.state, self.scores = tokens, state, scores
        return [(question, answer) for question, answer in talk]
