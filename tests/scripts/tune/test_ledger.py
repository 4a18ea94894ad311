"""The ledger: one winner of each turn, what is gone is taken up, and a wrong storage is one line."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from optuna.storages import RDBStorage

from common.messages import RunError, UserError
from scripts.tune.ledger import Ledger, plain_errors, started
from scripts.tune.progress import Job
from scripts.tune.random_search import next_job
from scripts.tune.space import Space, read_space
from tests.postgres import postgres
from tests.scripts.tune.test_space import written

PARAMETERS = {"lr": {"low": 0.001, "high": 1.0, "log": True}}


@pytest.fixture
def space(tmp_path: Path) -> Space:
    return read_space(written(tmp_path, PARAMETERS))


def opened(folder: Path, space: Space, kind: str = "db", worker: str = "") -> Ledger:
    url = str(folder / "study.journal") if kind == "journal" else f"sqlite:///{folder / 'study.db'}"
    ledger = Ledger(url, "a", space, {"recipe": "x/y"})
    ledger.worker = worker or ledger.worker
    return ledger


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with postgres(tmp_path_factory.mktemp("postgres")) as url:
        yield url


@pytest.mark.parametrize("kind", ["db", "journal", pytest.param("server", marks=pytest.mark.slow)])
def test_of_many_claims_of_one_turn_one_wins(
    kind: str, tmp_path: Path, space: Space, request: pytest.FixtureRequest
) -> None:
    if kind == "server":
        ledgers = [Ledger(request.getfixturevalue("server"), "race", space, {}) for _ in range(4)]
    else:
        ledgers = [opened(tmp_path, space, kind) for _ in range(4)]
    start, won = threading.Barrier(4), []

    def race(ledger: Ledger) -> None:
        start.wait()
        won.extend(turn for turn in range(3) if ledger.claim(0, turn, 1))

    threads = [threading.Thread(target=race, args=(ledger,)) for ledger in ledgers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == [0, 1, 2]
    assert ledgers[0].view().turns[0].number == 2


def test_a_trial_whose_process_is_gone_is_to_be_done(tmp_path: Path, space: Space) -> None:
    dead = opened(tmp_path, space, worker=f"{Ledger.__module__}:1:0")
    here = opened(tmp_path, space)
    gone = here.worker.rsplit(":", 2)[0] + ":999999:1"
    dead.worker = gone
    assert dead.claim(0, 0, 9)
    (one,) = here.progress(here.view())
    assert not one.busy and next_job([one], 5, 9) == Job(0, 9), "killed between the claim and the trial"
    trial = dead.begin(0, {"lr": 0.1}, "trials/0000")
    dead.report(trial, 1, 0.5)
    (one,) = here.progress(here.view())
    assert one.values == (0.5,) and not one.busy and one.target == 9
    assert here.claim(0, 1, 9)
    (one,) = here.progress(here.view())
    assert one.busy, "this process has taken it up"
    here.note(trial, "released", 1)
    assert not here.progress(here.view())[0].busy


def test_a_process_elsewhere_is_gone_when_it_has_not_signed_for_long(
    tmp_path: Path, space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = opened(tmp_path, space)
    ledger.storage.set_study_user_attr(ledger.claims, "elsewhere:7:7", 1000.0)
    monkeypatch.setattr("scripts.tune.ledger.time.time", lambda: 1050.0)
    assert ledger.lives("elsewhere:7:7")
    monkeypatch.setattr("scripts.tune.ledger.time.time", lambda: 1100.0)
    assert not ledger.lives("elsewhere:7:7")


def test_a_password_is_not_shown(space: Space) -> None:
    with pytest.raises(UserError) as error:
        Ledger("postgresql+nodriver://me:secret@host/db", "a", space, {})
    assert "secret" not in str(error.value) and "me:***@host/db" in str(error.value)


def test_a_number_that_another_process_got_is_not_the_old_process() -> None:
    import os

    assert started(os.getpid()) and not started(999_999_999)


def test_a_study_of_another_space_is_refused_by_name(tmp_path: Path, space: Space) -> None:
    opened(tmp_path, space)
    other = read_space(written(tmp_path, {"lr": {"low": 0.01, "high": 1.0, "log": True}}, max_epochs=3))
    with pytest.raises(UserError, match=r"study a is of another space \(max_epochs, lr\): give --study a new name"):
        opened(tmp_path, other)
    with pytest.raises(UserError, match="has recipe x/y, not z"):
        Ledger(f"sqlite:///{tmp_path / 'study.db'}", "a", space, {"recipe": "z"})


def test_a_damaged_database_and_one_that_cannot_be_made(tmp_path: Path, space: Space) -> None:
    (tmp_path / "study.db").write_bytes(b"no database" * 1000)
    with pytest.raises(UserError, match=r"cannot be used: .*not a database"):
        opened(tmp_path, space)
    for url in ("sqlite:////nowhere/study.db", "nonsense://x", f"{tmp_path}/no/where.journal"):
        with pytest.raises(UserError, match="cannot be used"):
            Ledger(url, "a", space, {})


def test_tables_that_another_process_makes_at_the_same_time_are_waited_for(
    tmp_path: Path, space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sqlite3

    from sqlalchemy.exc import IntegrityError, OperationalError

    errors = [
        OperationalError("CREATE", {}, sqlite3.OperationalError("table studies already exists")),
        IntegrityError("INSERT", {}, sqlite3.IntegrityError("UNIQUE constraint failed: alembic_version.version_num")),
    ]
    monkeypatch.setattr("scripts.tune.ledger.time.sleep", lambda seconds: None)

    def storage(url: str, **options: object) -> RDBStorage:
        if errors:
            raise errors.pop()
        return RDBStorage(url)

    monkeypatch.setattr("scripts.tune.ledger.RDBStorage", storage)
    assert opened(tmp_path, space).view().trials == {} and not errors


def test_a_locked_database_and_a_full_disk_are_one_line() -> None:
    import sqlite3

    from sqlalchemy.exc import OperationalError

    for text, says in (
        ("database is locked", "is locked by another program"),
        ("database or disk is full", "make room"),
    ):
        with pytest.raises(RunError, match=says), plain_errors("sqlite:///x"):
            raise OperationalError("INSERT", {}, sqlite3.OperationalError(text))
