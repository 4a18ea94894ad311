"""Tokens to text, piece by piece: a new token takes the decoding of a few tokens, however long the text is."""

from collections.abc import Callable, Sequence


class TextStream:
    """Turns the tokens of one text into pieces of text that are final.

    A piece is held back while it may still change: a character with missing bytes, or the beginning of a stop text.

    Args:
        decode: Tokens to text, such as ``tokenizer.decode``.
        prompt: Tokens before the text.
        stop: Texts that end the generation; they and what follows are left out.
    """

    def __init__(self, decode: Callable[[list[int]], str], prompt: Sequence[int], stop: Sequence[str] = ()) -> None:
        self.decode, self.stop = decode, [text for text in stop if text]
        self.tail = list(prompt)[-8:]  # decoded together with new tokens: some tokens decode differently at a beginning
        self.new: list[int] = []
        self.waiting = ""  # decoded, but not yet final
        self.ended = False

    def add(self, token: int) -> str:
        """Takes one token; returns the text that became final."""
        if self.ended:
            return ""
        self.new.append(token)
        piece = self._decoded()
        if piece.endswith("\ufffd"):
            return ""  # an incomplete character
        self.tail, self.new = [*self.tail, *self.new][-8:], []
        self.waiting += piece
        return self._final()

    def finish(self) -> str:
        """The rest of the text, after the last token."""
        rest, self.waiting = ("", "") if self.ended else (self.waiting + (self._decoded() if self.new else ""), "")
        self.new, self.ended = [], True
        return rest

    def _decoded(self) -> str:
        before = self.decode(self.tail)
        return self.decode([*self.tail, *self.new])[len(before) :]

    def _final(self) -> str:
        places = [place for text in self.stop if (place := self.waiting.find(text)) >= 0]
        if places:
            self.ended = True
            return self.waiting[: min(places)]
        held = max([n for text in self.stop for n in range(1, len(text)) if self.waiting.endswith(text[:n])], default=0)
        final, self.waiting = self.waiting[: len(self.waiting) - held], self.waiting[len(self.waiting) - held :]
        return final
