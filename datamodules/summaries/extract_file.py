"""Your own texts with summaries for a network that chooses sentences: JSON lines, or ``text<TAB>summary`` lines.

    dive fit summarization/extractive --data ExtractFile --data.path texts.jsonl
    dive predict summarization/extractive --data ExtractFile --data.path new.txt           a summary of each line

The forms of a line are described in ``datamodules/summaries/documents.py``.
"""

from typing import Any

from datamodules.summaries.documents import Document, DocumentFile
from datamodules.summaries.extracts import ExtractRows


class ExtractFile(DocumentFile, ExtractRows):
    """Documents of a file, split at random (seed 0).

    Args:
        path: The file. At test time a file that is not the run's is tested whole; ``predict`` summarizes every line.
        val_fraction, test_fraction: Fractions of the documents held out.
        vocab_size, seq_len: See ``ExtractRows``.
        **rows: See ``ExtractRows``.
    """

    items = "documents"

    def __init__(
        self,
        path: str = "",
        val_fraction: float = 0.1,
        test_fraction: float = 0.1,
        vocab_size: int = 4000,
        seq_len: int = 512,
        **rows: Any,
    ) -> None:
        super().__init__(vocab_size=vocab_size, seq_len=seq_len, **rows)
        self.use_file(path, val_fraction, test_fraction)

    def read(self, stage: str) -> dict[str, list[Document]]:
        found = self.documents(stage)
        if stage == "predict":
            documents = found["predict"]
            self.predict_names = [str(document.number) for document in documents]
            self.predict_cells = {"source": [" ".join(document.sentences) for document in documents]}
        return found
