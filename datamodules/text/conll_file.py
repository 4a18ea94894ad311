"""Your own tagged sentences: a file as CoNLL's, a word and its tag per line, an empty line after each sentence.

    dive fit bert/tagger --data ConllFile --data.path train.conll
    dive fit bert/tagger --data ConllFile --data.path train.conll --data.test_path test.conll
    dive predict bert/tagger --data.path new.conll            words only, or with tags that are not read

A line's first column is the word and its last the tag (``Nairobi NNP B-LOC``), separated by spaces or tabs;
``-DOCSTART-`` and lines with ``#`` and a space first are left out. Tags of IOB1, IOB2 and IOBES are taken as they are.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

from common.messages import UserError
from datamodules.run_file import KnowsItsFile
from datamodules.splits import split_fractions
from datamodules.text.files import read_text
from datamodules.text.tagged_text import Sentence, TaggedText, tag_names


class ConllFile(KnowsItsFile, TaggedText):
    """Sentences of a file with a tag per word. The split is fixed (seed 0).

    Args:
        path: The file, UTF-8.
        test_path: A file for the test; then ``path`` is for training and validation only.
        num_classes: 0 means as many tags as the file has (``infer``).
        vocab_size, seq_len: See ``BertRows``.
        val_fraction, test_fraction: Fractions of the sentences held out.
        **rows: See ``BertRows``.

    Raises:
        UserError: A file is missing or cannot be used; a tag that the run did not have.
    """

    def __init__(
        self,
        path: str = "",
        test_path: str = "",
        num_classes: int = 0,
        vocab_size: int = 8000,
        seq_len: int = 128,
        val_fraction: float = 0.15,
        test_fraction: float = 0.15,
        **rows: Any,
    ) -> None:
        super().__init__(self.infer(path, num_classes)["num_classes"], vocab_size=vocab_size, seq_len=seq_len, **rows)
        self.path, self.test_path, self.own_path = path, test_path, path
        self.val_fraction, self.test_fraction = val_fraction, test_fraction

    @staticmethod
    def infer(path: str = "", num_classes: int = 0) -> dict[str, int]:
        """The number of tags."""
        return {"num_classes": num_classes or len(tag_names(read_conll(path)))}

    def read(self, stage: str) -> dict[str, list[Sentence]]:
        sentences = read_conll(self.path, tags=stage != "predict")
        if stage == "predict":
            return {"predict": sentences}
        self.class_names = self.class_names or tag_names(sentences)
        if self.test_path and stage == "test":
            return {"test": self.known(read_conll(self.test_path), self.test_path)}
        self.known(sentences, self.path)
        if self.is_another(stage):
            return {"test" if stage == "test" else "val": sentences}
        if len(sentences) < 3:
            raise UserError(f"{self.path}: {len(sentences)} sentences are too few to split: give at least 3")
        fractions = (self.val_fraction, 0.0 if self.test_path else self.test_fraction)
        parts = split_fractions(torch.zeros(len(sentences)), *fractions)
        found = {n: [sentences[i] for i in p.tolist()] for n, p in zip(("train", "val", "test"), parts, strict=True)}
        return {name: part for name, part in found.items() if part}

    def known(self, sentences: list[Sentence], path: str) -> list[Sentence]:
        """The sentences, whose tags are all known.

        Raises:
            UserError: One is not.
        """
        for tag in sorted({tag for _, tags in sentences for tag in tags}):
            if tag not in (self.class_names or ()):
                raise UserError(f"{path}: tag {tag!r} did not occur when the model was trained")
        return sentences


def read_conll(path: str | Path, tags: bool = True) -> list[Sentence]:
    """The sentences of a file; without ``tags`` only the first column is read.

    Raises:
        UserError: No such file, not UTF-8, no sentence; a line with a word and no tag, by its number.
    """
    sentences: list[Sentence] = []
    words: list[str] = []
    names: list[str] = []
    for number, line in enumerate([*read_text(path).split("\n"), ""], 1):
        columns = line.split()
        if not columns or columns[0] == "-DOCSTART-":
            if words:
                sentences.append((words, names))
                words, names = [], []
            continue
        if columns[0] == "#" and len(columns) > 1 and not words:
            continue
        if tags and len(columns) < 2:
            raise UserError(f"{path}, line {number}: {columns[0][:40]!r} has no tag: a word and its tag on each line")
        if tags and columns[-1] != "O" and not (columns[-1][0] in "BIES" and columns[-1][1:2] == "-"):
            raise UserError(
                f"{path}, line {number}: {columns[-1][:40]!r} is not a tag: give O, B-KIND or I-KIND in the last column"
            )
        words.append(columns[0])
        if tags:
            names.append(columns[-1])
    if not sentences:
        raise UserError(f"{path} has no sentence")
    return sentences


def write_conll(path: str | Path, sentences: Iterable[Sentence]) -> None:
    """Writes sentences as ``read_conll`` reads them."""
    text = "\n".join("".join(f"{w} {t}\n" for w, t in zip(*sentence, strict=True)) for sentence in sentences)
    Path(path).write_text(text, encoding="utf-8")
