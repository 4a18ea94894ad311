"""What is known of films besides ratings: a title to read, a year, genres; and films found by them.

Titles are as MovieLens writes them, "Godfather, The (1972)". Genres come from the data set: those of the generated
catalog, or of MovieLens' ``u.item`` where it lies; a person's own file has none.
"""

import re
import unicodedata
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine, func, insert, select

from common.messages import UserError
from scripts.serve.recommender.database import alone, writing
from scripts.serve.recommender.tables import films

YEAR = re.compile(r"\s*\((1[89]\d\d|20\d\d)\)\s*$")
ARTICLE = re.compile(r"^(.*), (The|A|An|Le|La|Les|Il|El|Das|Der|Die)$")
MOVIELENS_GENRES = (
    "unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama", "Fantasy",
    "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western",
)  # fmt: skip
#: Each genre of the generated catalog has colors of its own.
COLORED = ("Comedy", "Drama", "Thriller", "Adventure", "Romance", "Mystery", "Western", "Space", *MOVIELENS_GENRES)
BATCH = 5000  # rows of one INSERT
PALETTES, PATTERNS = 12, 6  # of drawn posters


class Film(NamedTuple):
    """A film as a page shows it."""

    id: int
    name: str
    year: int | None
    genres: tuple[str, ...]

    @property
    def palette(self) -> int:
        """Colors of its poster: those of its genre, or of its name."""
        known = [COLORED.index(genre) for genre in self.genres if genre in COLORED]
        return (known[0] if known else stable(self.name)) % PALETTES

    @property
    def pattern(self) -> int:
        """Shapes of its poster."""
        return stable(self.name + str(self.year)) % PATTERNS

    @property
    def facts(self) -> str:
        """Year and genres in a line."""
        return " · ".join([*([str(self.year)] if self.year else []), *self.genres[:2]])


def stable(text: str) -> int:
    """A number of a text, the same in every process."""
    return sum(ord(letter) * (k + 7) * 31 for k, letter in enumerate(text)) % 100_003


def readable(title: str) -> tuple[str, int | None]:
    """A title without its year and with its article in front, and the year."""
    found = YEAR.search(title)
    name = title[: found.start()] if found else title
    moved = ARTICLE.match(name)
    return (f"{moved[2]} {moved[1]}" if moved else name) or title, int(found[1]) if found else None


def folded(text: str) -> str:
    """A text without case and accents, as it is searched."""
    letters = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in letters if not unicodedata.combining(letter) and letter.isprintable())


def film_of(row: Any) -> Film:
    """A row of the table as a film."""
    name, year = readable(row.title)
    return Film(row.id, name, year, tuple(filter(None, row.genres.split("|"))))


def genres_of(data: Any) -> dict[str, tuple[str, ...]]:
    """The genres of items by their names; nothing where they are unknown."""
    kind = type(data).__name__
    if kind == "PlantedFilms":
        from datamodules.ratings.planted_films import GENRES

        return {str(k + 1): (GENRES[genre].capitalize(),) for k, genre in enumerate(data.genres.tolist())}
    if kind == "MovieLens100K":
        from datamodules.downloads import data_root

        file = Path(data_root()) / "ml-100k" / "u.item"
        rows = [line.split("|") for line in file.read_text(encoding="latin-1").splitlines()] if file.is_file() else []
        return {
            row[0]: tuple(name for name, flag in zip(MOVIELENS_GENRES[1:], row[6:], strict=False) if flag == "1")
            for row in rows
        }
    return {}


def add_films(engine: Engine, names: list[str], titles: list[str], genres: dict[str, tuple[str, ...]]) -> list[int]:
    """Makes sure that the database has these films; returns their ids.

    Raises:
        UserError: It has other films of the same names, or none of these: ratings of one catalog would be read as
            those of another, or both catalogs shown as one.
    """
    with writing(engine).begin() as connection:
        alone(connection)
        known = {row.item: row for row in connection.execute(select(films.c.id, films.c.item, films.c.title))}
        if known and not any(name in known for name in names):
            raise UserError(
                f"the database has {len(known):,} films and none of this run's {len(names):,}: it is of another "
                "catalog; give another --state DIR"
            )
        for name, title in zip(names, titles, strict=True):
            if name in known and known[name].title != title:
                raise UserError(
                    f"the database has {known[name].title[:60]!r} where this run has {title[:60]!r}: it is of another "
                    "catalog; give another --state DIR"
                )
        new = [(name, title) for name, title in zip(names, titles, strict=True) if name not in known]
        for start in range(0, len(new), BATCH):
            connection.execute(insert(films), [row_of(*pair, genres) for pair in new[start : start + BATCH]])
        ids = {row.item: row.id for row in connection.execute(select(films.c.id, films.c.item))} if new else {}
    return [ids[name] if name in ids else known[name].id for name in names]


def row_of(item: str, title: str, genres: dict[str, tuple[str, ...]]) -> dict[str, Any]:
    """The columns of a film."""
    name, year = readable(title)
    joined = "|".join(("", *genres.get(item, ()), ""))
    return {"item": item, "title": title, "search": folded(name), "year": year, "genres": joined.strip("|") and joined}


def narrowed(query: Any, genre: str, decade: int) -> Any:
    """A query of films of a genre and a decade only; empty and 0 mean any."""
    if genre:
        query = query.where(films.c.genres.contains(f"|{genre}|".replace("\0", ""), autoescape=True))
    return query.where(films.c.year >= decade, films.c.year < decade + 10) if decade else query


def find_films(
    connection: Connection, words: str = "", genre: str = "", decade: int = 0, start: int = 0, count: int = 24
) -> tuple[list[Film], int]:
    """Films whose title has all words, of a genre and a decade, by title; and how many there are in all."""
    query = select(films)
    for word in folded(words).split()[:8]:
        query = query.where(films.c.search.contains(word, autoescape=True))
    query = narrowed(query, genre, decade)
    total = connection.execute(select(func.count()).select_from(query.subquery())).scalar_one()
    begins = films.c.search.startswith(folded(words), autoescape=True)
    rows = connection.execute(query.order_by(begins.desc(), films.c.search, films.c.id).offset(start).limit(count))
    return [film_of(row) for row in rows], total


class FilmCache:
    """Films by their ids. Rows of their table are added and never changed, so what was read once is kept.

    Args:
        size: Most films that are kept.
    """

    def __init__(self, size: int = 50_000) -> None:
        self.size = size
        self.kept: dict[int, Film] = {}

    def __call__(self, connection: Connection, ids: list[int]) -> dict[int, Film]:
        """The films with these ids; those that the database does not have are left out."""
        kept = self.kept  # of this moment: another thread may begin a new one
        found = {film: kept[film] for film in ids if film in kept}
        missing = [film for film in ids if film not in found]
        for start in range(0, len(missing), 500):
            rows = connection.execute(select(films).where(films.c.id.in_(missing[start : start + 500])))
            read = {row.id: film_of(row) for row in rows}
            found |= read
            if len(kept) + len(read) > self.size:
                kept = self.kept = {}
            kept |= read
        return found


def choices(connection: Connection) -> tuple[list[str], list[int]]:
    """All genres and decades that there are."""
    joined = connection.execute(select(films.c.genres).distinct()).scalars()
    genres = sorted({genre for text in joined for genre in text.split("|") if genre})
    years = connection.execute(select(films.c.year).where(films.c.year.is_not(None)).distinct()).scalars()
    return genres, sorted({year // 10 * 10 for year in years if year})
