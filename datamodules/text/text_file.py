"""Your own text: one UTF-8 file, the beginning for training, then validation, then test.

    dive fit rnn/gru --data TextFile --data.path book.txt
    dive fit rnn/gru --data TextFile --data.path book.txt --data.tokenizer bpe --data.vocab_size 2000

The parts are divided at line ends where there are any.
"""

from typing import Any

from datamodules.text.files import read_text, split_text
from datamodules.text.language_model import LanguageModelData


class TextFile(LanguageModelData):
    """A text file for language models.

    Args:
        path: The file.
        val_fraction, test_fraction: Fractions of the text held out, at its end.
        **text: See ``LanguageModelData``.
    """

    def __init__(self, path: str = "", val_fraction: float = 0.1, test_fraction: float = 0.1, **text: Any) -> None:
        super().__init__(**text)
        self.path, self.val_fraction, self.test_fraction = path, val_fraction, test_fraction

    def source_name(self) -> str:
        return self.path

    def texts(self) -> dict[str, str]:
        return split_text(read_text(self.path), self.val_fraction, self.test_fraction)
