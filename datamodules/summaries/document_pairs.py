"""Documents and their summaries as pairs for a network that writes; a subclass supplies the documents."""

from typing import Any

from torch import Tensor

from common.messages import UserError
from datamodules.parallel_text.loaders import padded
from datamodules.parallel_text.pair_splits import Pairs
from datamodules.summaries.copy_text import CopyText
from datamodules.summaries.documents import Document


class DocumentPairs(CopyText):
    """Pairs of a document and a summary; a training document with several summaries is there with each.

    Args:
        source_vocab_size, target_vocab_size: Entries of the vocabulary: the most frequent words of training.
        max_length, longest_source: See ``CopyText``.
        **copy: See ``CopyText``.

    Raises:
        UserError: ``synthetic`` is given, which is for pairs of sentences.
    """

    def __init__(
        self,
        source_vocab_size: int = 8000,
        target_vocab_size: int = 8000,
        max_length: int = 100,
        longest_source: int = 400,
        **copy: Any,
    ) -> None:
        super().__init__(source_vocab_size, target_vocab_size, max_length, longest_source, **copy)
        if self.synthetic:
            raise UserError("data.synthetic is for pairs of sentences: leave it out")
        self.reference_sets: dict[str, list[list[str]]] = {}

    @property
    def items(self) -> str:  # type: ignore[override]
        """What is counted: a training document with two summaries is two pairs."""
        return "documents" if self.splits.keys() == {"predict"} else "pairs of a document and a summary"

    def documents(self, stage: str) -> dict[str, list[Document]]:
        """The documents of each split that a stage needs: ``predict`` alone, or train, val and test."""
        raise NotImplementedError

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        self.cut = 0
        parts = self.documents(stage)
        if self.source_tokenizer is None:
            if "train" not in parts:
                raise UserError("this needs a trained run: its processor.json has the vocabulary")
            self._make_vocabularies(self.rows("train", parts["train"]))
        if stage == "predict":
            return self._load_documents(parts["predict"])
        splits = {}
        for name, found in parts.items():
            rows = self.rows(name, found)
            self._keep_texts(name, rows)
            self.reference_sets[name] = [[self.reference(text) for text in document.summaries] for document in found]
            splits[name] = self.tensors(rows)
        self._say_cut()
        return splits | self._to_predict(splits)

    def rows(self, name: str, found: list[Document]) -> Pairs:
        """The pairs of a split, normalized: of the training documents with each of their summaries."""
        return [
            (self.normalize(" ".join(document.sentences)), self.normalize(summary))
            for document in found
            for summary in document.summaries[: None if name == "train" else 1]
        ]

    def _load_documents(self, found: list[Document]) -> dict[str, tuple[Tensor, ...]]:
        texts = [" ".join(document.sentences) for document in found]
        rows = [self.source_ids(self.normalize(text)) for text in texts]
        self._say_cut()
        self.predict_names = [str(document.number) for document in found]
        self.predict_cells = {"source": texts}
        return {"predict": padded(rows, max(map(len, rows)))}

    def _say_cut(self) -> None:
        if self.cut:
            self.facts.append(f"{self.cut:,} are longer than {self.longest_source} tokens: cut at the end")
