"""The same facts in ten languages, from any into any other: dates, amounts, lists, names of languages and countries.

CLDR ships with Babel. A tag names the target: ``<2sw> Maandag 5 Maart 2018`` to ``Jumatatu, 5 Machi 2018``. Each
source has one right target. Three things are held out: dates and amounts; a tenth of the names, in all languages; and
one direction, of which training has both languages, but never together.
"""

import random
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from common.messages import UserError
from datamodules.parallel_text.cldr import CURRENCIES, DAYS, FIRST
from datamodules.parallel_text.pair_splits import Pairs
from datamodules.parallel_text.parallel_text import ParallelText

LANGUAGES = ("en", "sw", "yo", "ha", "ig", "zu", "am", "so", "ti", "af")
NAMES = 80
KINDS = ("date", "currency", "list", "language", "territory")
Fact = tuple[Any, ...]  # a kind and what it is about


class CLDRMany(ParallelText):
    """Short texts from each of several languages into each other one.

    Args:
        languages: CLDR's codes; the first two are not held out.
        unseen: Source and target of the direction that is in the test only.
        names: How many territories, and how many languages, are named; 0 for all that CLDR names in each of the
            ``languages``. In ten languages 80 are 1,600 spellings to learn, all are 6,860.
        train_size, val_size, test_size: Pairs of each split.
        source_vocab_size, target_vocab_size, max_length, tokenizer, shared: See ``ParallelText``.
        **parallel: See ``ParallelText``.

    Raises:
        UserError: CLDR has no such language, or ``unseen`` is not two of them.
    """

    def __init__(
        self,
        languages: Sequence[str] = LANGUAGES,
        unseen: Sequence[str] = ("yo", "sw"),
        names: int = NAMES,
        train_size: int = 20_000,
        val_size: int = 500,
        test_size: int = 1000,
        source_vocab_size: int = 800,
        target_vocab_size: int = 800,
        max_length: int = 40,
        tokenizer: Any = "bpe",
        shared: bool = True,
        **parallel: Any,
    ) -> None:
        super().__init__(source_vocab_size, target_vocab_size, max_length, tokenizer, shared=shared, **parallel)
        if len(unseen) != 2 or not set(unseen) <= set(languages) or unseen[0] == unseen[1]:
            raise UserError(f"data.unseen is {list(unseen)}: give two of data.languages ({', '.join(languages)})")
        if names and names < 10:
            raise UserError(f"data.names is {names}: give at least 10, of which one is held out, or 0 for all")
        self.languages, self.unseen, self.num_names = tuple(languages), (unseen[0], unseen[1]), names
        self.sizes = {"train": train_size, "val": val_size, "test": test_size}

    def pairs(self) -> dict[str, Pairs]:
        world = World(self.languages, self.num_names)
        draw = random.Random(0)
        directions = [(a, b) for a in self.languages for b in self.languages if a != b]
        taken: set[Fact | str] = set()  # dates, amounts and lists, and sources, of the splits so far
        splits: dict[str, Pairs] = {}
        for name in ("test", "val", "train"):  # what the test has is not drawn again
            rows: dict[str, str] = {}
            marks: list[tuple[bool, bool]] = []
            found: list[Fact] = []
            for _ in range(100 * self.sizes[name]):
                if len(rows) == self.sizes[name]:
                    break
                fact = world.draw(draw, held_out=name == "test")
                direction = draw.choice(directions)
                if name == "test" and draw.random() < 0.2:
                    direction = self.unseen
                if fact in taken or (name != "test" and direction == self.unseen):
                    continue
                texts = [world.text(fact, language) for language in direction]
                source = f"<2{direction[1]}> {texts[0]}"
                if all(texts) and source not in rows and source not in taken:
                    rows[source] = texts[1]
                    marks.append((direction == self.unseen, world.is_held(fact)))
                    found.append(fact)
            if len(rows) < self.sizes[name]:
                raise UserError(
                    f"data.{name}_size is {self.sizes[name]}: only {len(rows)} texts were found; give fewer"
                )
            taken |= {fact for fact in found if fact[0] not in ("language", "territory")} | set(rows)
            splits[name] = list(rows.items())
            if name == "test":
                unseen, held = (list(side) for side in zip(*marks, strict=True))
                seen = [not a and not b for a, b in marks]
                self.subsets = {"test": {"seen": seen, "unseen_direction": unseen, "unseen_names": held}}
        return splits


class World:
    """Facts that can be said in each of some languages.

    Args:
        languages: CLDR's codes.
        names: See ``CLDRMany``.

    Raises:
        UserError: CLDR has no such language.
    """

    def __init__(self, languages: Sequence[str], names: int = NAMES) -> None:
        from babel import Locale, UnknownLocaleError

        self.locales: dict[str, Any] = {}
        for language in languages:
            try:
                self.locales[language] = Locale.parse(language)
            except (UnknownLocaleError, ValueError):
                raise UserError(
                    f"CLDR has no language {language!r}: give codes such as {', '.join(LANGUAGES)}"
                ) from None
        every = list(self.locales.values())
        tables = {
            "territory": [{k: v for k, v in locale.territories.items() if k.isalpha()} for locale in every],
            "language": [dict(locale.languages) for locale in every],
        }
        every_name = {kind: sorted(set.intersection(*map(set, found))) for kind, found in tables.items()}
        self.names = {
            kind: sorted(random.Random(1).sample(codes, min(names or len(codes), len(codes))))
            for kind, codes in every_name.items()
        }
        self.currencies = [c for c in CURRENCIES if all(c in locale._data["currency_names"] for locale in every)]
        shuffled = {kind: random.Random(0).sample(codes, len(codes)) for kind, codes in self.names.items()}
        self.held = {kind: set(codes[: max(1, len(codes) // 10)]) for kind, codes in shuffled.items()}

    def draw(self, draw: random.Random, held_out: bool) -> Fact:
        """A random fact. Names that are held out are drawn where they are asked for: half of the names there."""
        kind = draw.choice(KINDS)
        if kind == "date":
            return kind, FIRST + timedelta(days=draw.randrange(DAYS)), draw.choice(("full", "long"))
        if kind == "currency":
            return kind, draw.randint(1, 999), draw.choice(self.currencies)
        names = "language" if kind == "language" else "territory"
        held, wants = self.held[names], held_out and draw.random() < 0.5
        codes = [code for code in self.names[names] if (code in held) == wants]
        return kind, *draw.sample(codes, min(len(codes), draw.randint(2, 3)) if kind == "list" else 1)

    def is_held(self, fact: Fact) -> bool:
        """Whether a fact is about a name that training does not have."""
        return any(fact[0] in kinds and set(fact[1:]) & self.held[names] for names, kinds in (
            ("territory", ("territory", "list")), ("language", ("language",))
        ))  # fmt: skip

    def text(self, fact: Fact, language: str) -> str:
        """A fact in a language."""
        from babel.dates import format_date
        from babel.lists import format_list
        from babel.numbers import format_currency

        locale = self.locales[language]
        kind, *about = fact
        if kind == "date":
            text = format_date(about[0], about[1], locale=locale)
        elif kind == "currency":
            text = format_currency(about[0], about[1], "0", locale=locale, format_type="name", currency_digits=False)
        elif kind == "list":
            text = format_list([locale.territories[code] for code in about], locale=locale)
        else:
            text = (locale.languages if kind == "language" else locale.territories)[about[0]]
        return " ".join(text.split())  # no-break spaces become plain ones
