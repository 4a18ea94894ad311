"""Suggestions for a person from the database and the engine: which films, how good, and because of which ones."""

from typing import NamedTuple

import torch
from torch import Tensor

from scripts.serve.models import Loaded
from scripts.serve.recommender.catalog import Film, add_films, genres_of
from scripts.serve.recommender.engine import Engine, engine_of
from scripts.serve.recommender.people import Rated

POOL = 60  # best films, of which reasons are asked
ROWS = 2  # "because you liked" rows
IN_ROW = 6  # films of such a row
DECIDES = 0.25  # of what speaks for a film, at least, is a reason


class Suggestion(NamedTuple):
    """A film's id, its predicted rating (None where a model only ranks), and the rated films that speak for it."""

    film: int
    score: float
    rating: float | None
    reasons: tuple[int, ...]


class Prepared(NamedTuple):
    """A run with its films in the database: ``ids[k]`` is the id of the model's item k, ``places`` the way back."""

    engine: Engine
    ids: list[int]
    places: dict[int, int]
    stars: tuple[float, ...]


class Shown(NamedTuple):
    """A film as a card shows it."""

    film: Film
    rating: float | None = None
    predicted: float | None = None
    reasons: tuple[Film, ...] = ()


def prepare(database: object, loaded: Loaded, index: str = "exact") -> Prepared:
    """The engine of a run, and its films in the database.

    Raises:
        UserError: The database has another catalog.
    """
    engine = engine_of(loaded, index)
    ids = add_films(database, engine.names, engine.titles, genres_of(loaded.data))  # type: ignore[arg-type]
    return Prepared(engine, ids, {film: k for k, film in enumerate(ids)}, five_stars(*engine.scale))


def five_stars(low: float, high: float) -> tuple[float, ...]:
    """The ratings that five stars mean: 1 to 5 on the usual scales, else equal steps."""
    if 0 <= low <= 1 and high == 5:
        return 1.0, 2.0, 3.0, 4.0, 5.0
    return tuple(round(low + k * (high - low) / 4, 3) for k in range(5))


def as_tensors(run: Prepared, rated: list[Rated]) -> tuple[Tensor, Tensor]:
    """Items and ratings of the films that the model knows, the oldest first."""
    known = [(run.places[row.film], row.rating) for row in rated if row.film in run.places]
    device = run.engine.counts.device
    items = torch.tensor([item for item, _ in known], dtype=torch.long, device=device)
    return items, torch.tensor([rating for _, rating in known], device=device)


def suggestions(run: Prepared, rated: list[Rated], count: int = 12, only: list[int] | None = None) -> list[Suggestion]:
    """The best films that a person has not rated, the best first.

    Args:
        run: The model.
        rated: The person's ratings.
        count: How many.
        only: Ids of the films that may be suggested; None means all.
    """
    items, ratings = as_tensors(run, rated)
    allowed = None
    if only is not None:
        allowed = torch.zeros(len(run.ids), dtype=torch.bool, device=items.device)
        allowed[[run.places[film] for film in only if film in run.places]] = True
    places, scores = run.engine.best(items, ratings, count, allowed)
    reasons: list[tuple[int, ...]] = [()] * len(places)
    if len(items) and len(places):
        liked, parts = run.engine.parts(items, ratings, places)
        reasons = strongest(run, liked, parts) if len(liked) else reasons
    low, high = run.engine.scale
    return [
        Suggestion(
            run.ids[place], score, min(max(score, low), high) if run.engine.predicts_ratings else None, reasons[k]
        )
        for k, (place, score) in enumerate(zip(places.tolist(), scores.tolist(), strict=True))
    ]


def strongest(run: Prepared, liked: Tensor, parts: Tensor) -> list[tuple[int, ...]]:
    """The one or two rated films that add most to each score (K, m), and a good part of what speaks for it."""
    total = parts.clamp(min=0).sum(1, keepdim=True)
    most, places = parts.topk(min(2, parts.shape[1]), 1)
    counts = ((total > 0) & (most >= DECIDES * total)).sum(1)  # they come first
    films = liked[places]
    return [tuple(run.ids[film] for film in row[:k]) for row, k in zip(films.tolist(), counts.tolist(), strict=True)]


def in_rows(found: list[Suggestion], first: int) -> tuple[list[Suggestion], list[tuple[int, list[Suggestion]]]]:
    """The first suggestions, and of the others rows with one reason each: (film, its suggestions)."""
    rows: dict[int, list[Suggestion]] = {}
    for suggestion in found[first:]:
        if suggestion.reasons:
            rows.setdefault(suggestion.reasons[0], []).append(suggestion)
    long = [(film, row[:IN_ROW]) for film, row in rows.items() if len(row) >= 3]
    return found[:first], sorted(long, key=lambda pair: -len(pair[1]))[:ROWS]


def similar_films(run: Prepared, film: int, count: int = 12) -> list[int]:
    """Ids of the films that are most similar to one; none where the model does not know it."""
    place = run.places.get(film)
    if place is None:
        return []
    found = run.engine.similar(place)[: len(run.ids)].clone()
    found[place] = -torch.inf
    return [run.ids[k] for k in found.topk(min(count, len(found) - 1)).indices.tolist()]


def questions(run: Prepared, rated: list[Rated], count: int, skip: int = 0) -> list[int]:
    """Ids of the films to ask about, the most informative first."""
    items, _ = as_tensors(run, rated)
    return [run.ids[k] for k in run.engine.questions(items, skip + count)[skip:]]
