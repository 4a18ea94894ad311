"""Dialogues with exact answers: currencies, languages and weekdays from Unicode's CLDR, and sums.

    What is the currency of Kenya?     Kenyan Shilling
    And in Japan?                      Japanese Yen
    How do you say Monday in Swahili?  Jumatatu
    What is 7 + 12?                    19

All facts are in each split, and each question has many forms (``dialogue_forms.py``): validation and test ask in forms
that training does not have, made of words that it has. So a test tells whether a model knows what is asked, and not
only how it is asked. CLDR ships inside Babel.
"""

import random
from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

from torch import Tensor

from common.messages import UserError
from datamodules.text.answers import AnswerData, Row, said
from datamodules.text.dialogue_forms import FOLLOW_UPS, FORMS, OPENINGS
from datamodules.text.tokenizers import WordTokenizer, fill

# fmt: off
COUNTRIES = (
    "AR", "AU", "AT", "BD", "BE", "BR", "CA", "CL", "CN", "CO", "CZ", "DK", "EG", "EE", "ET", "FI", "FR", "DE", "GH",
    "GR", "HU", "IS", "IN", "ID", "IE", "IL", "IT", "JP", "KE", "MG", "MY", "MX", "MA", "NL", "NZ", "NG", "NO", "PK",
    "PE", "PH", "PL", "PT", "RO", "RU", "RW", "SA", "SN", "RS", "SG", "ZA", "KR", "ES", "LK", "SE", "CH", "TZ", "TH",
    "TR", "UG", "UA", "GB", "US", "VN",
)
LANGUAGES = ("fr", "de", "es", "sw", "tr", "ja", "ko", "hi", "ar", "ru", "el", "zu")
# fmt: on
SPECIALS = ("<pad>", "<unk>")


class Turn(NamedTuple):
    """A question of a kind about some things, and its answer."""

    kind: str
    things: tuple[str, ...]
    answer: str


@cache
def facts() -> dict[str, list[Turn]]:
    """What can be asked, by kind: the first currency in use, the official language that most people speak, the days of
    the week; the names of countries and languages are English.
    """
    from babel import Locale
    from babel.dates import get_day_names
    from babel.languages import get_territory_language_info
    from babel.numbers import get_currency_name, get_territory_currencies

    english = Locale("en")
    found: dict[str, list[Turn]] = {"currency": [], "language": [], "weekday": []}
    for code in COUNTRIES:
        name = english.territories[code]
        spoken = [
            (facts["population_percent"], language.split("_")[0])
            for language, facts in get_territory_language_info(code).items()
            if facts["official_status"] in ("official", "de_facto_official")
        ]
        money = get_currency_name(get_territory_currencies(code)[0], locale=english)
        found["currency"].append(Turn("currency", (name,), money))
        found["language"].append(Turn("language", (name,), english.languages[max(spoken)[1]]))
    days = get_day_names("wide", locale=english)
    for code in LANGUAGES:
        for number, name in get_day_names("wide", locale=code).items():
            found["weekday"].append(Turn("weekday", (days[number], english.languages[code]), name))
    return found


class Dialogues(AnswerData):
    """Two questions with their answers, each on a line; half of the second ones about countries are as short as
    "And in Japan?".

    Args:
        forms: Forms of each question that training has; 0 means all of them.
        largest: Numbers of sums are 0 to this one.
        vocab_size, seq_len: See ``AnswerData``. A token is a word with the space before it, or a digit; questions are
            read in lower case.
        train_size, val_size, test_size: See ``AnswerData``.
        **answers: See ``AnswerData``.
    """

    #: How a chat asks: the text around a question, and what ends an answer.
    chat_template, chat_stop = "{}\n", "\n"
    chat_examples = (
        "What is the currency of Kenya?",
        "And in Japan?",
        "How do you say Monday in Swahili?",
        "What is 7 + 12?",
    )

    def __init__(
        self,
        forms: int = 0,
        largest: int = 12,
        vocab_size: int = 512,
        seq_len: int = 48,
        train_size: int = 20_000,
        val_size: int = 500,
        test_size: int = 1000,
        **answers: Any,
    ) -> None:
        if forms < 0:
            raise UserError(f"data.forms is {forms}: give 1 or more, or 0 for all")
        if largest < 1:
            raise UserError(f"data.largest is {largest}: give at least 1")
        self.forms, self.largest = forms, largest
        super().__init__(vocab_size, seq_len, train_size, val_size, test_size, **answers)
        self.tokenizer = WordTokenizer(fill([*SPECIALS, *self.symbols()], vocab_size), SPECIALS, lower=True)

    def symbols(self) -> Sequence[str]:
        turns = [turn for known in facts().values() for turn in known]
        texts = [form.lower() for asked in FORMS.values() for part in asked.values() for form in part]
        texts += [form.lower() for part in FOLLOW_UPS.values() for form in part] + list(OPENINGS)
        texts = [text.replace("{0}", "x").replace("{1}", "x") for text in texts]
        texts += [f" {text}" for text in texts]  # after an opening
        names = {thing.lower() for turn in turns for thing in turn.things}
        words = {*(f"{end}{name}" for name in names for end in ("", " ")), *(turn.answer for turn in turns)}
        digits = [f"{space}{digit}" for digit in "0123456789+=?.,!" for space in ("", " ")]
        return sorted({token for text in [*texts, *words, *digits, "\n"] for token in cut(text)} - {"x", " x", " "})

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        draw = random.Random(self.data_seed)
        splits: dict[str, tuple[Tensor, ...]] = {}
        for name, size in self.sizes.items():
            splits[name] = self.tensors([self.dialogue(draw, name) for _ in range(size)])
        return splits | {"predict": splits["test"]}

    def row(self, draw: random.Random) -> Row:
        return self.dialogue(draw, "train")

    def dialogue(self, draw: random.Random, split: str) -> Row:
        """A dialogue in the forms of a split."""
        first = self.turn(draw, draw.choice(list(FORMS)))
        follows = first.kind in ("currency", "language") and draw.random() < 0.5
        second = self.turn(draw, first.kind if follows else draw.choice(list(FORMS)))
        row: Row = []
        for turn, forms in ((first, FORMS[first.kind]), (second, FOLLOW_UPS if follows else FORMS[second.kind])):
            known = forms[split][: self.forms or None] if split == "train" else forms[split]
            question = draw.choice(OPENINGS) + draw.choice(known).format(*turn.things)
            question = question[: -draw.randrange(2) or None] if question.endswith("?") else question  # or without it
            row += said(cut(f"{question}\n".lower())) + said(cut(f"{turn.answer}\n"), answer=True)
        return row

    def turn(self, draw: random.Random, kind: str) -> Turn:
        """A question of a kind."""
        if kind != "sum":
            return draw.choice(facts()[kind])
        a, b = draw.randint(0, self.largest), draw.randint(0, self.largest)
        return Turn(kind, (str(a), str(b)), str(a + b))


def cut(text: str) -> list[str]:
    """The tokens of a text."""
    return WordTokenizer.PATTERN.findall(text)
