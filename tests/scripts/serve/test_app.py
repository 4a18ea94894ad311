"""What every page shares: errors, limits, forms of our own only, health, metrics, the swap."""

import asyncio
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from common.messages import UserError
from scripts.serve.guard import Guard, Rates
from scripts.serve.models import Models
from scripts.serve.pages import page_for
from scripts.serve.site import read_secret
from tests.scripts.serve.toy import TOKEN, toy_app, toy_page, toy_run, toy_site

HTML = {"accept": "text/html"}


def csrf(page: str) -> str:
    return re.search(r'name="csrf" value="(\w+)"', page)[1]  # type: ignore[index]


def test_pages_are_whole_and_nothing_comes_from_elsewhere(client: TestClient) -> None:
    response = client.get("/", headers=HTML)
    assert response.status_code == 200 and "<h1>Toy</h1>" in response.text and "ello &lt;b&gt;" in response.text
    policy = response.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy
    assert response.headers["x-content-type-options"] == "nosniff" and response.headers["cache-control"] == "no-store"
    assert "style=" not in response.text and "onclick" not in response.text  # the policy forbids them
    for address in re.findall(r'(?:href|src)="(/static/[^"]+)"', response.text):
        assert client.get(address).status_code == 200, address
    assert client.get("/static/../site.py").status_code == client.get("/static/%2e%2e/site.py").status_code == 404


def test_errors_are_a_page_or_json_and_never_a_trace(client: TestClient) -> None:
    broken = client.get("/breaks", headers=HTML)
    assert broken.status_code == 500 and "secret" not in broken.text and "Traceback" not in broken.text
    assert "<h1>Internal Server Error</h1>" in broken.text
    assert client.get("/breaks").json()["error"]["status"] == 500
    assert client.get("/user_error").json() == {"error": {"status": 400, "message": "the input is wrong: correct it"}}
    assert client.get("/nowhere", headers=HTML).status_code == 404
    assert client.get("/nowhere").json() == {"error": {"status": 404, "message": "there is no such page"}}
    assert client.put("/run").status_code == 405


def test_a_form_of_another_site_is_refused(client: TestClient) -> None:
    assert client.post("/say", data={"word": "x"}).status_code == 403
    client.get("/admin")  # sets the cookie
    token = csrf(client.get("/admin").text)
    assert client.post("/say", data={"word": "x", "csrf": token}).text == '"x"'
    assert client.post("/say", data={"word": "x"}, headers={"x-csrf-token": token}).status_code == 200
    assert client.post("/say", data={"word": "x", "csrf": token[::-1]}).status_code == 403
    evil = {"origin": "https://evil.example"}
    assert client.post("/say", data={"word": "x", "csrf": token}, headers=evil).status_code == 403
    assert client.post("/api/say", json={"a": "b"}, headers=evil).status_code == 403
    assert client.post("/api/say", json={"a": "b"}).json() == {"said": {"a": "b"}}
    plain = {"content-type": "text/plain"}  # what another site may send without asking
    assert client.post("/api/say", content='{"a": "b"}', headers=plain).status_code == 403
    cookie = client.get("/admin").headers.get("set-cookie", "")
    assert cookie == ""  # it has one already
    client.cookies.clear()
    cookie = client.get("/admin").headers["set-cookie"].lower()
    assert "httponly" in cookie and "samesite=lax" in cookie and "secure" not in cookie
    client.cookies.clear()
    assert "secure" in client.get("https://testserver/admin").headers["set-cookie"].lower()


def test_what_is_too_large_is_refused(client: TestClient) -> None:
    token = csrf(client.get("/admin").text)
    assert client.post("/say", data={"word": "x" * 21, "csrf": token}).status_code == 422
    assert client.post("/say", data={"word": "x" * (1 << 20), "csrf": token}).status_code == 413
    assert client.post("/say", content=(b"x" * 65536 for _ in range(32))).status_code in (403, 413)
    form = {"content-type": "application/x-www-form-urlencoded"}
    assert client.post("/say", content=(b"x" * 65536 for _ in range(32)), headers=form).status_code == 413
    assert client.get("/?q=" + "x" * 5000).status_code == 414


def test_requests_beyond_the_queue_get_429_and_health_answers(tmp_path: Path) -> None:
    until = threading.Event()
    app = toy_app(tmp_path, "--threads", "1", "--queue", "2", until=until)
    with TestClient(app) as client, ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(client.get, "/slow") for _ in range(3)]
        while client.app.state.site.metrics.in_progress._value.get() < 3:  # type: ignore[attr-defined]
            pass
        refused = client.get("/slow")
        assert refused.status_code == 429 and refused.headers["retry-after"] == "1"
        assert client.get("/health").json()["status"] == "ok"
        until.set()
        assert [future.result().text for future in waiting] == ['"late"'] * 3
        assert client.get("/slow").status_code == 200  # there is room again


