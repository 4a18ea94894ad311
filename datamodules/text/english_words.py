"""English texts for word vectors: PTB as the book has it, all English of the public sets together, your own file.

``EnglishWords`` reads PTB, WikiText-2, film reviews (IMDb, rt-polarity), Tatoeba's sentences, captions (Multi30k),
abstracts (SciTLDR), novels (LAMBADA, The Time Machine), SICK and news (MAFAND): 6.2 million words, what a laptop
counts in minutes. Each file is downloaded once, or lies under ``$DIVE_DATA``.
"""

import gzip
import json
import re
import unicodedata
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import regex
import torch

from common.messages import UserError, note
from datamodules.downloads import data_root, fetch
from datamodules.run_file import KnowsItsFile
from datamodules.text.files import SENTENCE_ENDS, UNSPACED_ENDS, read_text
from datamodules.text.ptb import SHA256 as PTB_SHA256
from datamodules.text.ptb import URL as PTB_URL
from datamodules.text.tokenizers import LETTER
from datamodules.text.word_corpus import Sentences, WordCorpus
from datamodules.text.word_tests import published_tests

IN_WORD = rf"[{LETTER}--_]+"
# Words with inner apostrophes; a mark alone, such as an emoji's, is none.
WORD = regex.compile(rf"(?![\p{{M}}\u200c\u200d]){IN_WORD}(?:['\u2019]{IN_WORD})*", regex.V1)
SENTENCE = re.compile(rf"(?<=[.!?{SENTENCE_ENDS}])\s+|\n|<br />| \. |(?<=[{UNSPACED_ENDS}])")
#: Folders and files under ``$DIVE_DATA``, and which column, key or member has the English.
SOURCES = {
    "ptb/ptb.zip": "ptb/ptb.*.txt",
    "wikitext-2": "*.tokens",
    "aclImdb": "*/*/*.txt",
    "rt-polaritydata": "rt-polarity.*",
    "fra-eng/fra-eng.zip": "fra-eng/fra.txt",
    "multi30k": "task1/raw/*.en.gz",
    "scitldr": "SciTLDR-A/*.jsonl",
    "rwkv": "lambada_test.jsonl",
    "timemachine": "timemachine.txt",
    "SICK": "SICK.txt",
    "lafand-mt": "**/en-*/*.*",
}


def split_words(text: str) -> list[list[str]]:
    """A text as sentences of words in lower case and Unicode's composed form; numbers and signs are left out."""
    lines = SENTENCE.split(unicodedata.normalize("NFC", text))
    sentences = (WORD.findall(unicodedata.normalize("NFC", line.lower())) for line in lines)
    return [words for words in sentences if words]


