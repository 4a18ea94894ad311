"""The database: migrations, other catalogues, newer schemas, kills, two processes; and the circle to training."""

import csv
import os
import signal
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from fastapi.testclient import TestClient
from sqlalchemy import select

from common.messages import UserError
from datamodules.ratings.ratings_file import RatingsFile
from scripts.serve.recommender import page
from scripts.serve.recommender.catalogue import add_films, film_of, folded, readable
from scripts.serve.recommender.database import open_database, shown
from scripts.serve.recommender.people import counts, export
from scripts.serve.recommender.tables import METADATA, films, ratings
from tests import warm
from tests.scripts.serve.recommender.planted import ITEMS, SCRIPT, planted_app, planted_site
from tests.scripts.serve.recommender.writer import rate_without_end


def url(folder: Path) -> str:
    return f"sqlite:///{folder / 'site.db'}"


def test_the_migrations_make_the_tables(tmp_path: Path) -> None:
    engine = open_database(url(tmp_path))
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
    assert open_database(url(tmp_path)).dialect.name == "sqlite"  # a second time changes nothing


def test_a_newer_schema_and_what_is_no_database_are_one_line(tmp_path: Path) -> None:
    open_database(url(tmp_path)).dispose()
    with sqlite3.connect(tmp_path / "site.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(UserError, match="has the schema 9999, this program knows up to"):
        open_database(url(tmp_path))
    (tmp_path / "text.db").write_text("no database, but a text that is long enough for a header" * 20)
    with pytest.raises(UserError, match="not a database"):
        open_database(f"sqlite:///{tmp_path / 'text.db'}")
    with pytest.raises(UserError, match="unable to open database file"):
        open_database(f"sqlite:///{tmp_path / 'no' / 'folder.db'}")
    for wrong in ("nothing://x", "just words"):
        with pytest.raises(UserError, match="give one as sqlite"):
            open_database(wrong)
    assert shown("postgresql://me:secret@host/db") == "postgresql://me:***@host/db"


def test_films_of_another_catalogue_are_refused(tmp_path: Path) -> None:
    engine = open_database(url(tmp_path))
    assert add_films(engine, ["1", "2"], ["A (1999)", "B"], {"1": ("Drama",)}) == [1, 2]
    assert add_films(engine, ["2", "3"], ["B", "C"], {}) == [2, 3]  # a newer run has others besides
    with pytest.raises(UserError, match="has 'B' where this run has 'Casablanca'"):
        add_films(engine, ["2"], ["Casablanca"], {})
    with pytest.raises(UserError, match="has 3 films and none of this run's 2: it is of another"):
        add_films(engine, ["x", "y"], ["D", "E"], {})
    with engine.connect() as connection:
        film = film_of(connection.execute(select(films).where(films.c.id == 1)).first())
    assert (film.name, film.year, film.genres, film.facts) == ("A", 1999, ("Drama",), "1999 · Drama")


def test_titles_are_read() -> None:
    assert readable("Godfather, The (1972)") == ("The Godfather", 1972)
    assert readable("(1999)") == ("(1999)", 1999) and readable("2001") == ("2001", None)
    assert folded("Amélie ÉTÉ\x00") == "amelie ete"


def planted_ratings(folder: Path, people: int = 6) -> Any:
    """A site with ratings of some guests, one of whom changed and took back."""
    app = planted_app(folder)
    with TestClient(app) as client:
        for person in range(people):
            client.cookies.clear()
            for film in range(1, 9):
                rating = {"film": film + person, "rating": 1 + (film + person) % 5}
                assert client.post("/api/ratings", json=rating).status_code == 201
        client.post("/api/ratings", json={"film": people, "rating": 2})
        client.delete(f"/api/ratings/{people + 1}")
    return app.state.site


def test_what_people_rated_is_trained_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The circle: rated here, exported, read by the datamodule of own ratings, with the titles."""
    planted_ratings(tmp_path)
    file = tmp_path / "ratings.csv"
    assert page.instead(planted_site(tmp_path, "--export", str(file))) == 0
    assert "47 ratings in" in capsys.readouterr().out
    rows = list(csv.DictReader(file.open()))
    assert (rows[0]["user"], rows[0]["item"], rows[0]["rating"], rows[0]["title"]) == ("person-1", "1", "2", SCRIPT)
    data = RatingsFile(path=str(file), feedback="explicit", split="random", batch_size=8)
    data.setup("fit")
    assert data.num_users == 6 and (data.min_rating, data.max_rating) == (1, 5) and SCRIPT in data.titles
    last = [row for row in rows if row["user"] == "person-6"]
    assert len(last) == 7 and {row["rating"] for row in last if row["item"] == "6"} == {"2"}
    with pytest.raises(UserError, match="exists: give the name of a new file"):
        page.instead(planted_site(tmp_path, "--export", str(file)))
    assert page.instead(planted_site(tmp_path)) is None


@pytest.mark.slow
def test_a_recipe_trains_on_the_export_and_the_site_takes_the_new_run(tmp_path: Path) -> None:
    from scripts.cli import main
    from scripts.serve.models import load_run

    site = planted_ratings(tmp_path, 20)
    file = tmp_path / "ratings.csv"
    with site.desk.reading() as connection, open(file, "w", newline="") as written:
        export(connection, written)
    words = ["--data", "RatingsFile", "--data.path", str(file), "--data.batch_size", "16", "--trainer.max_epochs", "1"]
    assert main(["fit", "recommender/mf", *words]) == 0
    site.models.swap(load_run("recommender/mf").run)
    assert len(site.desk.run.ids) == 27 and site.models.swaps == 1
    assert site.desk.run.ids == sorted(site.desk.run.ids, key=lambda film: site.desk.run.places[film])


def test_kills_lose_no_acknowledged_rating(tmp_path: Path) -> None:
    """Twice two processes at once on one database, killed in the middle of writing."""
    add_films(open_database(url(tmp_path)), [str(k) for k in range(ITEMS)], ["t"] * ITEMS, {})
    logs = [tmp_path / f"log{k}" for k in range(4)]
    for pair in (logs[:2], logs[2:]):
        writers = [warm.start(rate_without_end, tmp_path, log, ITEMS) for log in pair]
        while not all(log.is_file() and len(log.read_text().split()) > 20 for log in pair):
            assert all(writer.is_alive() for writer in writers)
            time.sleep(0.01)  # looks again
        for writer in writers:
            os.kill(int(writer.pid or 0), signal.SIGKILL)
            writer.join()
    acknowledged = sum(log.read_text().count("\n") for log in logs)
    engine = open_database(url(tmp_path))
    with engine.connect() as connection:
        kept = len(connection.execute(select(ratings.c.id)).all())
        assert acknowledged <= kept <= acknowledged + len(logs)
        assert counts(connection)["people"] == len(logs)
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
