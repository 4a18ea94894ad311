"""Dates, times, amounts and countries in many languages, from the Unicode consortium's CLDR, which ships with Babel.

English to Swahili, Yoruba, Hausa, Igbo, Zulu, Amharic and French: ``<sw> Monday, March 5, 2018`` to ``Jumatatu, 5 Machi
2018``. Each source has exactly one correct target. No date, time or amount of the test occurs in the training pairs.
"""

import random
from collections.abc import Sequence
from datetime import date, time, timedelta
from typing import Any, Literal

from common.messages import UserError
from datamodules.parallel_text.pair_splits import Pairs, random_splits
from datamodules.parallel_text.parallel_text import ParallelText

LANGUAGES = ("sw", "yo", "ha", "ig", "zu", "am", "fr")
KINDS = ("full_date", "long_date", "time", "unit", "currency")
FIRST, DAYS = date(1950, 1, 1), 36525  # a hundred years
# fmt: off
CURRENCIES = (
    "USD", "EUR", "GBP", "JPY", "CNY", "INR", "CHF", "BRL", "KES", "TZS", "UGX", "NGN", "ZAR", "ETB", "GHS", "EGP",
    "MAD", "XOF", "XAF", "RWF", "ZMW", "MWK",
)
UNITS = (
    "duration-second", "duration-minute", "duration-hour", "duration-day", "duration-week", "duration-month",
    "duration-year", "length-meter", "length-kilometer", "length-centimeter", "length-mile", "mass-gram",
    "mass-kilogram", "mass-ton", "temperature-celsius", "volume-liter", "speed-kilometer-per-hour",
    "concentr-percent", "energy-calorie", "area-hectare",
)
# fmt: on


