"""Who is the administrator, for how long, and how often a token may be tried."""

from types import SimpleNamespace
from typing import Any

import pytest
from fastapi.testclient import TestClient

from scripts.serve import admin
from tests.scripts.serve.test_app import csrf
from tests.scripts.serve.toy import TOKEN


def sign_in(client: TestClient) -> str:
    token = csrf(client.get("/admin").text)
    assert client.post("/admin", data={"token": TOKEN, "csrf": token}).status_code == 200
    return token


def test_a_cookie_of_the_administrator_ends_on_the_server_too(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1e9]
    monkeypatch.setattr(admin, "time", SimpleNamespace(time=lambda: now[0]), raising=False)
    sign_in(client)
    kept = client.cookies["admin"]
    for later, status in ((admin.HOUR - 1, 200), (admin.HOUR, 401)):
        now[0] = 1e9 + later
        own = TestClient(client.app, cookies={"admin": kept})  # whatever a browser makes of its age
        assert own.get("/admin").status_code == status
    made, _, digest = kept.partition(".")
    for wrong in (f"{int(made) + 9999}.{digest}", digest, f"x.{digest}", ".", "", f"{made}."):
        assert TestClient(client.app, cookies={"admin": wrong}).get("/admin").status_code == 401


def test_the_administrator_signs_out(client: TestClient) -> None:
    token = sign_in(client)
    assert 'action="/admin/leave"' in client.get("/admin").text
    assert client.post("/admin/leave").status_code == 403 and "admin" in client.cookies  # no form of ours
    response = client.post("/admin/leave", data={"csrf": token}, follow_redirects=False)
    assert response.status_code == 303 and "admin" not in client.cookies
    assert client.get("/admin").status_code == 401


def test_tokens_in_headers_are_counted_with_those_of_the_form(client: TestClient, monkeypatch: Any) -> None:
    monkeypatch.setattr("scripts.serve.rates.time", SimpleNamespace(monotonic=lambda: 0.0), raising=False)
    page = csrf(client.get("/admin").text)
    right = {"authorization": f"Bearer {TOKEN}"}
    for _ in range(9):
        assert client.get("/admin", headers=right).status_code == 200  # the right one costs nothing
    codes = []
    for k in range(4):
        codes.append(client.get("/admin", headers={"authorization": f"Bearer guess {k}"}).status_code)
    codes.append(client.post("/admin", data={"token": "guess", "csrf": page}).status_code)
    assert codes == [401] * 5
    assert client.post("/admin/swap", data={"run": "x"}, headers={"authorization": "Bearer x"}).status_code == 429
    assert client.get("/admin", headers=right).status_code == 429  # or one could go on guessing
    assert client.post("/admin", data={"token": TOKEN, "csrf": page}).status_code == 429
    assert TestClient(client.app, client=("10.0.0.2", 1)).get("/admin", headers=right).status_code == 200
    assert client.get("/admin", headers={"authorization": TOKEN}).status_code == 401  # only as Bearer, which is counted
