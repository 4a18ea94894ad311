"""The website through its requests: a guest rates, sees new suggestions, finds films, undoes; and what attacks it."""

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from fastapi.testclient import TestClient

from lit_models.functional.fold_in import informative
from scripts.serve.recommender.views import MOST_SKIPPED
from tests.scripts.serve.recommender.planted import ITEMS, planted_app

HTML = {"accept": "text/html"}


@pytest.fixture
def client(tmp_path: Path) -> Any:
    with TestClient(planted_app(tmp_path), raise_server_exceptions=False) as found:
        yield found


class Person:
    """A browser without JavaScript: it sends the forms of pages.

    Args:
        client: Whose cookies it has.
    """

    def __init__(self, client: TestClient) -> None:
        self.client = client
        self.csrf = re.search(r'name="csrf" value="(\w+)"', client.get("/", headers=HTML).text)[1]  # type: ignore[index]

    def send(self, path: str, **fields: Any) -> Any:
        return self.client.post(path, data={"csrf": self.csrf, **fields}, headers=HTML)

    def rate(self, genre: str, stars: int, count: int = 3) -> list[int]:
        films = self.client.get("/api/films", params={"genre": genre, "count": count}).json()["films"]
        for film in films:
            assert self.send("/rate", film=film["id"], rating=stars).status_code == 200
        return [film["id"] for film in films]

    def suggested(self) -> list[dict[str, Any]]:
        return self.client.get("/api/suggestions").json()["films"]


def test_a_guest_rates_and_the_suggestions_change_and_fit(client: TestClient) -> None:
    person = Person(client)
    before = [film["id"] for film in person.suggested()]
    westerns = person.rate("Western", 5)
    after = person.suggested()
    assert before != [film["id"] for film in after]
    assert [film["genres"] for film in after[:5]] == [["Western"]] * 5
    assert not {film["id"] for film in after} & set(westerns)  # what is rated is not suggested
    assert set(after[0]["because"]) <= set(westerns) and after[0]["because"] and after[0]["predicted"] > 4
    page = client.get("/", headers=HTML).text
    assert "Suggestions for you" in page and "because you liked" in page and page.count('aria-pressed="true"') == 3
    person.rate("Western", 1)
    person.rate("Drama", 5)
    assert person.suggested()[0]["genres"] == ["Drama"]


def test_history_undo_and_taking_back(client: TestClient) -> None:
    person = Person(client)
    assert "Nothing yet" in client.get("/history", headers=HTML).text
    first, second, third = person.rate("Comedy", 4)
    person.send("/rate", film=first, rating=2)

    def mine() -> list[tuple[int, float]]:
        return [(film["id"], film["rating"]) for film in client.get("/api/ratings").json()["films"]]

    assert mine() == [(first, 2), (third, 4), (second, 4)]
    person.send("/undo")
    assert mine() == [(third, 4), (second, 4), (first, 4)]  # the rating before counts again
    person.send("/unrate", film=second)
    assert mine() == [(third, 4), (first, 4)]
    person.send("/undo")
    assert (second, 4) in mine()
    for _ in range(5):
        person.send("/undo")
    assert mine() == [] and client.delete("/api/ratings/last").status_code == 204
    assert client.get("/history", headers=HTML).text.count("Take back") == 0


def test_films_are_found_by_any_words_of_their_titles(client: TestClient) -> None:
    every = client.get("/api/films", params={"count": 100}).json()
    assert every["total"] == ITEMS
    film = every["films"][40]
    words = film["title"].split()
    found = client.get("/api/films", params={"q": f"{words[-1].upper()} {words[1][:3]}"}).json()["films"]
    assert film["id"] in [one["id"] for one in found]
    for film in client.get("/api/films", params={"genre": "Space", "decade": 1990}).json()["films"]:
        assert film["genres"] == ["Space"] and 1990 <= film["year"] < 2000
    page = client.get("/films", params={"q": "zzz"}, headers=HTML).text
    assert "No film has these words" in page
    last = client.get("/films", params={"page": 4}, headers=HTML).text
    assert 'rel="prev"' in last and 'rel="next"' not in last
    assert "similar films" in client.get("/films/5", headers=HTML).text.lower()


