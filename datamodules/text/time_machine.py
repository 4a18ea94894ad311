"""The Time Machine (H. G. Wells 1895) as the book reads it: letters and spaces, lower case. D2L 9.2 and 9.3."""

import re
from typing import Any

from common.messages import UserError
from datamodules.downloads import fetch
from datamodules.text.files import read_text, split_text
from datamodules.text.language_model import LanguageModelData

URL = "https://d2l-data.s3-accelerate.amazonaws.com/timemachine.txt"
SHA256 = "8424dbd9532ac81f7e5f0b6add90e6952baea29158309d7d1bf3884f4e12c516"


class TimeMachine(LanguageModelData):
    """173,428 characters, 28 symbols: the letters, the space, ``<unk>``.

    Departs from the book: the parts do not overlap (its last training windows share characters with its first
    validation windows), and a test part follows, which is not used for any choice.

    Args:
        train_windows, val_windows, test_windows: The book's 10,000 and 5,000 windows of every ``seq_len`` characters,
            from the beginning of the text; the book uses no more. 0 training windows mean the whole text, of which the
            last 10 % are for the test and the 10 % before for validation.
        **text: See ``LanguageModelData``.
    """

    specials = ("<unk>",)

    def __init__(
        self,
        vocab_size: int = 28,
        seq_len: int = 32,
        train_windows: int = 10_000,
        val_windows: int = 5000,
        test_windows: int = 5000,
        **text: Any,
    ) -> None:
        super().__init__(vocab_size, seq_len, **text)
        if train_windows and self.kind != "char":
            raise UserError("data.train_windows counts characters: give --data.train_windows 0 for another tokenizer")
        self.windows = (train_windows, val_windows, test_windows)

    def texts(self) -> dict[str, str]:
        raw = read_text(fetch(URL, SHA256, "timemachine/timemachine.txt"))
        text = re.sub("[^A-Za-z]+", " ", raw).lower()
        if not self.windows[0]:
            return split_text(text, 0.1, 0.1)
        parts, start = {}, 0
        for name, windows in zip(("train", "val", "test"), self.windows, strict=True):
            parts[name] = text[start : start + windows + self.seq_len]
            start += windows + self.seq_len
        return parts
