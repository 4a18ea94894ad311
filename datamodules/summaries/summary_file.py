"""Your own texts with summaries for a network that writes: JSON lines, or ``text<TAB>summary`` lines.

    dive fit summarization/pointer_generator --data SummaryFile --data.path texts.jsonl
    dive predict summarization/pointer_generator --data SummaryFile --data.path new.txt    a summary of each line

The forms of a line are described in ``datamodules/summaries/documents.py``.
"""

from typing import Any, Literal

from datamodules.fractions import check_fractions
from datamodules.parallel_text.pair_files import vocabulary_of
from datamodules.summaries.copy_text import normalized
from datamodules.summaries.document_pairs import DocumentPairs
from datamodules.summaries.documents import DocumentFile, read_documents, split_documents

LARGEST_FOUND = 8000  # words of a vocabulary; give more by argument


class SummaryFile(DocumentFile, DocumentPairs):
    """Documents of a file, split at random (seed 0); a document with several summaries is trained with each.

    Args:
        path: The file. At test time a file that is not the run's is tested whole; ``predict`` summarizes every line.
        val_fraction, test_fraction: Fractions of the documents held out.
        source_vocab_size, target_vocab_size: Entries of the vocabulary, equal; 0 means the words that occur twice in
            training, at most 8,000: a network learns to copy from those that it does not have.
        tokenizer: See ``CopyText``.
        **pairs: See ``DocumentPairs``.
    """

    def __init__(
        self,
        path: str = "",
        val_fraction: float = 0.1,
        test_fraction: float = 0.1,
        source_vocab_size: int = 0,
        target_vocab_size: int = 0,
        tokenizer: Literal["space", "bpe"] = "space",
        **pairs: Any,
    ) -> None:
        sizes = self.infer(path, val_fraction, test_fraction, source_vocab_size, target_vocab_size, tokenizer)
        super().__init__(**sizes, tokenizer=tokenizer, **pairs)
        self.use_file(path, val_fraction, test_fraction)

    @staticmethod
    def infer(
        path: str = "",
        val_fraction: float = 0.1,
        test_fraction: float = 0.1,
        source_vocab_size: int = 0,
        target_vocab_size: int = 0,
        tokenizer: Literal["space", "bpe"] = "space",
    ) -> dict[str, int]:
        """The size of the vocabulary, from the training documents and their summaries."""
        given = {"source_vocab_size": source_vocab_size, "target_vocab_size": target_vocab_size}
        if all(given.values()):
            return given  # as in a run's config.yaml: the file may have no summaries now
        if not (size := source_vocab_size or target_vocab_size):
            check_fractions(val_fraction, test_fraction)
            train = split_documents(read_documents(path), path, val_fraction, test_fraction)["train"]
            texts = [text for document in train for text in (" ".join(document.sentences), *document.summaries)]
            texts = [normalized(text, tokenizer) for text in texts]
            size = min(LARGEST_FOUND, vocabulary_of(texts, tokenizer, lower=False, min_count=2))
        return dict.fromkeys(given, size)
