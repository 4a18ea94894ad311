"""The recommender's website: rate films, see suggestions change at once, find films, see why.

    dive fit recommender/mf && dive serve recommender/mf              generated films
    dive serve recommender/mf_movielens                               MovieLens 100K
    dive serve recommender/mf --beside recommender/ease               two models side by side
    dive serve recommender/mf --export ratings.csv                    what people rated, to train on

A guest's ratings are folded in: nothing is trained for it. Any recommender of rankings or ratings can be served.
"""

import argparse
import os
from pathlib import Path
from typing import Any

from fastapi import APIRouter
from sqlalchemy import Connection

from common.messages import UserError, note
from scripts.front.arguments import new_file
from scripts.serve.models import Loaded, load_run
from scripts.serve.recommender import accounts, api, numbers, people, views
from scripts.serve.recommender.desk import Desk
from scripts.serve.recommender.engine import usable
from scripts.serve.recommender.index import KINDS
from scripts.serve.site import Site

TITLE, ACCEPTS = "Film shelf", "a recommender that has scores for new people, such as recommender/mf"
NAVIGATION = (("/", "For you"), ("/films", "Films"), ("/history", "Ratings"), ("/numbers", "Numbers"))
MAX_BODY = 16_384  # bytes: forms are short


def accepts(loaded: Loaded) -> bool:
    """Whether the page is for this run."""
    return usable(loaded)


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of this page."""
    parser.add_argument("--database", default="", metavar="URL", help="default: site.db in the --state folder")
    parser.add_argument("--beside", default="", metavar="RUN", help="a second run, to compare at /compare")
    parser.add_argument("--index", default="exact", choices=KINDS, help="faiss finds the best of many films sooner")
    parser.add_argument("--export", default="", metavar="FILE", help="write what people rated and end")


def desk_of(site: Site) -> Desk:
    """The database and the runs, opened once."""
    if not hasattr(site, "desk"):
        beside = None
        if site.options.beside:
            beside = load_run(site.options.beside)
            site.page.refuse(beside)
        site.desk = Desk(site, beside)  # type: ignore[attr-defined]
    return site.desk  # type: ignore[attr-defined,no-any-return]


def router(site: Site) -> APIRouter:
    """All routes of the page."""
    desk = desk_of(site)
    routes = APIRouter()
    for module in (api, views, accounts, numbers):  # routes are tried in this order
        routes.include_router(module.router(desk))
    return routes


def instead(site: Site) -> int | None:
    """With ``--export`` the file is written, and nothing served."""
    if not site.options.export:
        return None
    path = new_file(site.options.export, "--export")
    with desk_of(site).reading() as connection:
        count = exported(connection, Path(path))
    print(f"{count:,} ratings in {path}")
    if count:
        note(f"dive fit recommender/mf --data RatingsFile --data.path {path}")
    return 0


def exported(connection: Connection, path: Path) -> int:
    """Writes all ratings into a new file, whole or not at all; returns how many.

    Raises:
        UserError: It is there by now, or cannot be written.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        try:
            with open(part, "w", newline="", encoding="utf-8") as file:
                count = people.export(connection, file)
            os.link(part, path)  # unlike a rename, it replaces nothing
        finally:
            part.unlink(missing_ok=True)
    except FileExistsError:
        raise UserError(f"--export {path} is there already: give another name, or remove it first") from None
    except OSError as error:
        raise UserError(f"cannot write --export {path}: {error.strerror}; give a file in another folder") from None
    return count


def facts(site: Site) -> list[tuple[str, Any]]:
    """For the administrator."""
    with desk_of(site).reading() as connection:
        return list(people.counts(connection).items())


#: What the administrator may download besides.
ADMIN_LINKS = (("/admin/ratings.csv", "All ratings as CSV, to train on"),)


def close(site: Site) -> None:
    """Closes the database."""
    desk_of(site).database.dispose()
