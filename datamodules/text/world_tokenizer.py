"""The vocabulary of RWKV's World models: 65,529 byte strings, and the longest one that fits is the next token.

BlinkDL/ChatRWKV, ``rwkv_vocab_v20230424.txt``. Every single byte is a token, so that any bytes have ids, and ids have
their bytes back. Lines of the file are ``ID 'TEXT' LENGTH`` or ``ID b'BYTES' LENGTH``.

A tree of letters, one node for each byte, is the usual form of this search. Here a dictionary from the first two bytes
to the lengths that exist makes it a few lookups for each token.
"""

import ast
from array import array
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from common.messages import UserError
from datamodules.downloads import fetch
from datamodules.text.tokenizers import Tokenizer, as_array

VOCABULARY = "rwkv_vocab_v20230424.txt"
URL = f"https://raw.githubusercontent.com/BlinkDL/ChatRWKV/main/tokenizer/{VOCABULARY}"
SHA256 = "e6dee3d4e31b4d5c40ac99508ac6c701ceef4bed681bf2167ce9a908552bca89"


class WorldTokenizer(Tokenizer):
    """Greedy: the longest entry that the rest of the text begins with. Nothing is unknown, nothing is changed.

    Args:
        entries: Each id's bytes as Latin-1 text, which any bytes have; an empty one is not used (id 0).
    """

    kind = "world"

    def __init__(self, entries: Sequence[str]) -> None:
        self.entries = [entry.encode("latin-1") for entry in entries]
        super().__init__([entry.decode("utf-8", "replace") for entry in self.entries], ())
        self.numbers = {entry: i for i, entry in enumerate(self.entries) if entry}
        self.longest = max(map(len, self.numbers), default=0)  # bytes of a token
        lengths: dict[bytes, set[int]] = defaultdict(set)
        for entry in self.numbers:
            lengths[entry[:2]].add(len(entry))
        self.lengths = {start: sorted(found, reverse=True) for start, found in lengths.items()}

    def prepare(self, text: str) -> str:
        return text

    def unknown_pieces(self, text: str) -> list[str]:
        return []

    def encode_bytes(self, data: bytes) -> list[int]:
        """The ids of any bytes."""
        ids, at = [], 0
        while at < len(data):
            for length in self.lengths.get(data[at : at + 2], ()):
                found = self.numbers.get(data[at : at + length])
                if found is not None:
                    break
            else:
                length, found = 1, self.numbers[data[at : at + 1]]
            ids.append(found)
            at += length
        return ids

    def decode_bytes(self, ids: Iterable[int]) -> bytes:
        """The bytes of ids.

        Raises:
            UserError: An id is not in the vocabulary.
        """
        ids = list(ids)
        if wrong := [i for i in ids if not 0 <= i < len(self.entries)]:
            raise UserError(f"there is no token {wrong[0]}: the vocabulary's are 0 to {len(self.entries) - 1}")
        return b"".join(self.entries[i] for i in ids)

    def encode(self, text: str) -> list[int]:
        return self.encode_bytes(text.encode("utf-8", "surrogateescape"))

    def encode_pieces(self, texts: Iterable[str]) -> np.ndarray:
        """What a piece ends with may be a longer token together with the next one: the last bytes wait for it."""
        found, rest = array("i"), b""
        for text in texts:
            rest += text.encode("utf-8", "surrogateescape")
            ids, rest = self._sure(rest)
            found.extend(ids)
        found.extend(self.encode_bytes(rest))
        return as_array(found)

    def _sure(self, data: bytes) -> tuple[list[int], bytes]:
        """The ids of bytes whatever follows them, and the bytes whose ids what follows decides."""
        ids, left = self.encode_bytes(data), 0
        while ids and left < self.longest:
            left += len(self.entries[ids.pop()])
        return ids, data[len(data) - left :]

    def decode(self, ids: Iterable[int], keep_unknown: bool = True) -> str:
        """Text; bytes that are no UTF-8 become U+FFFD, also a character of which bytes are missing at the end."""
        return self.decode_bytes(ids).decode("utf-8", "replace")

    def saved(self) -> dict[str, Any]:
        return {"kind": self.kind, "entries": [entry.decode("latin-1") for entry in self.entries]}


def read_vocabulary(path: str | Path) -> WorldTokenizer:
    """The tokenizer of a vocabulary's file.

    Raises:
        UserError: The file is missing or of another form.
    """
    entries: dict[int, bytes] = {}
    try:
        for line in Path(path).read_text(encoding="utf-8").split("\n"):
            if line:
                number, _, rest = line.partition(" ")
                value = ast.literal_eval(rest.rpartition(" ")[0])
                entries[int(number)] = value.encode() if isinstance(value, str) else value
    except FileNotFoundError:
        raise UserError(f"no vocabulary {path}") from None
    except (ValueError, SyntaxError, OSError):
        raise UserError(f"{path} is not a vocabulary of RWKV: its lines are ID 'TEXT' LENGTH") from None
    if not entries or not {bytes([i]) for i in range(256)} <= set(entries.values()):
        raise UserError(f"{path} is not a vocabulary of RWKV: it lacks single bytes")
    return WorldTokenizer([entries.get(i, b"").decode("latin-1") for i in range(max(entries) + 1)])


def fetch_vocabulary() -> Path:
    """The file of the World models, downloaded on first use."""
    return fetch(URL, SHA256, f"rwkv/{VOCABULARY}")