def parts_of(sentences: list[list[str]], held: int) -> dict[str, Sentences]:
    """The sentences in a fixed random order (seed 0): ``held`` for validation, as many for test, the rest to train."""
    order = torch.randperm(len(sentences), generator=torch.Generator().manual_seed(0)).tolist()
    held = max(1, min(held, len(sentences) // 20))
    mixed = [sentences[i] for i in order]
    return {"val": mixed[:held], "test": mixed[held : 2 * held], "train": mixed[2 * held :]}


class PTBWords(WordCorpus):
    """PTB in its published parts, ``<unk>`` and numbers (N) left out; tested on published sets.

    Args:
        vocab_size, window, subsample, min_count: The book's (D2L 15.3): words that occur ten times.
        **corpus: See ``WordCorpus``.
    """

    def __init__(
        self, vocab_size: int = 6800, window: int = 5, subsample: float = 1e-4, min_count: int = 10, **corpus: Any
    ) -> None:
        super().__init__(vocab_size, window, subsample=subsample, min_count=min_count, **corpus)

    def sentences(self) -> dict[str, Sentences]:
        with zipfile.ZipFile(fetch(PTB_URL, PTB_SHA256, "ptb/ptb.zip")) as archive:
            parts = {"train": "train", "val": "valid", "test": "test"}
            return {
                part: [
                    [w for w in line.split() if w not in ("<unk>", "N")]
                    for line in archive.read(f"ptb/ptb.{name}.txt").decode().splitlines()
                ]
                for part, name in parts.items()
            }

    def tests(self) -> dict[str, dict[str, Any]]:
        return published_tests()


class EnglishWords(WordCorpus):
    """All English of the public sets: every text that lies under ``$DIVE_DATA``; tested on published sets.

    Args:
        vocab_size, window, subsample, min_count: 36,000 words occur five times.
        sources: Names of folders, of those in ``SOURCES``; none means all.
        **corpus: See ``WordCorpus``.

    Raises:
        UserError: None of them is there.
    """

    def __init__(
        self,
        vocab_size: int = 36_000,
        window: int = 5,
        subsample: float = 1e-3,
        min_count: int = 5,
        sources: Sequence[str] = (),
        **corpus: Any,
    ) -> None:
        super().__init__(vocab_size, window, subsample=subsample, min_count=min_count, **corpus)
        if unknown := sorted(set(sources) - set(SOURCES)):
            raise UserError(f"data.sources has {unknown[0]!r}: choose out of {', '.join(SOURCES)}")
        self.sources = tuple(sources or SOURCES)

    def sentences(self) -> dict[str, Sentences]:
        root, found, absent = Path(data_root()), [], []
        for name in self.sources:
            if not (root / name).exists():
                absent.append(name)
                continue
            for text in english_of(root / name, SOURCES[name]):
                found += split_words(text)
        if not found:
            raise UserError(f"no English text in {root}: put {', '.join(SOURCES)} there (DIVE_DATA sets the folder)")
        if absent:
            note(f"{root} does not have {', '.join(absent)}: the text is smaller than the recipe's")
        return parts_of(found, 2000)

    def tests(self) -> dict[str, dict[str, Any]]:
        return published_tests()


class WordFile(KnowsItsFile, WordCorpus):
    """Your own text file, UTF-8: sentences end at ``.!?``, as they do in other scripts, and at line ends; 90 % train,
    5 % validation, 5 % test.

    Args:
        path: The file. At test time all of a file that is not the run's is tested.
        vocab_size, window, subsample, min_count: See ``WordCorpus``.
        **corpus: See ``WordCorpus``.

    Raises:
        UserError: No such file, not UTF-8, or fewer than 20 sentences.
    """

    def __init__(
        self,
        path: str = "",
        vocab_size: int = 20_000,
        window: int = 5,
        subsample: float = 1e-3,
        min_count: int = 2,
        **corpus: Any,
    ) -> None:
        super().__init__(vocab_size, window, subsample=subsample, min_count=min_count, **corpus)
        self.path = self.own_path = path
        self.items = "words" if self.batches == "windows" else "pairs of words"

    def sentences(self) -> dict[str, Sentences]:
        found = split_words(read_text(self.path))
        if self.is_another(self.stage):
            return {"test" if self.stage == "test" else "val": found}
        if len(found) < 20:
            raise UserError(f"{self.path} has {len(found)} sentences: give it at least 20, better 100,000")
        return parts_of(found, len(found))


def english_of(path: Path, pattern: str) -> Iterator[str]:
    """The English in a folder, or an archive, of ``SOURCES``."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            for name in sorted(archive.namelist()):
                if Path(name).match(pattern):
                    text = archive.read(name).decode()
                    yield english_columns(text.splitlines()) if name.endswith("fra.txt") else unmarked(text)
        return
    for file in sorted(path.glob(pattern)):
        if file.suffix == ".gz":
            yield gzip.decompress(file.read_bytes()).decode()
        elif file.suffix in (".json", ".jsonl"):
            yield "\n".join(english_fields(file))
        elif file.name == "SICK.txt":
            yield "\n".join(" .\n".join(line.split("\t")[1:3]) for line in file.read_text().splitlines()[1:])
        elif file.suffix in (".txt", ".tokens", ".en", ".neg", ".pos"):
            yield unmarked(file.read_text(encoding="utf-8"))


def english_columns(lines: list[str]) -> str:
    """The different texts in the first column of a table."""
    return "\n".join(dict.fromkeys(line.split("\t")[0] for line in lines))


def english_fields(file: Path) -> Iterator[str]:
    """The English in a file of one JSON object on each line: SciTLDR, LAMBADA, MAFAND."""
    for line in file.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        row = row.get("translation", row)
        for key in ("source", "target", "text", "en"):
            value = row.get(key, [])
            yield from [value] if isinstance(value, str) else value


def unmarked(text: str) -> str:
    """A text without ``<unk>`` and without WikiText's ``@-@``."""
    return text.replace("<unk>", " ").replace(" @-@ ", "-").replace(" N ", " ")