def test_an_answer_that_does_not_begin_in_time_is_503_and_keeps_its_place(tmp_path: Path) -> None:
    until = threading.Event()
    with TestClient(toy_app(tmp_path, "--timeout", "1", until=until)) as client:
        assert client.get("/slow").status_code == 503
        assert client.app.state.site.metrics.in_progress._value.get() == 1  # type: ignore[attr-defined]
        until.set()


def test_an_answer_that_has_begun_may_take_longer(tmp_path: Path) -> None:
    """It begins in the first turn of the loop and ends after several times the limit."""
    sent: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await asyncio.sleep(0.1)
        await send({"type": "http.response.body", "body": b"late"})

    async def send(message: Any) -> None:
        sent.append(message)

    site = toy_site(tmp_path)
    site.options.timeout = 0.02
    scope = {"type": "http", "method": "GET", "path": "/", "raw_path": b"/", "query_string": b"", "headers": []}
    asyncio.run(Guard(app, site)(scope, None, send))  # type: ignore[arg-type]
    assert [message.get("status", message.get("body")) for message in sent] == [200, b"late"]


def test_a_client_has_a_burst_and_then_a_rate() -> None:
    rates = Rates(60, size=2)
    assert [rates.take("a", 0.0) for _ in range(16)] == [True] * 15 + [False]
    assert rates.take("b", 0.0) and not rates.take("a", 0.5) and rates.take("a", 1.1)
    rates.take("c", 1.2)
    assert len(rates.left) == 2 and all(Rates(0).take("a") for _ in range(1000))


def test_metrics_count_by_route(client: TestClient) -> None:
    client.get("/run")
    client.get("/any/address")
    text = client.get("/metrics").text
    assert 'dive_requests_total{method="GET",route="/run",status="200"} 1.0' in text
    assert 'route="other",status="404"} 1.0' in text and "/any" not in text


def test_the_administrator_swaps_and_others_do_not(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    site: Any = client.app.state.site  # type: ignore[attr-defined]
    second = toy_run("second")
    monkeypatch.setattr(Models, "usable", lambda self: [second.run])
    monkeypatch.setattr("scripts.serve.models.load_run", lambda run: second)
    token = csrf(client.get("/admin").text)
    assert client.post("/admin/swap", data={"run": "second", "csrf": token}).status_code == 401
    assert "is not the token" in client.post("/admin", data={"token": "wrong", "csrf": token}).text
    assert "toy/toy" in client.post("/admin", data={"token": TOKEN, "csrf": token}).text
    assert "There is no run third" in client.post("/admin/swap", data={"run": "third", "csrf": token}).text
    assert client.get("/run").text == '"first prepared first"'
    assert client.post("/admin/swap", data={"run": "second", "csrf": token}).status_code == 200
    assert client.get("/run").text == '"second prepared second"' and site.models.swaps == 1
    client.cookies.clear()
    bearer = {"authorization": f"Bearer {TOKEN}"}
    assert client.post("/admin/swap", data={"run": "second"}, headers=bearer).status_code == 200


def test_a_swap_in_the_middle_of_requests_mixes_no_two_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = toy_app(tmp_path, pause=0.02)
    runs = iter(toy_run(f"run{k}") for k in range(20))
    monkeypatch.setattr("scripts.serve.models.load_run", lambda run: next(runs))
    with TestClient(app) as client, ThreadPoolExecutor(5) as pool:
        responses = [pool.submit(client.get, "/run") for _ in range(30)]
        for _ in range(20):
            app.state.site.models.swap(Path("x"))
        for future in responses:
            first, _, prepared = future.result().json().split(" ")
            assert first == prepared


def test_a_run_of_another_kind_is_refused_and_the_old_one_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = toy_site(tmp_path).models
    monkeypatch.setattr("scripts.serve.models.load_run", lambda run: toy_run("other", "no toy"))
    with pytest.raises(UserError, match="is a run of str: the page toy needs a toy"):
        models.swap(Path("x"))
    assert models.current.run.name == "first" and models.swaps == 0
    monkeypatch.setattr("scripts.serve.pages.find_pages", lambda: [toy_page()])
    with pytest.raises(UserError, match="for which there is no page: toy needs a toy"):
        page_for(toy_run("other", 7))


def test_a_state_folder_that_is_missing_or_damaged_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such folder"):
        toy_site(tmp_path / "nowhere")
    assert read_secret(tmp_path / "secret") == read_secret(tmp_path / "secret")
    assert (tmp_path / "secret").stat().st_mode & 0o077 == 0
    (tmp_path / "secret").write_text("not hexadecimal")
    with pytest.raises(UserError, match="remove it"):
        read_secret(tmp_path / "secret")


def test_a_short_administrators_token_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIVE_ADMIN_TOKEN", "short")
    with pytest.raises(UserError, match="take 16 or more"):
        toy_app(tmp_path)
    monkeypatch.delenv("DIVE_ADMIN_TOKEN")
    with TestClient(toy_app(tmp_path)) as client:
        assert client.get("/admin").status_code == 404
        client.get("/")
        assert client.post("/admin/swap", headers={"authorization": "Bearer "}, data={"run": "x"}).status_code == 404
