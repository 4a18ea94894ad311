"""Guests: who signs up while something else goes on, whose data nobody can reach, and how often names are tried."""

from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select, update

from scripts.serve.recommender import accounts
from scripts.serve.recommender import people as peoples
from scripts.serve.recommender.database import writing
from scripts.serve.recommender.people import SESSION_DAYS, counts
from scripts.serve.recommender.tables import people, sessions
from tests.scripts.serve.recommender.planted import planted_app
from tests.scripts.serve.recommender.test_accounts import SECRET, Still, mine
from tests.scripts.serve.recommender.test_page import Person

pytestmark = pytest.mark.usefixtures("quick_hashes")


@pytest.fixture
def client(tmp_path: Path) -> Any:
    with TestClient(planted_app(tmp_path), raise_server_exceptions=False) as found:
        yield found


def database(client: TestClient) -> Any:
    return client.app.state.site.desk.database  # type: ignore[attr-defined]


def names(client: TestClient) -> list[str | None]:
    with database(client).connect() as connection:
        return list(connection.execute(select(people.c.name).order_by(people.c.id)).scalars())


def signs_up(client: TestClient, name: str) -> None:
    """What ``/account/join`` of the same browser commits, in another thread of the site."""
    with writing(database(client)).begin() as connection:
        guest = peoples.person_of(connection, client.cookies["session"])
        assert guest is not None and not guest.name
        columns = {"name": name, "name_key": name.casefold(), "password": accounts.HASHER.hash(SECRET)}
        connection.execute(update(people).where(people.c.id == guest.id).values(**columns))


def test_who_signs_up_while_a_password_is_checked_keeps_the_account(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``enter`` has read that the browser is a guest's; the account is there when it goes on."""
    Person(TestClient(client.app)).send("/account/join", name="Ada", password=SECRET)
    person = Person(client)
    person.send("/rate", film=5, rating=4)
    verified = accounts.verified

    def meanwhile(*words: Any) -> bool:
        signs_up(client, "Bea")
        return verified(*words)

    with monkeypatch.context() as patch:
        patch.setattr(accounts, "verified", meanwhile)
        assert person.send("/account/enter", name="Ada", password=SECRET).status_code == 200
    assert names(client) == ["Ada", "Bea"] and mine(client) == {}
    person.send("/account/enter", name="Bea", password=SECRET)
    assert mine(client) == {5: 4}


def test_who_signs_up_while_a_guest_is_deleted_keeps_the_account(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = Person(client)
    person.send("/rate", film=5, rating=4)
    remove = peoples.remove

    def meanwhile(*words: Any, **named: Any) -> bool:
        signs_up(client, "Bea")
        return remove(*words, **named)

    monkeypatch.setattr(peoples, "remove", meanwhile)
    response = person.send("/account/delete")
    assert response.status_code == 409 and "nothing was deleted" in response.text and names(client) == ["Bea"]


def test_a_guest_whose_session_is_over_is_deleted_and_an_account_is_not(client: TestClient) -> None:
    app = client.app
    guest, other, account = (Person(TestClient(app)) for _ in range(3))
    guest.send("/rate", film=1, rating=1)
    other.send("/rate", film=2, rating=2)
    assert "They are deleted 90 days after the first one" in other.client.get("/account").text
    account.send("/account/join", name="Ada", password=SECRET)
    account.send("/rate", film=3, rating=3)
    long_ago = SESSION_DAYS * 86_400 + 60
    with writing(database(client)).begin() as connection:
        old = people.c.id.in_([1, 3])
        connection.execute(update(people).where(old).values(created=people.c.created - long_ago))
        old = sessions.c.person.in_([1, 3])
        connection.execute(update(sessions).where(old).values(created=sessions.c.created - long_ago))
    Person(client).send("/rate", film=4, rating=4)  # a new session
    assert names(client) == [None, "Ada", None] and mine(other.client) == {2: 2}
    with database(client).connect() as connection:
        assert counts(connection)["ratings"] == 3
    account.send("/account/enter", name="Ada", password=SECRET)
    assert mine(account.client) == {3: 3}


@pytest.fixture
def few_attempts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Ten at once from an address; no time passes."""
    monkeypatch.setattr(accounts, "ATTEMPTS", 40)
    monkeypatch.setattr(accounts, "Rates", Still)
    with TestClient(planted_app(tmp_path)) as client:
        yield client


def at(client: TestClient, address: str) -> Person:
    return Person(TestClient(client.app, client=(address, 1)))


def test_nobody_locks_another_person_out_from_one_address(few_attempts: TestClient) -> None:
    at(few_attempts, "10.0.0.1").send("/account/join", name="Ada", password=SECRET)
    bad = at(few_attempts, "10.0.0.2")
    codes = [bad.send("/account/enter", name="Ada", password="wrong").status_code for _ in range(12)]
    assert codes == [401] * 10 + [429] * 2
    for k in range(3, 15):  # nor by signing up under the name
        at(few_attempts, f"10.0.0.{k}").send("/account/join", name="Ada", password=SECRET)
    assert at(few_attempts, "10.0.0.1").send("/account/enter", name="Ada", password=SECRET).status_code == 200


def test_a_name_is_not_guessed_from_many_addresses_without_end(few_attempts: TestClient) -> None:
    codes = []
    for k in range(11):
        person = at(few_attempts, f"10.0.0.{k}")
        codes += [person.send("/account/enter", name="Ada", password="wrong").status_code for _ in range(10)]
    assert codes == [401] * 100 + [429] * 10


def test_a_name_that_is_a_number_is_nobodys_id(few_attempts: TestClient) -> None:
    person = at(few_attempts, "10.0.0.1")
    person.send("/account/join", name="Ada", password=SECRET)  # id 1
    at(few_attempts, "10.0.0.2").send("/account/join", name="1", password=SECRET)
    codes = [person.send("/account/delete", password="wrong").status_code for _ in range(12)]
    assert codes[-1] == 429
    assert at(few_attempts, "10.0.0.2").send("/account/enter", name="1", password=SECRET).status_code == 200
