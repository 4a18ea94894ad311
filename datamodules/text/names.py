"""Given names of people, one on a line, for models that write new ones: the file of Karpathy's makemore.

228,145 characters, from the names that the United States' Social Security Administration counts. 2,539 of the 32,033
lines repeat an earlier one: each name is kept once, or the test's names would be in training.
"""

import random
from typing import Any

from datamodules.downloads import fetch
from datamodules.text.files import read_text
from datamodules.text.language_model import LanguageModelData

URL = "https://raw.githubusercontent.com/karpathy/makemore/988aa59e4d8fefa526d06f3b453ad116258398d4/names.txt"
SHA256 = "0a30b5557f192f32ab962680889aac5f6fda0f4cecf40a6d0b5694f58ea8cc4d"


class Names(LanguageModelData):
    """29,494 different names in an order of seed 0: 80 % for training, 10 % for validation, 10 % for the test.

    Args:
        vocab_size, seq_len: 26 letters, the end of a line, ``<unk>``; T, tokens in a window.
        **text: See ``LanguageModelData``.
    """

    specials = ("<unk>",)

    def __init__(self, vocab_size: int = 28, seq_len: int = 64, **text: Any) -> None:
        super().__init__(vocab_size, seq_len, **text)

    def texts(self) -> dict[str, str]:
        names = sorted(set(read_text(fetch(URL, SHA256, "names/names.txt")).splitlines()))
        random.Random(0).shuffle(names)
        a, b = round(0.8 * len(names)), round(0.9 * len(names))
        parts = {"train": names[:a], "val": names[a:b], "test": names[b:]}
        return {part: "".join(f"{name}\n" for name in own) for part, own in parts.items()}
