"""Databases of both kinds for the tests of the site: SQLite, and PostgreSQL where a server can be had; passwords."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from scripts.serve.recommender import accounts
from tests.scripts.serve.recommender.postgres import Postgres, postgres


@pytest.fixture
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords that cost no time, and any number of attempts."""
    monkeypatch.setattr(accounts, "HASHER", PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
    monkeypatch.setattr(accounts, "ATTEMPTS", 0)


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
