"""Accounts: sign up, in and out, what a guest rated, one's data, attempts; numbers, two models, the administrator."""

import csv
import io
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from scripts.serve.guard import Rates
from scripts.serve.recommender import accounts, page
from scripts.serve.recommender.people import counts
from scripts.serve.recommender.tables import people, sessions
from tests.scripts.serve.recommender.planted import SCRIPT, planted_app, planted_run
from tests.scripts.serve.recommender.test_page import HTML, Person

SECRET = "correct horse battery"
pytestmark = pytest.mark.usefixtures("quick_hashes")


@pytest.fixture
def app(tmp_path: Path) -> Any:
    return planted_app(tmp_path)


@pytest.fixture
def client(app: Any) -> Any:
    with TestClient(app, raise_server_exceptions=False) as found:
        yield found


class Still(Rates):
    """For whom no time passes, however busy the machine."""

    def take(self, client: str, now: float | None = None) -> bool:
        return super().take(client, 0.0)


def mine(client: TestClient) -> dict[int, float]:
    return {film["id"]: film["rating"] for film in client.get("/api/ratings").json()["films"]}


def test_a_guests_ratings_become_an_accounts_and_are_there_elsewhere(app: Any, client: TestClient) -> None:
    person = Person(client)
    person.send("/rate", film=5, rating=4)
    guest = client.cookies["session"]
    assert "Ada" in person.send("/account/join", name="  Ada ", password=SECRET).text
    assert mine(client) == {5: 4} and client.cookies["session"] != guest  # a new session
    with app.state.site.desk.reading() as connection:
        row = connection.execute(select(people)).one()
        assert row.name == "Ada" and row.password.startswith("$argon2id$") and SECRET not in str(row)
        stored = connection.execute(select(sessions.c.digest)).scalars().all()
        assert len(stored) == 1 and client.cookies["session"] not in stored
    other = Person(TestClient(app))
    other.send("/rate", film=5, rating=1)
    other.send("/rate", film=6, rating=2)
    assert other.send("/account/enter", name="ADA", password=SECRET).status_code == 200
    assert mine(other.client) == mine(client) == {5: 1, 6: 2}  # the newest of both
    person.send("/account/leave")
    assert mine(client) == {} and mine(other.client) == {5: 1, 6: 2}
    with app.state.site.desk.reading() as connection:
        assert counts(connection) | {"films": 0} == {"people": 1, "accounts": 1, "films": 0, "ratings": 2}


@pytest.mark.parametrize(
    ("name", "password", "status", "says"),
    [
        ("", SECRET, 422, ""),
        ("   ", SECRET, 422, "A name has 1 to 40 letters"),
        ("a\x00b", SECRET, 422, "A name has 1 to 40 letters"),
        ("x" * 41, SECRET, 422, "A name has 1 to 40 letters"),
        ("x" * 10_000, SECRET, 422, "Name: String should have at most"),
        ("Ada", "short", 422, "A password has 8 letters"),
        ("ada", SECRET, 409, "There is somebody of that name"),
        ("\uff21da", SECRET, 409, "There is somebody of that name"),  # the same look in other letters
    ],
)
def test_what_is_no_name_or_taken_is_one_clear_page(
    client: TestClient, name: str, password: str, status: int, says: str
) -> None:
    Person(TestClient(client.app)).send("/account/join", name="Ada", password=SECRET)
    response = Person(client).send("/account/join", name=name, password=password)
    assert response.status_code == status and says in response.text and "Traceback" not in response.text


def test_wrong_passwords_open_nothing_and_attempts_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounts, "ATTEMPTS", 40)
    monkeypatch.setattr(accounts, "Rates", Still)
    with TestClient(planted_app(tmp_path)) as client:
        Person(TestClient(client.app)).send("/account/join", name="Ada", password=SECRET)
        person = Person(client)
        for name in ("Ada", "Nobody", ""):
            response = person.send("/account/enter", name=name or "?", password="wrong password")
            assert response.status_code == 401 and "do not belong together" in response.text
        codes = [person.send("/account/enter", name="Ada", password=f"guess{k}").status_code for k in range(12)]
        assert codes[-1] == 429 and "session" not in client.cookies


