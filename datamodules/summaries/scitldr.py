"""SciTLDR (Cachola et al. 2020): abstracts of papers on machine learning and a sentence that sums each up.

1,992 to train with one summary each, 619 to validate and 618 to test with one to several. From the repository
allenai/scitldr, the abstracts only (SciTLDR-A); below ``DIVE_DATA/scitldr``.
"""

from typing import Any

from datamodules.downloads import fetch
from datamodules.summaries.document_pairs import DocumentPairs
from datamodules.summaries.documents import Document, read_documents
from datamodules.summaries.extracts import ExtractRows

COMMIT = "5ccad9c00a60ad75c9e04abf7f27d0f53f983b20"
FILES = {
    "train": ("train.jsonl", "b222771d387be585cfdf5ae957b36757138415a352e0a3e3b23f73f87c3b1119"),
    "val": ("dev.jsonl", "3191fa98ccc09521332b7a1cd63b1930be4e8df125a235ccd31e40329709525e"),
    "test": ("test.jsonl", "fb42dd6cd4f4a1928ae8a01a189456fbfe994a07e938bd49f68653933f6503c9"),
}


class SciTLDR(ExtractRows):
    """The abstracts as sentences to choose from.

    Args:
        train_size: Only the first so many of the training abstracts; 0 means all.
        eval_size: The same of validation, and of the test.
        **rows: See ``ExtractRows``.
    """

    english = True

    def __init__(self, train_size: int = 0, eval_size: int = 0, **rows: Any) -> None:
        super().__init__(**rows)
        self.most = {"train": train_size, "val": eval_size, "test": eval_size}

    def read(self, stage: str) -> dict[str, list[Document]]:
        return {name: read_scitldr(name)[: self.most[name] or None] for name in FILES}


class SciTLDRPairs(DocumentPairs):
    """The abstracts and their summaries for a network that writes; ROUGE is of the best of a test row's summaries.

    Args:
        max_length: See ``CopyText``; three of the 1,992 training summaries have more words and signs, and are cut.
        train_size, eval_size: See ``SciTLDR``.
        **pairs: See ``DocumentPairs``.
    """

    english = True

    def __init__(self, max_length: int = 70, train_size: int = 0, eval_size: int = 0, **pairs: Any) -> None:
        super().__init__(max_length=max_length, **pairs)
        self.most = {"train": train_size, "val": eval_size, "test": eval_size}

    def documents(self, stage: str) -> dict[str, list[Document]]:
        parts = {name: read_scitldr(name)[: self.most[name] or None] for name in FILES}
        return {"predict": parts["test"]} if stage == "predict" else parts


def read_scitldr(name: str) -> list[Document]:
    """The documents of a split, downloaded once."""
    file, digest = FILES[name]
    url = f"https://raw.githubusercontent.com/allenai/scitldr/{COMMIT}/SciTLDR-Data/SciTLDR-A/{file}"
    return read_documents(fetch(url, digest, f"scitldr/SciTLDR-A/{file}"))
