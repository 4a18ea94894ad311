"""Short statements in thirteen languages around names of Unicode's CLDR, which ships with Babel, and their questions.

A statement says what a country, a language, a currency is called, or which day it is. Eight of the languages are
African. Sentences name things (``is called {}``), so that no name must be inflected. Names are split by the thing that
is named: a country of the test is in training in no language.
"""

from functools import cache
from random import Random
from typing import NamedTuple

KINDS = ("country", "language", "currency", "day")
# fmt: off
#: By language: for each of ``KINDS`` a statement and its question.
SENTENCES: dict[str, tuple[tuple[str, str], ...]] = {
    "en": (("The country is called {}.", "What is the country called?"),
           ("The language is called {}.", "What is the language called?"),
           ("The currency is called {}.", "What is the currency called?"),
           ("The day is {}.", "Which day is it?")),
    "fr": (("Le pays s'appelle {}.", "Comment s'appelle le pays ?"),
           ("La langue s'appelle {}.", "Comment s'appelle la langue ?"),
           ("La monnaie s'appelle {}.", "Comment s'appelle la monnaie ?"),
           ("Le jour est {}.", "Quel est le jour ?")),
    "es": (("El país se llama {}.", "¿Cómo se llama el país?"),
           ("El idioma se llama {}.", "¿Cómo se llama el idioma?"),
           ("La moneda se llama {}.", "¿Cómo se llama la moneda?"),
           ("El día es {}.", "¿Qué día es?")),
    "pt": (("O país chama-se {}.", "Como se chama o país?"),
           ("A língua chama-se {}.", "Como se chama a língua?"),
           ("A moeda chama-se {}.", "Como se chama a moeda?"),
           ("O dia é {}.", "Que dia é?")),
    "de": (("Das Land heißt {}.", "Wie heißt das Land?"),
           ("Die Sprache heißt {}.", "Wie heißt die Sprache?"),
           ("Die Währung heißt {}.", "Wie heißt die Währung?"),
           ("Der Tag ist {}.", "Welcher Tag ist es?")),
    "af": (("Die naam van die land is {}.", "Wat is die naam van die land?"),
           ("Die naam van die taal is {}.", "Wat is die naam van die taal?"),
           ("Die naam van die geldeenheid is {}.", "Wat is die naam van die geldeenheid?"),
           ("Die dag is {}.", "Watter dag is dit?")),
    "sw": (("Nchi inaitwa {}.", "Nchi inaitwaje?"),
           ("Lugha inaitwa {}.", "Lugha inaitwaje?"),
           ("Sarafu inaitwa {}.", "Sarafu inaitwaje?"),
           ("Siku ni {}.", "Siku ni ipi?")),
    "ha": (("Sunan ƙasar shi ne {}.", "Mene ne sunan ƙasar?"),
           ("Sunan harshen shi ne {}.", "Mene ne sunan harshen?"),
           ("Sunan kuɗin shi ne {}.", "Mene ne sunan kuɗin?"),
           ("Ranar ita ce {}.", "Wace rana ce?")),
    "yo": (("Orúkọ orílẹ̀-èdè náà ni {}.", "Kí ni orúkọ orílẹ̀-èdè náà?"),
           ("Orúkọ èdè náà ni {}.", "Kí ni orúkọ èdè náà?"),
           ("Orúkọ owó náà ni {}.", "Kí ni orúkọ owó náà?"),
           ("Ọjọ́ náà ni {}.", "Ọjọ́ wo ni?")),
    "ig": (("Aha mba ahụ bụ {}.", "Gịnị bụ aha mba ahụ?"),
           ("Aha asụsụ ahụ bụ {}.", "Gịnị bụ aha asụsụ ahụ?"),
           ("Aha ego ahụ bụ {}.", "Gịnị bụ aha ego ahụ?"),
           ("Ụbọchị ahụ bụ {}.", "Kedu ụbọchị ọ bụ?")),
    "zu": (("Igama lezwe: {}.", "Lithini igama lezwe?"),
           ("Igama lolimi: {}.", "Lithini igama lolimi?"),
           ("Igama lemali: {}.", "Lithini igama lemali?"),
           ("Usuku: {}.", "Yiluphi usuku?")),
    "so": (("Magaca dalku waa {}.", "Waa maxay magaca dalku?"),
           ("Magaca luqaddu waa {}.", "Waa maxay magaca luqaddu?"),
           ("Magaca lacagtu waa {}.", "Waa maxay magaca lacagtu?"),
           ("Maalintu waa {}.", "Waa maalintee?")),
    "am": (("የሀገሩ ስም {} ነው።", "የሀገሩ ስም ምንድን ነው?"),
           ("የቋንቋው ስም {} ነው።", "የቋንቋው ስም ምንድን ነው?"),
           ("የገንዘቡ ስም {} ነው።", "የገንዘቡ ስም ምንድን ነው?"),
           ("ቀኑ {} ነው።", "ቀኑ መቼ ነው?")),
}
# fmt: on
PARTS = {"train": range(7), "val": range(7, 8), "test": range(8, 10)}  # of ten parts of the things


class Fact(NamedTuple):
    """A statement: its kind, its text, and the name in it with its place."""

    kind: str
    text: str
    name: str
    start: int


@cache
def names(language: str, kind: str, part: str) -> tuple[str, ...]:
    """The names of a kind in a language, of the things that belong to a part."""
    from babel import Locale
    from babel.dates import format_date

    if kind == "day":
        from datetime import date, timedelta

        days = [day for day in range(3650) if day % 10 in PARTS[part]]
        return tuple(plain(format_date(date(2016, 1, 1) + timedelta(days=d), "full", locale=language)) for d in days)
    english, locale = Locale.parse("en"), Locale.parse(language)
    tables = {"country": "territories", "language": "languages", "currency": "currencies"}
    keys = sorted(str(key) for key in getattr(english, tables[kind]) if str(key).isalpha())
    Random(0).shuffle(keys)
    known = getattr(locale, tables[kind])
    chosen = [known[key] for i, key in enumerate(keys) if i % 10 in PARTS[part] and key in known]
    return tuple(sorted({plain(name) for name in chosen if "(" not in name}))


def plain(text: str) -> str:
    """With plain spaces."""
    return " ".join(text.split())


def invented_name(draw: Random, language: str, part: str) -> str:
    """The first half of one name and the second half of another, of any kinds: nobody knows by heart what it names."""
    first, second = (draw.choice(names(language, draw.choice(KINDS), part)) for _ in range(2))
    return plain(first[: (len(first) + 1) // 2] + second[len(second) // 2 :])


def facts(draw: Random, language: str, part: str, least: int = 2, most: int = 4, invented: float = 0.0) -> list[Fact]:
    """Some statements of different kinds in a random order.

    Args:
        draw: Draws kinds and names.
        language: One of ``SENTENCES``.
        part: One of ``PARTS``.
        least, most: Statements.
        invented: Fraction of the names that are of no thing (``invented_name``).
    """
    chosen = draw.sample(range(len(KINDS)), draw.randint(least, most))
    found = []
    for k in chosen:
        carrier = SENTENCES[language][k][0]
        made = invented > 0 and draw.random() < invented
        name = invented_name(draw, language, part) if made else draw.choice(names(language, KINDS[k], part))
        found.append(Fact(KINDS[k], carrier.format(name), name, carrier.index("{")))
    return found
