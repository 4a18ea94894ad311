"""The database: migrations, other catalogs, newer schemas, kills, two processes; and the circle to training.

With PostgreSQL the same tests are slow, and skipped where PostgreSQL is not available.
"""

import csv
import os
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
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
from scripts.serve.recommender.catalog import FilmCache, add_films, film_of, folded, readable
from scripts.serve.recommender.database import open_database, shown, writing
from scripts.serve.recommender.people import add_rating, counts, export, hand_over, new_person, person_of
from scripts.serve.recommender.tables import METADATA, films, ratings
from tests import warm
from tests.scripts.serve.recommender.planted import ITEMS, SCRIPT, planted_app, planted_site
from tests.scripts.serve.recommender.writer import rate_without_end


def test_the_migrations_make_the_tables(url: str) -> None:
    engine = open_database(url)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
        if engine.dialect.name == "sqlite":
            assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
            assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
    assert url.startswith(open_database(url).dialect.name)  # a second time changes nothing


def test_a_newer_schema_is_one_line(url: str) -> None:
    engine = open_database(url)
    with writing(engine).begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    engine.dispose()
    with pytest.raises(UserError, match="has the schema 9999, this program knows up to"):
        open_database(url)


def test_what_is_no_database_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "text.db").write_text("no database, but a text that is long enough for a header" * 20)
    with pytest.raises(UserError, match="not a database"):
        open_database(f"sqlite:///{tmp_path / 'text.db'}")
    with pytest.raises(UserError, match="unable to open database file"):
        open_database(f"sqlite:///{tmp_path / 'no' / 'folder.db'}")
    for wrong in ("nothing://x", "just words"):
        with pytest.raises(UserError, match="give one as sqlite"):
            open_database(wrong)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(UserError, match=r"pip install -e '.\[postgresql\]'"):
        open_database("postgresql://me@host/db")
    assert shown("postgresql://me:secret@host/db") == "postgresql://me:***@host/db"


def test_films_of_another_catalog_are_refused(url: str) -> None:
    engine = open_database(url)
    assert add_films(engine, ["1", "2"], ["A (1999)", "B"], {"1": ("Drama",)}) == [1, 2]
    assert add_films(engine, ["2", "3"], ["B", "C"], {}) == [2, 3]  # a newer run has others besides
    with pytest.raises(UserError, match="has 'B' where this run has 'Casablanca'"):
        add_films(engine, ["2"], ["Casablanca"], {})
    with pytest.raises(UserError, match="has 3 films and none of this run's 2: it is of another"):
        add_films(engine, ["x", "y"], ["D", "E"], {})
    with engine.connect() as connection:
        film = film_of(connection.execute(select(films).where(films.c.id == 1)).first())
    assert (film.name, film.year, film.genres, film.facts) == ("A", 1999, ("Drama",), "1999 · Drama")


def test_films_that_were_read_are_not_read_again_and_new_ones_are_found(url: str) -> None:
    engine, cache = open_database(url), FilmCache(size=2)
    add_films(engine, ["1", "2", "3"], ["A", "B", "C"], {})
    with engine.connect() as connection:
        assert {film: cache(connection, [1, 9])[film].name for film in (1,)} == {1: "A"} and 9 not in cache.kept
        first = cache.kept[1]
        assert cache(connection, [1, 2])[1] is first and sorted(cache.kept) == [1, 2]
        assert [cache(connection, [3])[3].name, sorted(cache.kept)] == ["C", [3]]  # full: a new one begins
        assert sorted(cache(connection, [1, 2, 3])) == [1, 2, 3]


def test_titles_are_read() -> None:
    assert readable("Godfather, The (1972)") == ("The Godfather", 1972)
    assert readable("(1999)") == ("(1999)", 1999) and readable("2001") == ("2001", None)
    assert folded("Amélie ÉTÉ\x00") == "amelie ete"


def planted_ratings(folder: Path, *words: str, people: int = 6) -> Any:
    """A site with ratings of some guests, one of whom changed and took back."""
    app = planted_app(folder, *words)
    with TestClient(app) as client:
        for person in range(people):
            client.cookies.clear()
            for film in range(1, 9):
                rating = {"film": film + person, "rating": 1 + (film + person) % 5}
                assert client.post("/api/ratings", json=rating).status_code == 201
        client.post("/api/ratings", json={"film": people, "rating": 2})
        client.delete(f"/api/ratings/{people + 1}")
    return app.state.site


