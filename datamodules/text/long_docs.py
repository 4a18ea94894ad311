"""Python's documentation in short windows for training, and in long ones for the test.

A network that was trained at ``seq_len`` reads the test part in windows of ``test_len`` tokens, so that one sees what
it does at places that it was not trained on.
"""

from typing import Any

from torch import Tensor

from common.messages import UserError
from datamodules.text.language_model import PAD
from datamodules.text.python_docs import PythonDocs
from datamodules.text.windows import evaluation_windows


class LongDocs(PythonDocs):
    """``PythonDocs`` with windows of ``test_len`` tokens in the test and in predictions.

    Args:
        test_len: T of the test's windows.
        test_tokens: Number of tokens of the test part that are used; 0 means all.
        **docs: See ``PythonDocs``.
    """

    links = ("vocab_size", "seq_len", "test_len")  # type: ignore[assignment]

    def __init__(self, test_len: int = 1024, test_tokens: int = 0, **docs: Any) -> None:
        super().__init__(**docs)
        if test_len < self.seq_len:
            raise UserError(f"data.test_len is {test_len}: give at least data.seq_len, which is {self.seq_len}")
        self.test_len, self.test_tokens = test_len, test_tokens

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        splits = super().load(stage)
        if "test" in splits:
            ids = self.corpus["test"][: self.test_tokens or None]
            splits["test"] = splits["predict"] = evaluation_windows(ids, self.test_len, 1, PAD)
        if stage == "predict":
            self._name_predictions(splits["predict"][1])
        return splits
