"""Your own texts with summaries for a network that writes: JSON lines, or ``text<TAB>summary`` lines.

    dive fit summarization/pointer_generator --data SummaryFile --data.path texts.jsonl
    dive predict summarization/pointer_generator --data SummaryFile --data.path new.txt    a summary of each line

The forms of a line are described in ``datamodules/summaries/documents.py``.
"""

from typing import Any

from datamodules.summaries.document_pairs import DocumentPairs
from datamodules.summaries.documents import DocumentFile


class SummaryFile(DocumentFile, DocumentPairs):
    """Documents of a file, split at random (seed 0); a document with several summaries is trained with each.

    Args:
        path: The file. At test time a file that is not the run's is tested whole; ``predict`` summarizes every line.
        val_fraction, test_fraction: Fractions of the documents held out.
        **pairs: See ``DocumentPairs``.
    """

    def __init__(self, path: str = "", val_fraction: float = 0.1, test_fraction: float = 0.1, **pairs: Any) -> None:
        super().__init__(**pairs)
        self.use_file(path, val_fraction, test_fraction)