def test_what_people_rated_is_trained_on(url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The circle: rated here, exported, read by the datamodule of own ratings, with the titles."""
    planted_ratings(tmp_path, "--database", url)
    file = tmp_path / "ratings.csv"
    assert page.instead(planted_site(tmp_path, "--database", url, "--export", str(file))) == 0
    assert "47 ratings in" in capsys.readouterr().out
    rows = list(csv.DictReader(file.open()))
    assert (rows[0]["user"], rows[0]["item"], rows[0]["rating"], rows[0]["title"]) == ("person-1", "1", "2", SCRIPT)
    data = RatingsFile(path=str(file), feedback="explicit", split="random", batch_size=8)
    data.setup("fit")
    assert data.num_users == 6 and (data.min_rating, data.max_rating) == (1, 5) and SCRIPT in data.titles
    last = [row for row in rows if row["user"] == "person-6"]
    assert len(last) == 7 and {row["rating"] for row in last if row["item"] == "6"} == {"2"}
    with pytest.raises(UserError, match=r"ratings\.csv is there already: give another name"):
        page.instead(planted_site(tmp_path, "--database", url, "--export", str(file)))
    assert page.instead(planted_site(tmp_path, "--database", url)) is None


def test_an_export_is_whole_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a database that cannot be opened nor a reading that fails leaves a file, and none is replaced."""
    file = tmp_path / "ratings.csv"
    (tmp_path / "text.db").write_text("no database" * 50)
    with pytest.raises(UserError, match="not a database"):
        page.instead(planted_site(tmp_path, "--database", f"sqlite:///{tmp_path}/text.db", "--export", str(file)))
    assert not file.exists()

    def fails(connection: Any, written: Any) -> int:
        written.write("user,item")
        raise OSError(28, "No space left on device")

    def comes(connection: Any, written: Any) -> int:
        file.write_text("of another process")
        return 0

    for meanwhile, says in ((fails, "cannot write --export .*No space left"), (comes, "is there already")):
        monkeypatch.setattr(page.people, "export", meanwhile)
        with pytest.raises(UserError, match=says):
            page.instead(planted_site(tmp_path, "--export", str(file)))
        assert [path.name for path in tmp_path.glob("*ratings*")] == ["ratings.csv"] * file.exists()
    assert file.read_text() == "of another process"


@pytest.mark.slow
def test_a_recipe_trains_on_the_export_and_the_site_takes_the_new_run(tmp_path: Path) -> None:
    from scripts.cli import main
    from scripts.serve.models import load_run

    site = planted_ratings(tmp_path, people=20)
    file = tmp_path / "ratings.csv"
    with site.desk.reading() as connection, open(file, "w", newline="") as written:
        export(connection, written)
    words = ["--data", "RatingsFile", "--data.path", str(file), "--data.batch_size", "16", "--trainer.max_epochs", "1"]
    assert main(["fit", "recommender/mf", *words]) == 0
    site.models.swap(load_run("recommender/mf").run)
    assert len(site.desk.run.ids) == 27 and site.models.swaps == 1
    assert site.desk.run.ids == sorted(site.desk.run.ids, key=lambda film: site.desk.run.places[film])


def test_kills_lose_no_acknowledged_rating(url: str, tmp_path: Path) -> None:
    """Twice two processes at once on one database, killed in the middle of writing."""
    add_films(open_database(url), [str(k) for k in range(ITEMS)], ["t"] * ITEMS, {})
    logs = [tmp_path / f"log{k}" for k in range(4)]
    for pair in (logs[:2], logs[2:]):
        writers = [warm.start(rate_without_end, url, log, ITEMS) for log in pair]
        while not all(log.is_file() and len(log.read_text().split()) > 20 for log in pair):
            assert all(writer.is_alive() for writer in writers)
            time.sleep(0.01)  # looks again
        for writer in writers:
            os.kill(int(writer.pid or 0), signal.SIGKILL)
            writer.join()
    acknowledged = sum(log.read_text().count("\n") for log in logs)
    engine = open_database(url)
    with engine.connect() as connection:
        kept = len(connection.execute(select(ratings.c.id)).all())
        assert acknowledged <= kept <= acknowledged + len(logs)
        assert counts(connection)["people"] == len(logs)
        if engine.dialect.name == "sqlite":
            assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"


def test_many_at_once_begin_sign_in_and_leave_and_nothing_fails(url: str, tmp_path: Path) -> None:
    """Processes that start together make the tables once; changes of one person wait for each other."""
    with ThreadPoolExecutor(4) as pool:
        engines = list(pool.map(lambda _: open_database(url), range(4)))
        ids = list(pool.map(lambda engine: add_films(engine, ["1", "2", "3"], ["a", "b", "c"], {}), engines))
        assert len(set(map(tuple, ids))) == 1
        token = str(add_rating(engines[0], None, ids[0][0], 3.0))
        with writing(engines[0]).begin() as connection:
            home = new_person(connection, name="Ada", name_key="ada", password="x")

        def change(k: int) -> str | None:
            engine, person = engines[k % 4], guest
            if k == 20:
                with writing(engine).begin() as connection:
                    hand_over(connection, person, home)
                return None
            return add_rating(engine, token, ids[0][k % 3], float(1 + k % 5))

        with engines[0].connect() as connection:
            found = person_of(connection, token)
            assert found is not None
            guest = found.id
        fresh = [new for new in pool.map(change, range(40)) if new]
    with engines[0].connect() as connection:
        assert len(connection.execute(select(ratings.c.id)).all()) == 40  # none was lost, whoever has it now
        assert counts(connection)["people"] == 1 + len(fresh)
    for engine in engines:
        engine.dispose()
