"""What the views of the page share: the database, the run that is served, who asks, cards of films."""

from collections.abc import Iterable
from typing import Any

from fastapi import HTTPException, Request
from sqlalchemy import Connection
from starlette.responses import RedirectResponse, Response

from scripts.serve.csrf import set_cookie
from scripts.serve.models import Loaded
from scripts.serve.recommender.catalog import Film, FilmCache
from scripts.serve.recommender.database import open_database
from scripts.serve.recommender.people import SESSION_DAYS, Person, Rated, person_of
from scripts.serve.recommender.suggest import Prepared, Shown, Suggestion, prepare
from scripts.serve.site import Site

COOKIE = "session"


class Desk:
    """The page at work.

    Args:
        site: The site.
        beside: A second run, or None.
    """

    def __init__(self, site: Site, beside: Loaded | None = None) -> None:
        self.site = site
        self.database = open_database(site.options.database or f"sqlite:///{site.state / 'site.db'}")
        self.reading = self.database.connect
        self.films = FilmCache()
        index = site.options.index
        site.models.prepare_with(lambda loaded: prepare(self.database, loaded, index))
        self.beside = beside
        self.second: Prepared | None = prepare(self.database, beside) if beside else None

    @property
    def run(self) -> Prepared:
        """The run that is served now."""
        prepared: Prepared = self.site.models.current.prepared
        return prepared

    def who(self, connection: Connection, request: Request) -> Person | None:
        """Who asks; None for somebody without a rating."""
        return person_of(connection, request.cookies.get(COOKIE))

    def show(
        self, request: Request, template: str, person: Person | None, status: int = 200, **context: Any
    ) -> Response:
        """A page with what all of them need."""
        return self.site.render(request, template, status, person=person, stars=self.run.stars, **context)

    def signed(self, request: Request, response: Response, token: str) -> None:
        """Gives the browser a session."""
        set_cookie(request, response, COOKIE, token, SESSION_DAYS * 86_400)

    def check_rating(self, rating: float) -> None:
        """Refuses a rating outside of the scale (422)."""
        low, high = self.run.engine.scale
        if not min(low, self.run.stars[0]) <= rating <= high:
            raise HTTPException(422, f"ratings are from {low:g} to {high:g}, not {rating:g}")

    def cards(self, connection: Connection, ids: Iterable[int], rated: list[Rated] | None = None) -> list[Shown]:
        """Films in the order of their ids, with a person's ratings."""
        ids = list(ids)
        found, own = self.films(connection, ids), {row.film: row.rating for row in rated or []}
        return [Shown(found[film], own.get(film)) for film in ids if film in found]

    def suggested(self, connection: Connection, found: list[Suggestion]) -> list[Shown]:
        """Suggestions as cards, with what is predicted and why."""
        films = self.films(connection, list({f for s in found for f in (s.film, *s.reasons)}))

        def reasons(suggestion: Suggestion) -> tuple[Film, ...]:
            return tuple(films[film] for film in suggestion.reasons if film in films)

        return [Shown(films[s.film], None, s.rating, reasons(s)) for s in found if s.film in films]


def back_to(path: str) -> RedirectResponse:
    """Back to one of our own pages (303); anything else leads to the first one."""
    ours = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable() and len(path) < 1000
    return RedirectResponse(path if ours else "/", 303)
