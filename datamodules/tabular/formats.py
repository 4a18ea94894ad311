"""How numbers, dates and missing values are written in a table: ``1.234,50 €``, ``(5%)``, ``27.03.2021``, ``n/a``.

A column has one format. Which one is found from all its cells; where they can be read in two ways (``1,234``,
``03/04/2021``) the rest of the file decides, and the person can.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from datetime import datetime

import numpy as np
import pandas as pd

_WORDS = """
? - -- . na n/a n.a. n.a <na> #n/a #na nan -nan nat none null nil (null) (blank) \\n n/d nd k.a. missing unknown
#div/0! #value! #ref! #name? #num! #null! 1.#ind -1.#ind 1.#qnan -1.#qnan
"""
#: What stands for a missing value among numbers and dates. Among texts these are categories, in a target classes.
MISSING_WORDS = frozenset(_WORDS.split()) | {"not available", "no data", "keine angabe", "no answer"}
_MONEY = r"(?:[A-Z]{0,3}[$€£¥₹₩₽₺₫₪₦฿]|USD|EUR|GBP|CHF|JPY|INR|CNY|Rs\.?|kr\.?)"
_UNIT = r"(?:[%‰°$€£¥₹₩₽₺₫₪₦฿]|[A-Za-zÀ-ÿµ°²³/]{1,9}[.²³]?)"
_BODY = {
    ".": r"(?:[1-9]\d{0,2}(?:[,'\u2019\s]\d{3})+|[1-9]\d?(?:,\d{2})*,\d{3}|\d+)(?:\.\d*)?|\.\d+",
    ",": r"(?:[1-9]\d{0,2}(?:[.'\u2019\s]\d{3})+|\d+)(?:,\d*)?|,\d+",
}
_NUMBER = {
    decimal: re.compile(
        rf"(?P<open>\(?)\s*(?P<sign>[+\-\u2212]?)\s*(?P<money>{_MONEY}?)\s*(?P<sign2>[+\-\u2212]?)\s*"
        rf"(?P<body>{body})(?P<power>[eE][+-]?\d+)?\s*(?P<unit>{_UNIT}?)(?P<close>\)?)(?P<sign3>[-\u2212]?)"
    )
    for decimal, body in _BODY.items()
}
ISO = "ISO8601"
_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}.*)?")
_DAYS = """
%Y/%m/%d|%Y.%m.%d|%Y-%m|%d.%m.%Y|%d.%m.%y|%m/%d/%Y|%d/%m/%Y|%m/%d/%y|%d/%m/%y|%m-%d-%Y|%d-%m-%Y|%d-%b-%Y|%d-%b-%y|
%d/%b/%Y|%d %b %Y|%d %B %Y|%b %d, %Y|%B %d, %Y|%b %d %Y|%b %Y|%B %Y|%d. %B %Y
"""
_DATES = _DAYS.replace("\n", "").split("|")
_TIMES = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p", "T%H:%M", "T%H:%M:%S")
_NAMES = {"%Y": "year", "%y": "year", "%m": "month", "%b": "month", "%B": "month", "%d": "day"}


def has_texts(values: pd.Series) -> bool:
    """Whether a column holds texts, not numbers."""
    return not pd.api.types.is_numeric_dtype(values.dtype)


def different(values: pd.Series) -> tuple[np.ndarray, list[str]]:
    """The place of each cell in the list of the different texts, -1 where it is missing; and that list.

    pandas makes a table for as many texts as there are rows, 35 bytes a row, where it is not told that they are fewer.
    """
    codes, uniques = pd.factorize(values, size_hint=min(len(values), 10_000))
    return codes, list(uniques)


def is_missing_word(text: str) -> bool:
    return text.strip().casefold() in MISSING_WORDS


def parse(text: str, decimal: str) -> tuple[float, str] | None:
    """The number that a text says, and its unit (``€``, ``%``, ``kg``); None if it says none.

    Args:
        text: Such as ``(1,234.50)``, ``$ 5``, ``12 kg``.
        decimal: The decimal sign, a point or a comma; the other one groups thousands, as a blank and an apostrophe do.
    """
    text = text.strip()
    if text.startswith('="') and text.endswith('"'):  # how Excel is kept from changing a cell
        text = text[2:-1].strip()
    found = _NUMBER[decimal].fullmatch(text if text.isascii() else plain_signs(text, decimal))
    if found is None or bool(found["open"]) != bool(found["close"]) or (found["money"] and found["unit"]):
        return None
    body = re.sub(r"[\s'\u2019]|" + re.escape({".": ",", ",": "."}[decimal]), "", found["body"]).replace(",", ".")
    signs = [found["sign"], found["sign2"], found["sign3"]]
    if sum(map(bool, signs)) > 1:
        return None
    negative = bool(found["open"]) or any(sign in ("-", "\u2212") for sign in signs if sign)
    return (-1 if negative else 1) * float(body + (found["power"] or "")), found["money"] or found["unit"]


def plain_numbers(texts: Sequence[str]) -> np.ndarray:
    """The numbers of texts such as ``-2.5e3``, NaN where it is another text."""
    return pd.to_numeric(pd.Series(texts, dtype=object), errors="coerce").to_numpy(dtype=np.float64)


def plain_signs(text: str, decimal: str) -> str:
    """Digits of any script as 0 to 9; Arabic decimal signs as ``decimal``; other signs as those of ASCII."""
    signs = {
        "\u066b": decimal,
        "\u066c": "'",
        "\u066a": "%",
        "\uff0e": ".",
        "\uff0c": ",",
        "\uff05": "%",
        "\uff0d": "-",
    }
    digits = (str(unicodedata.decimal(sign)) if sign.isdecimal() else signs.get(sign, sign) for sign in text)
    return "".join(digits)


def numbers_in(texts: Sequence[str], decimal: str = ".", unit: str | None = None) -> np.ndarray:
    """The numbers of different texts (N,), NaN where one says none, or has another unit.

    Args:
        texts: Without missing values.
        decimal: The decimal sign.
        unit: The unit that a number may have; None for any, if it is the same in all.
    """
    if decimal == ".":
        plain = plain_numbers(texts)
        if not np.isnan(plain).any():
            return plain
    else:
        plain = np.full(len(texts), np.nan)
    found = [
        parse(text, decimal) if np.isnan(number) else (number, "") for text, number in zip(texts, plain, strict=True)
    ]
    units = Counter(each[1].casefold() for each in found if each and each[1])
    if unit is None:
        common = [name for name, count in units.items() if 2 * count >= len(texts) or not name.isalpha()]
        allowed = set(common) if len(units) == 1 else set()  # "3O" among numbers is a typing error, not a unit
    else:
        allowed = {unit.casefold()} if unit else set()
    return np.array([each[0] if each and (not each[1] or each[1].casefold() in allowed) else np.nan for each in found])


def unit_of(texts: Sequence[str], decimal: str) -> str:
    """The unit that numbers are written with; empty for none."""
    return next((found[1] for text in texts if (found := parse(text, decimal)) and found[1]), "")


def decimals_of(texts: Sequence[str]) -> str:
    """The decimal signs with which all texts are numbers: ``""``, ``"."``, ``","`` or both, ``".,"``."""
    return "".join(sign for sign in ".," if len(texts) and not np.isnan(numbers_in(texts, sign)).any())


def shows_decimal(texts: Sequence[str]) -> str:
    """The decimal sign that numbers show beyond doubt: ``12,5`` a comma, ``1,234`` none; empty where none does."""
    for text in texts:
        signs = [sign for sign in ".," if parse(text, sign) is not None]
        if len(signs) == 1 and any(sign in text for sign in ".,"):
            return signs[0]
    return ""


def date_format(texts: Sequence[str], day_first: bool = False) -> str:
    """The format in which all texts are dates, for ``pandas.to_datetime``; empty where there is none.

    Args:
        texts: Different ones, without missing values.
        day_first: Whether ``03/04/2021`` is in April, where nothing else says it.
    """
    if not len(texts):
        return ""
    if all(map(_ISO_DATE.fullmatch, texts)):
        return "" if np.isnan(to_days(pd.Series(texts, dtype=object), ISO)).any() else ISO
    fitting = [
        day + time
        for day in _DATES
        for time in _TIMES
        if _is_date(texts[0], day + time) and _is_date(texts[-1], day + time)
    ]
    fitting = [style for style in fitting if not np.isnan(to_days(pd.Series(texts, dtype=object), style)).any()]
    first = [style for style in fitting if style.startswith("%d") == day_first]
    return (first or fitting or [""])[0]


def is_ambiguous(texts: Sequence[str]) -> bool:
    """Whether dates can be read with the day first and with the month first."""
    return date_format(texts, True) != date_format(texts, False)


def _is_date(text: str, style: str) -> bool:
    try:
        datetime.strptime(text, style)
        return True
    except ValueError:
        return False


def to_days(values: pd.Series, style: str = ISO, origin: int = 0) -> np.ndarray:
    """Dates and times as days since 1970, NaN where missing. A time without a zone is taken as UTC.

    Args:
        values: Texts.
        style: A format of ``date_format``.
        origin: Nanoseconds since 1970 that are subtracted first: times that differ by nanoseconds are then not rounded.
    """
    codes, texts = different(values)
    times = pd.to_datetime(pd.Series(texts, dtype=object), format=style, errors="coerce", utc=True)
    if origin:
        since = times.astype("datetime64[ns, UTC]") - pd.Timestamp(origin, tz="UTC")
        days = since.astype("int64").to_numpy() / 86_400e9
    else:  # nanoseconds end in the year 2262, and 9999-12-31 often stands for no end
        days = times.astype("datetime64[us, UTC]").astype("int64").to_numpy() / 86_400e6
    days[times.isna().to_numpy()] = np.nan
    return np.append(days, np.nan)[codes]


def describe_date(style: str) -> str:
    """``day.month.year`` of ``%d.%m.%Y``."""
    if style == ISO:
        return "year-month-day"
    return re.sub(r"%[YymbBd]", lambda sign: _NAMES[sign[0]], re.sub(r"[ T]%[HI].*", "", style))
