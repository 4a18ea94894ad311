"""Classify the language of a name: names of countries and languages in fourteen languages, from Unicode's CLDR.

The names ship inside Babel. Seven of the languages are African. Names with the same spelling in several languages
(Angola) and names in other than Latin script are left out. The split is by the thing that is named: if Kenya is in the
test, it is there in every language, so that training has no similar spelling of it from a related language.
"""

import unicodedata
from collections import defaultdict

import torch
from torch import Tensor

from common.messages import UserError
from datamodules.text.labeled_text import LabeledText

LANGUAGES = {
    "af": "Afrikaans",
    "ha": "Hausa",
    "ig": "Igbo",
    "so": "Somali",
    "sw": "Swahili",
    "yo": "Yoruba",
    "zu": "Zulu",
    "de": "German",
    "en": "English",
    "es": "Spanish",
    "fi": "Finnish",
    "fr": "French",
    "pt": "Portuguese",
    "tr": "Turkish",
}


class CLDRNames(LabeledText):
    """Names as characters x (B, seq_len), y (B,) the language's number in the order of ``LANGUAGES``.

    Split by the thing that is named, seed 0: 70 % train, 10 % validation, 20 % test.

    Args:
        num_classes, vocab_size, seq_len: Fourteen languages; more entries than characters occur; longer names are
            truncated.
        **loader: See ``LabeledText``.
    """

    def __init__(self, num_classes: int = 14, vocab_size: int = 160, seq_len: int = 32, **loader: int) -> None:
        super().__init__(num_classes, vocab_size, seq_len, "character", **loader)
        if num_classes != len(LANGUAGES):
            raise UserError(f"data.num_classes is {num_classes}: there are {len(LANGUAGES)} languages")
        self.class_names = list(LANGUAGES.values())

    def read(self, stage: str) -> dict[str, tuple[list[str], Tensor | None]]:
        names = read_names()
        things = sorted({thing for _, thing, _ in names})
        order = torch.randperm(len(things), generator=torch.Generator().manual_seed(0)).tolist()
        place = {things[i]: rank / len(things) for rank, i in enumerate(order)}
        parts: dict[str, list[tuple[str, int]]] = {"train": [], "val": [], "test": []}
        for name, thing, language in names:
            part = "train" if place[thing] < 0.7 else "val" if place[thing] < 0.8 else "test"
            parts[part].append((name, language))
        return {part: ([n for n, _ in rows], torch.tensor([y for _, y in rows])) for part, rows in parts.items()}


def read_names() -> list[tuple[str, str, int]]:
    """Names, what they name (``territories/KE``), and the number of their language; sorted."""
    from babel import Locale

    found: dict[str, set[tuple[str, int]]] = defaultdict(set)
    for number, code in enumerate(LANGUAGES):
        locale = Locale.parse(code)
        for kind, known in (("territories", locale.territories), ("languages", locale.languages)):
            for key, name in known.items():
                if name != key and "(" not in name and is_latin(name):
                    found[name.strip().lower()].add((f"{kind}/{key}", number))
    names = []
    for name, uses in found.items():
        if len({language for _, language in uses}) == 1:  # in one language only
            thing, language = min(uses)
            names.append((name, thing, language))
    return sorted(names)


def is_latin(name: str) -> bool:
    """Whether all letters of a name are Latin."""
    return all(unicodedata.name(letter, "").startswith("LATIN") for letter in name if letter.isalpha())
