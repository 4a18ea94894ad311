"""Records of facts in nine languages, and what is written of them: a document, a headline, a table.

A record has one to three countries, a day, and perhaps a language and a currency, by their names in Unicode's CLDR
(``datamodules/text/carriers.py``). All three texts have the same facts, so that it is known what an output should say:

    document    Sarafu inaitwa yuro. Nchi inaitwa Kenya. Lugha inaitwaje? Siku ni Jumatatu, 5 Machi 2018.
    headline    Kenya; Jumatatu, 5 Machi 2018
    table       <sw> country: Kenya; currency: yuro; day: Jumatatu, 5 Machi 2018

The statements of a document are in any order, with a question among them that says nothing. A headline has the
countries, in the document's order, then the day; a table has its kinds in one order, and so have the sentences that are
generated from it.

``claims`` reads the facts out of an output by rule, and ``count`` compares them with a record.
"""

import re
from collections.abc import Sequence
from datetime import date, timedelta
from functools import cache
from random import Random
from typing import NamedTuple

from datamodules.summaries.words import join_words, split_words
from datamodules.text.carriers import KINDS, PARTS, SENTENCES, names

LANGUAGES = ("en", "sw", "yo", "ha", "ig", "zu", "am", "so", "af")
MAIN = ("country", "day")  # the kinds of a headline


class Fact(NamedTuple):
    """A kind of ``KINDS``, or empty where it is not said, and a name."""

    kind: str
    name: str


class Record(NamedTuple):
    """A language, its facts in the order of the document, and the question among them: its place and its text."""

    language: str
    facts: tuple[Fact, ...]
    place: int
    question: str


class Count(NamedTuple):
    """Of an output: facts that it should say, those that it says, its claims, invented ones, those said twice."""

    wanted: int
    covered: int
    claims: int
    invented: int
    repeated: int


def tidy(text: str) -> str:
    """A text as an output without errors is written: the same spaces around signs everywhere."""
    return join_words(split_words(text))


@cache
def tidy_names(language: str, kind: str, part: str) -> tuple[str, ...]:
    """The names of a kind that belong to a part (``train``, ``val``, ``test``), without signs that separate facts."""
    found = {tidy(name) for name in names(language, kind, part)}
    return tuple(sorted(name for name in found if not set(name) & set(";:")))


@cache
def day_name(language: str, days: int) -> str:
    """A day, so many after the first of 2016, in full."""
    from babel.dates import format_date

    return tidy(format_date(date(2016, 1, 1) + timedelta(days=days), "full", locale=language))


def draw_name(draw: Random, language: str, kind: str, part: str) -> str:
    """A random name of a kind that belongs to a part."""
    if kind == "day":
        return day_name(language, 10 * draw.randrange(365) + draw.choice(PARTS[part]))
    return draw.choice(tidy_names(language, kind, part))


def draw_record(draw: Random, language: str, part: str) -> Record:
    """A random record with names of a part."""
    countries = draw.sample(tidy_names(language, "country", part), draw.randint(1, 3))
    facts = [Fact("country", name) for name in countries]
    kinds = ["day", *(kind for kind in ("language", "currency") if draw.random() < 0.6)]
    facts += [Fact(kind, draw_name(draw, language, kind, part)) for kind in kinds]
    draw.shuffle(facts)
    question = SENTENCES[language][draw.randrange(len(KINDS))][1]
    return Record(language, tuple(facts), draw.randint(0, len(facts)), tidy(question))


def statement(language: str, fact: Fact) -> str:
    """The sentence that says a fact."""
    return tidy(SENTENCES[language][KINDS.index(fact.kind)][0].format(fact.name))


def document(record: Record) -> list[str]:
    """The sentences of the document."""
    found = [statement(record.language, fact) for fact in record.facts]
    return [*found[: record.place], record.question, *found[record.place :]]


def by_kind(record: Record) -> list[Fact]:
    """The facts in the order of a table: the countries, the language, the currency, the day."""
    return sorted(record.facts, key=lambda fact: KINDS.index(fact.kind))


def statements(record: Record) -> list[str]:
    """The sentences that say the facts in the table's order: what is to be generated from it."""
    return [statement(record.language, fact) for fact in by_kind(record)]


def headline(record: Record) -> str:
    """The countries, and the day behind them."""
    return "; ".join(fact.name for kind in MAIN for fact in record.facts if fact.kind == kind)


def table(record: Record) -> str:
    """The facts as a table in one line, behind a tag for the language."""
    return f"<{record.language}> " + "; ".join(f"{kind}: {name}" for kind, name in by_kind(record))


@cache
def carrier(language: str) -> re.Pattern[str]:
    """Finds the statements of a language; a name ends where the next statement or the text's end begins."""
    parts = [tidy(pair[0].replace("{}", "\u2400")).split("\u2400") for pair in SENTENCES[language]]
    starts = "|".join(re.escape(before.strip()) for before, _ in parts)
    found = [
        rf"{re.escape(before.strip())} (?P<{kind}>(?:(?!{starts}).)+?) ?{re.escape(after.strip())}"
        for kind, (before, after) in zip(KINDS, parts, strict=True)
    ]
    return re.compile(rf"(?:{'|'.join(found)})(?=$| ?(?:{starts}))")


def claims(text: str, language: str) -> list[Fact]:
    """The facts that generated sentences say. What stands between statements is a claim without a kind."""
    found: list[Fact] = []
    place = 0
    for match in carrier(language).finditer(text):
        if rest := text[place : match.start()].strip():
            found.append(Fact("", rest))
        found.append(Fact(str(match.lastgroup), match[str(match.lastgroup)]))
        place = match.end()
    return [*found, Fact("", rest)] if (rest := text[place:].strip()) else found


def headline_claims(text: str) -> list[Fact]:
    """The names that a headline has, without kinds."""
    return [Fact("", part.strip()) for part in text.split(";") if part.strip()]


def count(said: Sequence[Fact], wanted: Sequence[Fact], known: Sequence[Fact]) -> Count:
    """Compares claims with the facts to be said, and with all that the source has."""
    different = set(said)
    return Count(
        wanted=len(wanted),
        covered=len(different & set(wanted)),
        claims=len(said),
        invented=sum(claim not in known for claim in said),
        repeated=len(said) - len(different),
    )


def rates(counts: Sequence[Count]) -> dict[str, float]:
    """Over all outputs: which fraction of the facts they cover, and which fractions of their claims are invented or
    repeated.
    """
    total = Count(*(sum(column) for column in zip(*counts, strict=True)))
    claims = max(1, total.claims)
    return {
        "covered": total.covered / max(1, total.wanted),
        "invented": total.invented / claims,
        "repeated": total.repeated / claims,
    }