def test_a_name_is_text(client: TestClient) -> None:
    person = Person(client)
    text = person.send("/account/join", name="<b>Eve</b>", password=SECRET).text
    assert "&lt;b&gt;Eve" in text and "<b>Eve" not in text


def test_one_takes_ones_data_along_and_deletes_it(app: Any, client: TestClient) -> None:
    assert client.get("/account/ratings.csv").status_code == 404
    person = Person(client)
    Person(TestClient(app)).send("/rate", film=2, rating=2)  # somebody else's
    person.send("/rate", film=1, rating=5)
    response = client.get("/account/ratings.csv")
    assert response.headers["content-disposition"].startswith("attachment")
    (row,) = csv.DictReader(io.StringIO(response.text))
    assert (row["rating"], row["title"]) == ("5", SCRIPT)
    person.send("/account/join", name="Ada", password=SECRET)
    assert "nothing was deleted" in person.send("/account/delete", password="wrong").text and mine(client)
    person.send("/account/delete", password=SECRET)
    assert mine(client) == {} and "session" not in client.cookies
    with app.state.site.desk.reading() as connection:
        assert counts(connection)["people"] == 1  # the other one
    person.send("/rate", film=1, rating=5)
    person.send("/account/delete")  # a guest has no password
    assert mine(client) == {}


def test_the_numbers_of_a_run_and_its_pictures(client: TestClient, tmp_path: Path, monkeypatch: Any) -> None:
    site: Any = client.app.state.site  # type: ignore[attr-defined]
    assert "has no record of its numbers" in client.get("/numbers", headers=HTML).text
    (tmp_path / "run.json").write_text(
        '{"metrics": {"val/rmse": 0.5, "test/rmse": 0.875, "train/loss": 1}, "epochs": 3}'
    )
    (tmp_path / "curves.png").write_bytes(b"a picture")
    site.models.current = site.models.current.__class__(**{**vars(site.models.current), "run": tmp_path})
    text = client.get("/numbers", headers=HTML).text
    assert "0.8750" in text and "train/loss" not in text and text.index("test/rmse") < text.index("val/rmse")
    assert client.get("/numbers/curves.png").content == b"a picture"
    for other in ("secret", "..%2fsite", "%2e%2e/run", "run.json"):
        assert client.get(f"/numbers/{other}.png").status_code == 404


def test_two_models_side_by_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "load_run", lambda what: planted_run("ease"))
    with TestClient(planted_app(tmp_path, "--beside", "recommender/ease")) as client:
        person = Person(client)
        person.rate("Western", 5)
        text = client.get("/compare", headers=HTML).text
        assert "recommender/mf" in text and "recommender/ease" in text and text.count('class="card"') == 16
        assert "By your 3 ratings" in text
    with TestClient(planted_app(tmp_path)) as client:
        assert client.get("/compare").status_code == 404


def test_the_administrator_sees_numbers_and_takes_all_ratings(tmp_path: Path, monkeypatch: Any) -> None:
    token = "a token that nobody guesses"
    monkeypatch.setenv("DIVE_ADMIN_TOKEN", token)
    with TestClient(planted_app(tmp_path)) as client:
        Person(client).rate("Drama", 4)
        assert client.get("/admin/ratings.csv").status_code == 401
        bearer = {"authorization": f"Bearer {token}"}
        assert client.get("/admin/ratings.csv", headers=bearer).text.count("\n") == 4
        text = client.get("/admin", headers=bearer | HTML).text
        assert "<dt>people</dt><dd>1</dd>" in text and "<dt>ratings</dt><dd>3</dd>" in text
        assert "All ratings as CSV" in text
