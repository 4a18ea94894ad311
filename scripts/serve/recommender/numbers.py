"""How good the model is, by its own run; two models side by side; and all ratings for the administrator."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Depends, HTTPException, Request
from starlette.responses import FileResponse, Response

from scripts.serve.admin import admin_check
from scripts.serve.recommender import people
from scripts.serve.recommender.desk import Desk
from scripts.serve.recommender.suggest import suggestions

BESIDE = 8  # suggestions of each model
SAYS = {
    "test/rmse": "error of a predicted rating, in stars (root mean square)",
    "test/mae": "error of a predicted rating, in stars (mean)",
    "val/loss": "what the best epoch is chosen by",
    "val/rmse": "error of a predicted rating on the ratings that choose the best epoch",
    "test/ndcg@10": "how far in front the next film is among the first ten (NDCG)",
    "test/hit@10": "how often the next film is among the first ten",
    "test/coverage@10": "fraction of all films that anybody gets",
    "val/ndcg@10": "how far in front the next film is among the first ten, in validation",
    "val/hit@10": "how often the next film is among the first ten, in validation",
}


def record(run: Path) -> dict[str, Any]:
    """What the run says of itself; empty where it says nothing."""
    try:
        found: dict[str, Any] = json.loads((run / "run.json").read_text(encoding="utf-8"))
        return found if isinstance(found, dict) else {}
    except (OSError, ValueError):
        return {}


def measured(run: Path) -> Iterator[tuple[str, float, str]]:
    """Name, value and meaning of what was measured, the test first."""
    metrics = record(run).get("metrics") or {}
    for name in sorted(metrics, key=lambda name: (not name.startswith("test/"), name)):
        if name.startswith(("test/", "val/")) and isinstance(metrics[name], int | float):
            yield name, float(metrics[name]), SAYS.get(name, "")


def router(desk: Desk) -> APIRouter:
    """The routes of the numbers."""
    routes = APIRouter(include_in_schema=False)
    models = desk.site.models

    @routes.get("/numbers")
    def numbers(request: Request) -> Response:
        current = models.current
        said = record(current.run)
        facts = [
            ("recipe", current.recipe),
            ("run", current.run.name),
            ("films", f"{len(desk.run.ids):,}"),
            ("people in training", f"{current.model.num_users:,}"),
            ("ratings in training", f"{len(current.model.positives):,}"),
            *((name, said[name]) for name in ("epochs", "parameters", "seconds") if name in said),
        ]
        with desk.reading() as connection:
            return desk.show(
                request, "numbers.html", desk.who(connection, request), facts=facts, rows=list(measured(current.run)),
                pictures=sorted(path.stem for path in current.run.glob("*.png")), beside=desk.beside is not None,
            )  # fmt: skip

    @routes.get("/numbers/{picture}.png")
    def picture(picture: str) -> Response:
        known = {path.stem: path for path in models.current.run.glob("*.png")}
        if picture not in known:
            raise HTTPException(404, "this run has no such picture")
        return FileResponse(known[picture])

    @routes.get("/compare")
    def compare(request: Request) -> Response:
        if desk.second is None or desk.beside is None:
            raise HTTPException(404, "there is one model only: start the site with --beside RUN to compare two")
        second, runs = desk.second, (models.current, desk.beside)
        with desk.reading() as connection:
            person = desk.who(connection, request)
            rated = people.rated_by(connection, person)
            both = [suggestions(run, rated, BESIDE) for run in (desk.run, second)]
            shared = {one.film for one in both[0]} & {one.film for one in both[1]}
            columns = [
                (loaded.recipe, loaded.run.name, desk.suggested(connection, found), list(measured(loaded.run))[:3])
                for loaded, found in zip(runs, both, strict=True)
            ]
            return desk.show(
                request, "compare.html", person, columns=columns, shared=shared, count=len(rated), here="/compare"
            )

    @routes.get("/admin/ratings.csv", dependencies=[Depends(admin_check(desk.site))])
    def everything() -> Response:
        file = io.StringIO(newline="")
        with desk.reading() as connection:
            people.export(connection, file)
        headers = {"content-disposition": 'attachment; filename="ratings.csv"'}
        return Response(file.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)

    return routes