def test_questions_end_and_the_same_ones_are_not_chosen_again(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = client.app.state.site.desk.run.engine  # type: ignore[attr-defined]
    steps: list[int] = []

    def counted(vectors: Any, weight: Any, rated: Any, count: int) -> Any:
        steps.append(count)
        return informative(vectors, weight, rated, count)

    monkeypatch.setattr("scripts.serve.recommender.engine.informative", counted)
    assert client.get("/?skip=100000", headers=HTML).status_code == 422 and not steps
    assert client.get(f"/?skip={MOST_SKIPPED}", headers=HTML).status_code == 200
    pages = [client.get(f"/?skip={skip}", headers=HTML).text for skip in (0, 6, 12, 0, 6, 12)]
    assert pages[0] != pages[1] and [len(page) for page in pages[:3]] == [len(page) for page in pages[3:]]
    assert 'href="/?skip=18#ask"' in pages[2] and steps == [384, 6, 24]
    first = engine.questions(torch.tensor([7, 3]), 20)
    assert first[:5] == engine.questions(torch.tensor([3, 7]), 5) and steps[3:] == [24, 6]


def test_a_title_is_text_whatever_it_says(client: TestClient) -> None:
    person = Person(client)
    found = client.get("/api/films", params={"q": "<script>"}).json()["films"]
    assert [film["title"] for film in found] == ['<script>alert(1)</script> & "Friends"']
    person.send("/rate", film=found[0]["id"], rating=5)
    for path in ("/", "/films?q=%3Cscript%3E", f"/films/{found[0]['id']}", "/history"):
        page = client.get(path, headers=HTML)
        assert "<script>alert" not in page.text and "&lt;script&gt;" in page.text, path
    assert re.findall(r"<script[^>]*>", page.text) == ['<script src="/static/site.js" defer>']


@pytest.mark.parametrize("words", ["' OR 1=1 --", "%", "_", "\\", '"; DROP TABLE films; --', "x" * 200, "\x00", "Ünï"])
def test_words_are_words_to_the_database(client: TestClient, words: str) -> None:
    """Nothing has these letters, not even where SQL would read them as a pattern."""
    response = client.get("/api/films", params={"q": words})
    assert response.status_code == 200 and response.json()["total"] in (0, ITEMS if words == "\x00" else 0)
    assert client.get("/films", params={"q": words, "genre": words}, headers=HTML).status_code == 200
    assert client.get("/api/films").json()["total"] == ITEMS


def test_what_is_not_there_or_outside_is_one_clear_page(client: TestClient) -> None:
    person = Person(client)
    assert "There is no film 4711" in client.get("/films/4711", headers=HTML).text
    unknown = person.send("/rate", film=4711, rating=3)
    assert unknown.status_code == 404 and "There is no film 4711" in unknown.text
    for rating in ("6", "0", "-1", "nan", "inf", "many", ""):
        response = person.send("/rate", film=1, rating=rating)
        assert response.status_code == 422 and "<h1>Unprocessable" in response.text, rating
    assert "Ratings are from 1 to 5, not 6" in person.send("/rate", film=1, rating=6).text
    assert person.send("/rate", film=2**63, rating=3).status_code == 422
    assert client.get("/films/99999999999999999999").status_code == 422
    assert client.get("/films", params={"q": "x" * 201}).status_code == 422
    assert client.post("/api/ratings", json={"film": 1, "rating": 7}).status_code == 422
    assert client.get("/api/ratings").json()["films"] == []


def test_nobody_is_led_to_another_site(client: TestClient) -> None:
    person = Person(client)
    for back in ("https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/a\r\nx: y"):
        response = client.post(
            "/rate", data={"csrf": person.csrf, "film": 1, "rating": 3, "back": back}, follow_redirects=False
        )
        assert response.headers["location"] == "/", back


def test_a_rating_needs_our_form_and_another_persons_cookie_is_nobodys(client: TestClient) -> None:
    assert client.post("/rate", data={"film": 1, "rating": 3}).status_code == 403
    person = Person(client)
    response = person.send("/rate", film=1, rating=3).history[0]
    cookie = response.headers["set-cookie"].lower()
    assert "session=" in cookie and "httponly" in cookie and "samesite=lax" in cookie
    client.cookies.clear()
    client.cookies.set("session", "x" * 43)
    assert client.get("/api/ratings").json()["films"] == []


def test_looking_makes_nobody_a_person(client: TestClient) -> None:
    for path in ("/", "/films", "/history", "/api/suggestions", "/api/questions"):
        client.get(path)
    client.delete("/api/ratings/3")
    desk = client.app.state.site.desk  # type: ignore[attr-defined]
    with desk.reading() as connection:
        from scripts.serve.recommender.people import counts

        assert counts(connection)["people"] == 0


def test_many_guests_at_once_lose_no_rating(client: TestClient) -> None:
    app = client.app

    def guest(number: int) -> int:
        own = TestClient(app)
        for film in range(1, 11):
            response = own.post("/api/ratings", json={"film": film, "rating": 1 + (film + number) % 5})
            assert response.status_code == 201
        return len(own.get("/api/ratings").json()["films"])

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(guest, range(12))) == [10] * 12


def test_a_ranker_answers_too(tmp_path: Path) -> None:
    with TestClient(planted_app(tmp_path, kind="ease")) as client:
        person = Person(client)
        person.rate("Western", 5)
        found = person.suggested()
        assert len(found) == 12 and found[0]["predicted"] is None and any(film["because"] for film in found)
        assert client.get("/", headers=HTML).status_code == client.get("/films/7", headers=HTML).status_code == 200
