"""``dive serve`` killed under load, and two of them on one database: no acknowledged rating is lost."""

import random
import sqlite3
import time
from pathlib import Path

import pytest

from scripts.cli import main
from tests import warm
from tests.scripts.serve.recommender.served import Guest, Served, all_at_once

pytestmark = pytest.mark.slow
KILLS = 10
RECIPE = "recommender/mf"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``DIVE_RUNS`` with a run of one epoch."""
    folder = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DIVE_RUNS", str(folder))
        assert main(["fit", RECIPE, "--trainer.max_epochs", "1"]) == 0
    return folder


def events(state: Path) -> int:
    """How many ratings a database has, which is whole."""
    with sqlite3.connect(state / "site.db") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return int(connection.execute("SELECT count(*) FROM ratings").fetchone()[0])


def test_ten_kills_under_load_lose_no_acknowledged_rating(runs: Path, tmp_path: Path) -> None:
    guests, draw, before = [Guest(k) for k in range(3)], random.Random(0), 0
    for kill in range(KILLS):
        with Served(RECIPE, tmp_path, tmp_path / f"{kill}.log", runs) as server:
            for guest in guests:
                guest.check(server.address)
            threads = all_at_once(guests, server.address)
            enough = sum(guest.count for guest in guests) + draw.randrange(20, 60)
            while sum(guest.count for guest in guests) < enough:
                assert server.process.is_alive(), server.log.read_text()
                time.sleep(draw.uniform(0, 0.005))  # somewhere in a request
            server.kill()
            for thread in threads:
                thread.join(warm.SECONDS)
        acknowledged, stored = sum(guest.count for guest in guests), events(tmp_path)
        assert acknowledged <= stored <= acknowledged + len(guests) * (kill + 1) and stored > before
        before = stored
        assert {status for guest in guests for status in guest.statuses} == {201}
    with Served(RECIPE, tmp_path, tmp_path / "last.log", runs) as server:
        for guest in guests:
            guest.check(server.address)


def test_two_workers_at_once_on_one_database(runs: Path, tmp_path: Path) -> None:
    """Four guests rate at both in turn: one session, one history, whichever responds; one dies, the other goes on."""
    one, two = (Served(RECIPE, tmp_path, tmp_path / f"{name}.log", runs) for name in ("one", "two"))
    with one, two:
        guests = [Guest(k) for k in range(4)]
        for thread in all_at_once(guests, one.address, two.address, most=60):
            thread.join(warm.SECONDS)
        assert {status for guest in guests for status in guest.statuses} == {201}
        for guest in guests:
            assert len(guest.kept) == 60
            guest.check(one.address)
            guest.check(two.address)
        assert events(tmp_path) == 240
        one.kill()
        for guest in guests:
            guest.rate_until_it_dies(two.address, most=5)
            guest.check(two.address)
    assert events(tmp_path) == 260