class CLDR(ParallelText):
    """Short formatted texts, English to several languages; a tag such as ``<sw>`` names the target language.

    Args:
        languages: CLDR's codes.
        kinds: Any of full_date (with the day of the week), long_date, time, unit (5 kilometers), currency (12 US
            dollars) and territory (Kenya). Test territories do not occur in training in any language.
        holdout: ``values``: the test has other dates, times and amounts. ``patterns``: also, for each language
            one kind is in the test only: training has this kind in other languages, not in this one.
        train_size, val_size, test_size: Pairs of each split; where CLDR has fewer (territories only), all of them.
        source_vocab_size, target_vocab_size, max_length: See ``ParallelText``.
        **parallel: See ``ParallelText``.
    """

    def __init__(
        self,
        languages: Sequence[str] = LANGUAGES,
        kinds: Sequence[str] = KINDS,
        holdout: Literal["values", "patterns"] = "values",
        train_size: int = 10_000,
        val_size: int = 500,
        test_size: int = 1000,
        source_vocab_size: int = 160,
        target_vocab_size: int = 640,
        max_length: int = 32,
        **parallel: Any,
    ) -> None:
        super().__init__(source_vocab_size, target_vocab_size, max_length, **parallel)
        if unknown := sorted(set(kinds) - {*KINDS, "territory"}):
            raise UserError(f"data.kinds has {unknown[0]!r}: choose out of {', '.join(KINDS)}, territory")
        self.languages, self.kinds, self.holdout = tuple(languages), tuple(kinds), holdout
        self.sizes = (train_size, val_size, test_size)

    def pairs(self) -> dict[str, Pairs]:
        train, val, test = self.sizes
        writers = {language: Writer(language, self.kinds) for language in self.languages}
        draw = random.Random(0)
        found: dict[str, str] = {}
        held = {tag: self.kinds[i % len(self.kinds)] for i, tag in enumerate(self.languages)}
        unseen: dict[str, str] = {}
        wanted = train + val + test
        for _ in range(10 * wanted):
            language, kind = draw.choice(self.languages), draw.choice(self.kinds)
            source, target = writers[language].example(kind, draw)
            pattern = self.holdout == "patterns" and held[language] == kind
            (unseen if pattern else found)[f"<{language}> {source}"] = target
            if len(found) >= wanted:
                break
        if self.holdout == "patterns":
            splits = random_splits(list(found.items()), val, 1, train)
            return self.without_leaks(splits | {"test": list(unseen.items())[:test]})
        if set(self.kinds) == {"territory"} or len(found) < wanted:
            return self.by_text(found, val, test)
        return self.without_leaks(random_splits(list(found.items()), val, test, train))

    @staticmethod
    def by_text(pairs: dict[str, str], val: int, test: int) -> dict[str, Pairs]:
        """All pairs, for kinds of which CLDR has fewer than requested: a tenth of the English texts is for the test, in
        every language, and a tenth for validation.
        """
        texts = list(dict.fromkeys(source.split(" ", 1)[1] for source in pairs))
        random.Random(0).shuffle(texts)
        tenth = max(1, len(texts) // 10)
        split = dict.fromkeys(texts[:tenth], "test") | dict.fromkeys(texts[tenth : 2 * tenth], "val")
        splits: dict[str, Pairs] = {"train": [], "val": [], "test": []}
        for source, target in pairs.items():
            splits[split.get(source.split(" ", 1)[1], "train")].append((source, target))
        return splits | {"val": splits["val"][:val], "test": splits["test"][:test]}

    @staticmethod
    def without_leaks(splits: dict[str, Pairs]) -> dict[str, Pairs]:
        """The pairs without those of training whose English text occurs in the test, in any language."""
        held = {source.split(" ", 1)[1] for name in ("val", "test") for source, _ in splits[name]}
        return splits | {"train": [pair for pair in splits["train"] if pair[0].split(" ", 1)[1] not in held]}


class Writer:
    """Generates the same text in English and in one other language.

    Args:
        language: CLDR's code of the other language.
        kinds: Kinds of text, see ``CLDR``.

    Raises:
        UserError: CLDR has no such language.
    """

    def __init__(self, language: str, kinds: Sequence[str]) -> None:
        from babel import Locale, UnknownLocaleError

        try:
            self.english, self.other = Locale.parse("en"), Locale.parse(language)
        except (UnknownLocaleError, ValueError):
            raise UserError(f"CLDR has no language {language!r}: give codes such as {', '.join(LANGUAGES)}") from None
        other = self.other._data
        self.units = [
            u for u in UNITS if "long" in other["unit_patterns"].get(u, {})
        ]  # CLDR does not have all of them in each language
        self.currencies = [c for c in CURRENCIES if c in other["currency_names"]]
        codes = [str(code) for code in self.english.territories if code in self.other.territories]
        self.territories = sorted(code for code in codes if code.isalpha())  # countries, not regions such as 001

    def example(self, kind: str, draw: random.Random) -> tuple[str, str]:
        """A random text of a kind: (English, the other language)."""
        from babel.dates import format_date, format_time
        from babel.numbers import format_currency
        from babel.units import format_unit

        both = (self.english, self.other)
        if kind in ("full_date", "long_date"):
            day = FIRST + timedelta(days=draw.randrange(DAYS))
            texts = [format_date(day, kind.removesuffix("_date"), locale=locale) for locale in both]
        elif kind == "time":
            moment = time(draw.randrange(24), draw.randrange(60), draw.randrange(60))
            texts = [format_time(moment, "medium", locale=locale) for locale in both]
        elif kind == "unit" and self.units:
            amount, unit = draw.randint(1, 999), draw.choice(self.units)
            texts = [format_unit(amount, unit, "long", locale=locale) for locale in both]
        elif kind == "territory":
            code = draw.choice(self.territories)
            texts = [locale.territories[code] for locale in both]
        else:
            amount, code = draw.randint(1, 999), draw.choice(self.currencies)
            texts = [
                format_currency(amount, code, "0", locale=locale, format_type="name", currency_digits=False)
                for locale in both
            ]
        english, other = (" ".join(text.split()) for text in texts)  # no-break spaces become plain ones
        return english, other
