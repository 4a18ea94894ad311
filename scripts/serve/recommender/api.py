"""The same as JSON, under ``/api``; ``/openapi.json`` describes it."""

from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Path, Query, Request, Response
from pydantic import BaseModel, Field

from scripts.serve.recommender import people
from scripts.serve.recommender.catalog import find_films
from scripts.serve.recommender.desk import COOKIE, Desk
from scripts.serve.recommender.suggest import Shown, questions, similar_films, suggestions

LARGEST = 2**31 - 1
Id = Annotated[int, Path(ge=1, le=LARGEST)]
Count = Annotated[int, Query(ge=1, le=100)]


class Rating(BaseModel):
    """A person's rating of a film."""

    film: int = Field(ge=1, le=LARGEST)
    rating: float = Field(allow_inf_nan=False)


class FilmOut(BaseModel):
    """A film, with a person's rating, or what the model predicts and why."""

    id: int
    title: str
    year: int | None
    genres: list[str]
    rating: float | None
    predicted: float | None
    because: list[int]


class Found(BaseModel):
    """Films in an order."""

    films: list[FilmOut]
    total: int


def out(shown: list[Shown], total: int | None = None) -> Response:
    """Cards as JSON. It is written here, so that FastAPI does not check in a thread of its own what we just made."""
    rows = [
        FilmOut(
            id=card.film.id, title=card.film.name, year=card.film.year, genres=list(card.film.genres),
            rating=card.rating, predicted=card.predicted, because=[film.id for film in card.reasons],
        )
        for card in shown
    ]  # fmt: skip
    found = Found(films=rows, total=len(rows) if total is None else total)
    return Response(found.model_dump_json(), media_type="application/json")


def router(desk: Desk) -> APIRouter:
    """The routes of the API. Errors are ``{"error": {"status", "message"}}``."""
    errors: dict[int | str, dict[str, Any]] = {
        404: {"description": "no such film"},
        422: {"description": "not valid"},
        429: {"description": "too many requests at once"},
    }
    routes = APIRouter(prefix="/api", responses=errors)

    @routes.get("/films", response_model=Found)
    def search(
        request: Request,
        q: Annotated[str, Query(max_length=200)] = "",
        genre: Annotated[str, Query(max_length=40)] = "",
        decade: Annotated[int, Query(ge=0, le=3000)] = 0,
        start: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
        count: Count = 24,
    ) -> Response:
        """Films by the words of their title."""
        with desk.reading() as connection:
            found, total = find_films(connection, q, genre, decade, start, count)
            rated = people.rated_by(connection, desk.who(connection, request))
            return out(desk.cards(connection, [film.id for film in found], rated), total)

    @routes.get("/films/{film}/similar", response_model=Found)
    def similar(film: Id, count: Count = 12) -> Response:
        """Films that are similar to one."""
        with desk.reading() as connection:
            if not desk.cards(connection, [film]):
                raise HTTPException(404, f"there is no film {film}")
            return out(desk.cards(connection, similar_films(desk.run, film, count)))

    @routes.get("/suggestions", response_model=Found)
    def suggest(request: Request, count: Count = 12) -> Response:
        """What to see next, by the ratings of whoever asks."""
        with desk.reading() as connection:
            rated = people.rated_by(connection, desk.who(connection, request))
            return out(desk.suggested(connection, suggestions(desk.run, rated, count)))

    @routes.get("/questions", response_model=Found)
    def ask(request: Request, count: Annotated[int, Query(ge=1, le=24)] = 6) -> Response:
        """Films whose ratings would say most about a taste."""
        with desk.reading() as connection:
            rated = people.rated_by(connection, desk.who(connection, request))
            return out(desk.cards(connection, questions(desk.run, rated, count)))

    @routes.get("/ratings", response_model=Found)
    def mine(request: Request) -> Response:
        """The ratings of whoever asks, the newest first."""
        with desk.reading() as connection:
            rated = people.rated_by(connection, desk.who(connection, request))
            return out(desk.cards(connection, [row.film for row in reversed(rated)], rated))

    @routes.post("/ratings", status_code=201)
    def rate(request: Request, response: Response, body: Rating) -> Rating:
        """Rates a film; whoever has no session becomes a guest with one."""
        desk.check_rating(body.rating)
        change(request, response, body.film, body.rating)
        return body

    @routes.delete("/ratings/last", status_code=204)
    def undo(request: Request) -> None:
        """Undoes the last rating, or the last time that one was taken back."""
        with desk.reading() as connection:
            person = desk.who(connection, request)
        if person is not None:
            people.undo(desk.database, person.id)

    @routes.delete("/ratings/{film}", status_code=204)
    def unrate(request: Request, response: Response, film: Id) -> None:
        """Takes a rating back."""
        change(request, response, film, None)

    def change(request: Request, response: Response, film: int, rating: float | None) -> None:
        token = people.add_rating(desk.database, request.cookies.get(COOKIE), film, rating)
        if token:
            desk.signed(request, response, token)

    return routes
