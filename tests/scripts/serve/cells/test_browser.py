"""The cells page in the system's Chromium: drop, move a threshold, download, many pictures, phone and dark."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scripts.evidence import screenshots
from tests.scripts.serve.cells.site import as_bytes, cells_app, drawn, odd_pictures
from tests.scripts.serve.live import live, needs_chromium

pytestmark = [pytest.mark.slow, needs_chromium]
DROP = """([pictures]) => {
  const carried = new DataTransfer();
  for (const [name, bytes] of pictures) carried.items.add(new File([new Uint8Array(bytes)], name));
  document.dispatchEvent(new DragEvent("drop", { dataTransfer: carried, bubbles: true, cancelable: true }));
}"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with live(cells_app(tmp_path_factory.mktemp("state"))) as found:
        yield found


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with screenshots.browser() as found:
        yield found


@pytest.fixture
def page(browser: Any, address: str) -> Iterator[Any]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(120_000)
    found = context.new_page()
    found.wrong = []
    found.on("console", lambda message: found.wrong.append(message.text) if message.type == "error" else None)
    found.on("pageerror", lambda error: found.wrong.append(str(error)))
    found.goto(address)
    yield found
    context.close()


def drop(page: Any, pictures: dict[str, bytes]) -> None:
    """Drops files on the page and waits until all are answered."""
    page.evaluate(DROP, [[[name, list(content)] for name, content in pictures.items()]])
    page.locator("#said", has_text=f"of {len(pictures)} pictures counted").wait_for(state="attached")


def numbers(page: Any, row: str) -> list[int]:
    """The counts of a picture in the table."""
    return [int(text) for text in page.locator(f"#counts tr:has-text('{row}') td").all_inner_texts()]


def slide(page: Any, kind: int, value: float) -> None:
    page.locator(f"#kind{kind}").evaluate(
        "(slider, value) => { slider.value = value; slider.dispatchEvent(new Event('input')); }",
        value,
    )


def saved(page: Any, button: str) -> list[dict[str, str]]:
    with page.expect_download() as waiting:
        page.locator(button).click()
    return list(csv.DictReader(io.StringIO(Path(waiting.value.path()).read_text())))


def test_drop_move_a_threshold_and_take_the_counts_along(page: Any) -> None:
    drop(page, {"a.png": as_bytes(drawn(0)), 'b, "two".png': as_bytes(drawn(1, 200, 100))})
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    before = numbers(page, "a.png")
    assert before[-1] == sum(before[:3]) > 0
    slide(page, 1, 1.0)
    after = numbers(page, "a.png")
    assert after[1] == 0 and [after[0], after[2]] == [before[0], before[2]]
    assert "0 RBC" in page.locator("#canvas").get_attribute("aria-label")
    page.locator("#reset").click()
    assert numbers(page, "a.png") == before
    slide(page, 0, 0.02)
    rows = saved(page, "#save-counts")
    assert [row["name"] for row in rows] == ["a.png", 'b, "two".png']
    assert [int(rows[0][name]) for name in ("Platelets", "RBC", "WBC", "total")] == numbers(page, "a.png")
    boxes = saved(page, "#save-boxes")
    assert len(boxes) == sum(int(row["total"]) for row in rows) and float(boxes[0]["score"]) > 0
    page.locator("#counts button", has_text="two").focus()
    page.keyboard.press("Enter")
    assert page.locator("#shown").inner_text() == 'b, "two".png'
    assert not [url for url in asked if "/api/" in url], "counting again asks nothing of the server"
    assert not page.wrong


def test_a_file_that_is_no_picture_has_its_sentence_and_the_others_go_on(page: Any) -> None:
    odd = odd_pictures()
    drop(page, {"notes.txt": b"twelve", "sixteen.tif": odd["sixteen.tif"], "rotated.jpg": odd["rotated.jpg"]})
    assert "cannot be read as a picture" in page.locator("#counts tr:has-text('notes.txt')").inner_text()
    assert numbers(page, "sixteen.tif") and numbers(page, "rotated.jpg")
    page.locator("#counts button", has_text="rotated").click()
    width, height = page.locator("#canvas").evaluate("canvas => [canvas.width, canvas.height]")
    assert height == 2 * width  # upright


def test_sixty_four_pictures_at_once_lose_nothing(page: Any) -> None:
    drop(page, {f"{k:02d}.png": as_bytes(drawn(k % 4)) for k in range(64)})
    rows = saved(page, "#save-counts")
    assert [row["name"] for row in rows] == [f"{k:02d}.png" for k in range(64)]
    assert [row["total"] for row in rows[:4]] * 16 == [row["total"] for row in rows]


@pytest.mark.parametrize("how", [{"viewport": {"width": 360, "height": 740}}, {"color_scheme": "dark"}])
def test_phone_and_dark(browser: Any, address: str, how: dict[str, Any]) -> None:
    context = browser.new_context(**how)
    page = context.new_page()
    page.goto(address)
    drop(page, {"a.png": as_bytes(drawn(0))})
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    lightness = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0]")
    assert (int(lightness) < 60) == (how.get("color_scheme") == "dark")
    labels = page.locator("input:not([type=hidden])").evaluate_all("all => all.map(one => one.labels.length)")
    assert min(labels) == 1
    context.close()


def test_without_javascript_a_picture_is_counted(browser: Any, address: str, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(as_bytes(drawn(0)))
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address)
    page.set_input_files("#file", str(tmp_path / "a.png"))
    page.get_by_role("button", name="Count", exact=True).click()
    page.locator("h2:has-text('Counts')").first.wait_for(state="visible")
    context.close()
