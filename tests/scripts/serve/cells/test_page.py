"""The cells page by its routes: what is found, odd pictures, files that are none, many at once, without JavaScript."""

import io
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from fastapi import UploadFile
from fastapi.testclient import TestClient
from PIL import Image

from scripts.serve.cells.page import Found, accepts, facts, look
from scripts.serve.models import Loaded
from scripts.serve.pages import find_pages
from tests.scripts.serve.cells.site import THRESHOLDS, as_bytes, cells_app, drawn, odd_pictures, small_run


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Any:
    app = cells_app(tmp_path_factory.mktemp("state"), "--writes_per_minute", "0")
    with TestClient(app, raise_server_exceptions=False) as found:
        found.headers["x-csrf-token"] = re.search(r'name="csrf" value="(\w+)"', found.get("/").text)[1]  # type: ignore[index]
        yield found


def post(client: Any, name: str, content: bytes) -> Any:
    return client.post("/api/count", files={"file": (name, content)})


def test_the_page_is_found_for_a_counter_and_for_no_other_run() -> None:
    assert "cells" in [page.name for page in find_pages()]
    assert accepts(small_run()) and not accepts(Loaded("another", None, Path("x"), "x"))
    assert facts(SimpleNamespace(models=SimpleNamespace(current=small_run())))[0] == ("Platelets", "counts from 0.650")  # type: ignore[arg-type]


def test_boxes_are_in_pixels_of_the_picture_with_all_scores(client: TestClient) -> None:
    found = Found(**post(client, "a.png", as_bytes(drawn(width=320, height=240))).json())
    assert (found.name, list(found.size), found.preview) == ("a.png", [320, 240], "")
    assert len(found.boxes) == len(found.scores) == len(found.labels) > 20
    assert max(box[2] for box in found.boxes) > 250 and max(box[3] for box in found.boxes) <= 240
    assert found.scores == sorted(found.scores, reverse=True) and min(found.scores) < 0.7 < max(found.scores)


def test_the_answer_is_that_of_the_model(client: TestClient) -> None:
    image = drawn(3)
    found = post(client, "b.png", as_bytes(image)).json()
    model = small_run().model
    x = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None] / 255
    boxes, scores, labels = model.detect(model(x))
    assert found["labels"] == labels[labels >= 0].tolist()
    torch.testing.assert_close(torch.tensor(found["scores"]), scores[labels >= 0], atol=1e-4, rtol=0)
    torch.testing.assert_close(torch.tensor(found["boxes"]), boxes[labels >= 0] * 96, atol=0.06, rtol=0)


@pytest.mark.parametrize("name", odd_pictures())
def test_odd_pictures_are_read(client: TestClient, name: str) -> None:
    response = post(client, name, odd_pictures()[name])
    assert response.status_code == 200, response.text
    assert response.json()["size"] == ([100, 200] if name == "rotated.jpg" else [200, 100])
    assert bool(response.json()["preview"]) == (name in ("cmyk.jpg", "sixteen.tif"))  # browsers do not show these


