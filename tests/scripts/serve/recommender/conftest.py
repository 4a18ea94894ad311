"""Databases of both kinds for the tests of the site: SQLite, and PostgreSQL where a server is or can be had."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.scripts.serve.recommender.postgres import Postgres, postgres


@pytest.fixture(scope="session")
def server() -> Iterator[Postgres]:
    pytest.importorskip("psycopg")
    with postgres() as found:
        if isinstance(found, str):
            pytest.skip(found)
        yield found


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'site.db'}"
    server: Postgres = request.getfixturevalue("server")
    return server.new_database()
