"""The pages: suggestions, films, a film, the history. All of them work without JavaScript."""

from typing import Annotated

from fastapi import APIRouter, Form, HTTPException, Path, Query, Request
from sqlalchemy import select
from starlette.responses import Response

from scripts.serve.recommender import people
from scripts.serve.recommender.catalog import choices, film_of, find_films, narrowed
from scripts.serve.recommender.desk import COOKIE, Desk, back_to
from scripts.serve.recommender.suggest import POOL, in_rows, questions, similar_films, suggestions
from scripts.serve.recommender.tables import films, ratings

FIRST = 12  # suggestions of the first page
ASKED = 6  # films to rate on it
PAGE = 24  # films of a page of the list
LARGEST = 2**31 - 1
Id = Annotated[int, Path(ge=1, le=LARGEST)]
Words = Annotated[str, Query(max_length=200)]
MOST_SKIPPED = 300  # films that were asked about before: each one is a step of the design
Number = Annotated[int, Query(ge=0, le=MOST_SKIPPED)]
Decade = Annotated[int, Query(ge=0, le=3000)]


def router(desk: Desk) -> APIRouter:
    """The routes of the pages."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/")
    def home(
        request: Request,
        skip: Number = 0,
        genre: Words = "",
        decade: Annotated[str, Query(pattern=r"^\d{0,4}$")] = "",
    ) -> Response:
        run, years = desk.run, int(decade or 0)
        with desk.reading() as connection:
            person = desk.who(connection, request)
            rated = people.rated_by(connection, person)
            only = None
            if genre or years:
                only = list(connection.execute(narrowed(select(films.c.id), genre, years)).scalars())
            found = suggestions(run, rated, POOL, only) if rated else []
            first, rows = in_rows(found, FIRST)
            asked = questions(run, rated, ASKED, skip)
            names, decades = choices(connection)
            reasons = {card.film.id: card.film for card in desk.cards(connection, [film for film, _ in rows])}
            return desk.show(
                request,
                "home.html",
                person,
                asked=desk.cards(connection, asked),
                more=skip + ASKED if len(asked) == ASKED and skip + ASKED <= MOST_SKIPPED else 0,
                first=desk.suggested(connection, first),
                rows=[(reasons[film], desk.suggested(connection, row)) for film, row in rows if film in reasons],
                mine=desk.cards(connection, [row.film for row in reversed(rated[-8:])], rated),
                count=len(rated),
                here=here(request),
                genres=names,
                decades=decades,
                genre=genre,
                decade=years,
            )

    @routes.get("/films")
    def search(
        request: Request,
        q: Words = "",
        genre: Words = "",
        decade: Annotated[str, Query(pattern=r"^\d{0,4}$")] = "",
        page: Annotated[int, Query(ge=1, le=100_000)] = 1,
    ) -> Response:
        years = int(decade or 0)
        with desk.reading() as connection:
            person = desk.who(connection, request)
            found, total = find_films(connection, q, genre, years, (page - 1) * PAGE, PAGE)
            names, decades = choices(connection)
            shown = desk.cards(connection, [film.id for film in found], people.rated_by(connection, person))
            return desk.show(
                request, "films.html", person, shown=shown, total=total, q=q, number=page, last=-(-total // PAGE),
                here=here(request), genres=names, decades=decades, genre=genre, decade=years,
            )  # fmt: skip

    @routes.get("/films/{film}")
    def one(request: Request, film: Id) -> Response:
        run = desk.run
        with desk.reading() as connection:
            row = connection.execute(select(films).where(films.c.id == film)).first()
            if row is None:
                raise HTTPException(404, f"there is no film {film}")
            person = desk.who(connection, request)
            rated = people.rated_by(connection, person)
            own = next((entry.rating for entry in rated if entry.film == film), None)
            others = [entry for entry in rated if entry.film != film]
            found = suggestions(run, others, 1, [film]) if others else []
            near = desk.cards(connection, similar_films(run, film), rated)
            shown = desk.suggested(connection, found)
            return desk.show(
                request, "film.html", person, film=film_of(row), rating=own, near=near, here=here(request),
                predicted=shown[0].predicted if shown else None, reasons=shown[0].reasons if shown else (),
                known=film in run.places,
            )  # fmt: skip

    @routes.get("/history")
    def history(request: Request) -> Response:
        with desk.reading() as connection:
            person = desk.who(connection, request)
            rated = people.rated_by(connection, person)
            shown = desk.cards(connection, [row.film for row in reversed(rated)], rated)
            undoable = (
                person is not None
                and connection.execute(select(ratings.c.id).where(ratings.c.person == person.id).limit(1)).first()
            )
            return desk.show(request, "history.html", person, shown=shown, undoable=undoable, here=here(request))

    @routes.post("/rate")
    def rate(
        request: Request,
        film: Annotated[int, Form(ge=1, le=LARGEST)],
        rating: Annotated[float, Form(allow_inf_nan=False)],
        back: Annotated[str, Form(max_length=1000)] = "/",
    ) -> Response:
        desk.check_rating(rating)
        return changed(request, film, rating, back)

    @routes.post("/unrate")
    def unrate(
        request: Request,
        film: Annotated[int, Form(ge=1, le=LARGEST)],
        back: Annotated[str, Form(max_length=1000)] = "/",
    ) -> Response:
        return changed(request, film, None, back)

    @routes.post("/undo")
    def undo(request: Request, back: Annotated[str, Form(max_length=1000)] = "/") -> Response:
        with desk.reading() as connection:
            person = desk.who(connection, request)
        if person is not None:
            people.undo(desk.database, person.id)
        return back_to(back)

    def changed(request: Request, film: int, rating: float | None, back: str) -> Response:
        token = people.add_rating(desk.database, request.cookies.get(COOKIE), film, rating)
        response = back_to(back)
        if token:
            desk.signed(request, response, token)
        return response

    return routes


def here(request: Request) -> str:
    """The address of a page, to come back to."""
    query = request.url.query
    return request.url.path + (f"?{query}" if query else "")
