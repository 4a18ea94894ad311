"""Penn Treebank as Mikolov prepared it: 929,589 training words, 10,000 different ones, ``<unk>`` and N in the text."""

import zipfile
from typing import Any, Literal

from datamodules.downloads import fetch
from datamodules.text.language_model import LanguageModelData

URL = "https://d2l-data.s3-accelerate.amazonaws.com/ptb.zip"
SHA256 = "310d8f602882a5716613815ed75596e5764ea84ed04c5630eebaaf2b943ec5aa"


class PTB(LanguageModelData):
    """PTB in its published parts. The line end is a word (``<eos>`` elsewhere), one of the 10,000.

    Args:
        vocab_size, seq_len: See ``LanguageModelData``.
        tokenizer: The published words (``space``), or the characters of the same text: ``<unk>`` is five.
        **text: See ``LanguageModelData``.
    """

    specials = ("<unk>",)

    def __init__(
        self,
        vocab_size: int = 10_000,
        seq_len: int = 35,
        tokenizer: Literal["space", "char"] = "space",
        **text: Any,
    ) -> None:
        super().__init__(vocab_size, seq_len, tokenizer, **text)

    def texts(self) -> dict[str, str]:
        with zipfile.ZipFile(fetch(URL, SHA256, "ptb/ptb.zip")) as archive:
            names = {"train": "train", "val": "valid", "test": "test"}
            return {part: archive.read(f"ptb/ptb.{name}.txt").decode() for part, name in names.items()}