def test_a_file_that_is_no_picture_is_one_sentence(client: TestClient) -> None:
    whole = as_bytes(drawn())
    for name, content, says in (
        ("empty.png", b"", "empty.png is empty: it has zero bytes"),
        ("notes.txt", b"twelve red cells", "notes.txt cannot be read as a picture: not an image"),
        ("half.png", whole[: len(whole) // 2], "half.png cannot be read as a picture"),
        ("../../etc/x.png", b"x", "x.png cannot be read"),
        ("a.eps", as_bytes(drawn(), "EPS"), "a.eps cannot be read as a picture: not an image, or of a"),
    ):
        response = post(client, name, content)
        assert response.status_code == 422 and response.json()["error"]["message"].startswith(says), response.text
    assert client.post("/api/count").status_code == 422
    assert post(client, "large.png", bytes(33 << 20)).status_code == 413
    wide = as_bytes(Image.new("1", (20_000, 10_000)))
    assert "20000 x 10000 pixels: at most 120 million" in post(client, "wide.png", wide).json()["error"]["message"]


def test_plugins_of_other_formats_never_see_an_upload(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    content, seen = as_bytes(drawn(), "EPS"), []
    factory, accept = Image.OPEN["EPS"]

    def watched(*words: Any) -> Any:
        seen.append("EPS")
        return factory(*words)

    monkeypatch.setitem(Image.OPEN, "EPS", (watched, accept))
    assert "save it as PNG, TIFF or JPEG" in post(client, "a.eps", content).json()["error"]["message"] and not seen
    monkeypatch.delitem(Image.OPEN, "AVIF", raising=False)  # PIL is built without it
    assert (
        post(client, "a.png", as_bytes(drawn())).status_code
        == post(client, "a.tif", as_bytes(drawn(), "TIFF")).status_code
        == 200
    )
    pair = as_bytes(drawn(), "MPO", save_all=True, append_images=[drawn(1)])
    assert post(client, "a.mpo", pair).status_code == 200


def test_another_sites_form_is_refused(client: TestClient) -> None:
    files = {"file": ("a.png", as_bytes(drawn()))}
    assert client.post("/api/count", files=files, headers={"x-csrf-token": "0"}).status_code == 403


@pytest.mark.parametrize(
    "browsers", [{"origin": "http://evil.example"}, {"sec-fetch-site": "cross-site"}, {"cookie": "csrf=1"}]
)
def test_a_program_counts_without_a_token_and_another_site_does_not(
    client: TestClient, browsers: dict[str, str]
) -> None:
    """``curl -F file=@a.png http://127.0.0.1:8000/api/count``."""
    plain = TestClient(client.app)
    for headers, status in (({}, 200), (browsers, 403)):
        files = {"file": ("a.png", as_bytes(drawn()))}
        assert plain.post("/api/count", files=files, headers=headers).status_code == status


def test_without_javascript_the_counts_are_a_table(client: TestClient) -> None:
    response = client.post("/", files={"file": ("<b>.png", as_bytes(drawn(1)))}, headers={"accept": "text/html"})
    row = re.search(r'<th scope="row">(.*?)</th>(.*?)</tr>', response.text)
    assert row is not None and row[1] == "&lt;b&gt;.png"
    found = post(client, "x.png", as_bytes(drawn(1))).json()
    pairs = list(zip(found["labels"], found["scores"], strict=True))
    expected = [sum(k == label and s >= t for label, s in pairs) for k, t in enumerate(THRESHOLDS)]
    assert [int(n) for n in re.findall(r">(\d+)<", row[2])] == expected and sum(expected)


def test_sixty_four_uploads_at_once_are_all_answered(client: TestClient) -> None:
    pictures = [as_bytes(drawn(k)) for k in range(4)]
    alone = [post(client, "x.png", picture).json()["scores"] for picture in pictures]
    with ThreadPoolExecutor(64) as pool:
        responses = list(pool.map(lambda k: post(client, f"{k}.png", pictures[k % 4]), range(64)))
    assert [response.status_code for response in responses] == [200] * 64
    assert [response.json()["name"] for response in responses] == [f"{k}.png" for k in range(64)]
    assert all(response.json()["scores"] == alone[k % 4] for k, response in enumerate(responses))


def test_a_run_that_looks_at_mirrored_pictures_does_so_here() -> None:
    image, run = drawn(3), small_run()
    x = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None] / 255
    _, once, _ = run.model.look(x)
    run.model.flips = True
    found = look(run, UploadFile(io.BytesIO(as_bytes(image)), filename="b.png"))
    _, scores, labels = run.model.look(x)
    torch.testing.assert_close(torch.tensor(found.scores), scores[labels >= 0], atol=1e-4, rtol=0)
    assert found.scores != [round(score, 4) for score in once[once > 0].tolist()]
