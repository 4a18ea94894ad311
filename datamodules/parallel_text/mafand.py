"""MAFAND-MT (Adelani et al. 2022): news from English into African languages, translated by people of Masakhane.

https://github.com/masakhane-io/lafand-mt, below ``DIVE_DATA/lafand-mt``: ``json_files/en-yor/train.json`` or
``text_files/en-swa/train.en`` and ``train.swa``, with the published splits.

The published splits leak: 381 of the 998 Zulu test sources stand in the training part too (Igbo 29, Hausa 21, Swahili
11, Yoruba 8). Their training pairs are left out here. Pairs whose two sides are equal (names, untranslated lines)
reward copying: the test has scores without them too (``test/chrf_translated``), and of several languages each one's
(``test/chrf_swa``).
"""

import json
import unicodedata
from itertools import product
from pathlib import Path
from typing import Any, Literal

from common.messages import UserError, note
from datamodules.downloads import data_root
from datamodules.parallel_text.pair_splits import Pairs
from datamodules.parallel_text.parallel_text import ParallelText
from datamodules.parallel_text.tags import without_tags

ADDRESS = "https://github.com/masakhane-io/lafand-mt"
PARTS = {"train": "train", "val": "dev", "test": "test"}


class Mafand(ParallelText):
    """Pairs of one language and English.

    Args:
        language: Three letters: swa, yor, hau, ibo, zul or another one whose files are there; or several with ``+``
            between: then a source begins with its target's tag, ``<2swa>``.
        direction: ``from_english`` or ``into_english``.
        keep_leaks: Train on the pairs whose source or target stands in the validation or test part, as published.
        source_vocab_size, target_vocab_size, max_length, tokenizer, shared: See ``ParallelText``.
        **parallel: See ``ParallelText``.

    Raises:
        UserError: The files are not there, with where they come from; they differ in their numbers of lines; or a
            language is named twice.
    """

    intervals = True

    def __init__(
        self,
        language: str = "swa",
        direction: Literal["from_english", "into_english"] = "from_english",
        keep_leaks: bool = False,
        source_vocab_size: int = 8000,
        target_vocab_size: int = 8000,
        max_length: int = 96,
        tokenizer: Literal["char", "word", "space", "bpe", "byte"] = "bpe",
        shared: bool = True,
        **parallel: Any,
    ) -> None:
        languages = language.split("+")
        if twice := [one for one in languages if languages.count(one) > 1]:
            raise UserError(f"data.language {language} names {twice[0]} twice: name each language once")
        super().__init__(source_vocab_size, target_vocab_size, max_length, tokenizer, shared=shared, **parallel)
        self.language, self.direction, self.keep_leaks = language, direction, keep_leaks

    def normalize(self, text: str) -> str:
        return unicodedata.normalize("NFC", text)

    def pairs(self) -> dict[str, Pairs]:
        folder = Path(data_root()) / "lafand-mt"
        languages = self.language.split("+")
        found: dict[str, Pairs] = {split: [] for split in PARTS}
        owner: list[str] = []  # the language of each pair of the test
        for language, (split, part) in product(languages, PARTS.items()):
            rows = clean(read_part(folder, language, part))
            if self.direction == "into_english":
                rows = [(other, english) for english, other in rows]
            elif len(languages) > 1:
                rows = [(f"<2{language}> {english}", other) for english, other in rows]
            found[split] += rows
            if split == "test":
                owner += [language] * len(rows)
        kept = without_leaks(found)
        leaks = len(found["train"]) - len(kept["train"])
        if leaks and self.trainer is not None:
            does = "stay in training (data.keep_leaks)" if self.keep_leaks else "are left out"
            note(f"{leaks} training pairs whose source or target stands in the validation or test part {does}")
        translated = [without_tags(source) != target for source, target in kept["test"]]
        subsets = {"translated": translated} if not all(translated) else {}
        if len(languages) > 1:
            subsets |= {language: [own == language for own in owner] for language in languages}
        self.subsets = {"test": subsets} if subsets else {}
        return found if self.keep_leaks else kept


def read_part(folder: Path, language: str, part: str) -> Pairs:
    """The pairs (English, other) of a part, from lines of JSON or from two text files.

    Raises:
        UserError: As ``Mafand``.
    """
    lines = folder / "json_files" / f"en-{language}" / f"{part}.json"
    if lines.is_file():
        rows = [json.loads(line)["translation"] for line in lines.read_text(encoding="utf-8").split("\n") if line]
        return [(row["en"], row[language]) for row in rows]
    sides = [folder / "text_files" / f"en-{language}" / f"{part}.{code}" for code in ("en", language)]
    if not all(path.is_file() for path in sides):
        have = sorted({path.name.removeprefix("en-") for path in folder.glob("*_files/en-*")})
        hint = f"there are {', '.join(have)}" if have else f"git clone {ADDRESS} and put its folder data there"
        raise UserError(f"{sides[0]} is not there, nor {lines}: {hint} (DIVE_DATA sets the folder)")
    texts = [path.read_text(encoding="utf-8").removesuffix("\n").split("\n") for path in sides]
    if len(texts[0]) != len(texts[1]):
        raise UserError(f"{sides[0]} has {len(texts[0]):,} lines, {sides[1]} has {len(texts[1]):,}: they must be equal")
    return list(zip(*texts, strict=True))


def clean(pairs: Pairs) -> Pairs:
    """The pairs in NFC without blanks around them; those with an empty side are left out."""
    rows = [(form(source), form(target)) for source, target in pairs]
    return [row for row in rows if all(row)]


def form(text: str) -> str:
    return unicodedata.normalize("NFC", text).strip()


def without_leaks(splits: dict[str, Pairs]) -> dict[str, Pairs]:
    """The splits without training pairs of which a side stands in another part."""
    held = [{row[side] for name in ("val", "test") for row in splits[name]} for side in (0, 1)]
    kept = [row for row in splits["train"] if row[0] not in held[0] and row[1] not in held[1]]
    return splits | {"train": kept}
