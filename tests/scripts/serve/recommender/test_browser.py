"""The website in a real browser: Debian's Chromium, driven by Playwright. Slow: the browser alone takes seconds."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scripts.evidence.screenshots import DESKTOP, PHONE, Scene, browser, opened
from tests.scripts.serve.live import faults_of, live, needs_chromium, serious, sideways, unlabeled
from tests.scripts.serve.recommender.planted import planted_app

pytestmark = [pytest.mark.slow, needs_chromium]
PAGES = ("", "films", "films/1", "films?q=zzz", "history", "numbers", "account", "nowhere")
NOTHING = Scene(lambda page: None)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser() as found:
        yield found


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    with live(planted_app(tmp_path)) as found:
        yield found


def rate(page: Any, form: Any, stars: int) -> None:
    with page.expect_response(lambda response: response.request.method == "GET"):
        form.locator("button").nth(stars - 1).click()
    page.locator("html:not([aria-busy])").wait_for()


def titles(page: Any) -> list[str]:
    return page.locator("#suggestions .title").all_inner_texts()  # type: ignore[no-any-return]


def test_a_guest_rates_five_films_and_the_suggestions_change_without_a_reload(chromium: Any, address: str) -> None:
    with opened(chromium, address, NOTHING) as page:
        faults = faults_of(page)
        page.evaluate("window.still = true")
        shown = ""
        for k in range(5):
            rate(page, page.locator("#ask form.stars").first, 5 - k % 2 * 3)
            assert page.locator("#mine form.stars").count() == k + 1
            assert page.locator("#suggestions").inner_text() != shown  # the films, or what is predicted, or why
            shown = page.locator("#suggestions").inner_text()
        before = titles(page)
        assert page.evaluate("window.still") and len(before) == 12
        assert "5 films" in page.locator("#said").inner_text()  # a screen reader hears it
        rate(page, page.locator("#for form.stars").first, 5)  # one of the suggestions
        assert before[0] not in titles(page)
        page.locator("#undo").click()
        page.locator("#mine .card").nth(5).wait_for(state="detached")
        assert titles(page) == before
        assert faults == []


def test_plausible_suggestions_search_and_history(chromium: Any, address: str) -> None:
    with opened(chromium, f"{address}films?genre=Western", NOTHING) as page:
        faults = faults_of(page)
        for k in range(4):
            rate(page, page.locator("#found form.stars").nth(k), 5)
        page.goto(address)
        genres = page.locator("#suggestions .facts-line").all_inner_texts()
        assert all("Western" in facts for facts in genres[:4])
        name = titles(page)[0]
        page.get_by_role("searchbox", name="Find a film").fill(name)
        page.keyboard.press("Enter")
        page.get_by_role("link", name=name).first.click()
        page.get_by_role("heading", level=1, name=name, exact=True).wait_for()  # a click does not wait for the page
        assert "predicted for you" in page.inner_text("main")
        page.get_by_role("button", name=f"4 of 5 stars for {name}").first.click()
        page.get_by_role("button", name="Take the rating back").wait_for()
        page.get_by_role("link", name="Ratings", exact=True).click()
        page.locator(".rows li").nth(4).wait_for()
        assert page.locator(".rows li").count() == 5
        assert faults == []


def test_everything_works_by_keyboard_and_without_javascript(chromium: Any, address: str) -> None:
    with opened(chromium, address, NOTHING, java_script_enabled=False) as page:
        page.keyboard.press("Tab")
        assert page.locator(":focus").inner_text() == "Skip to the content"
        form = page.locator("#ask form.stars button").nth(3)
        form.focus()
        page.keyboard.press("Enter")
        page.locator("#suggestions .card").nth(11).wait_for()
        assert page.locator("#mine form.stars").count() == 1 and len(titles(page)) == 12
        page.locator("#undo").press("Enter")
        page.locator(".empty").wait_for()


def test_a_guest_signs_up_comes_back_and_deletes_everything(chromium: Any, address: str) -> None:
    with opened(chromium, address, NOTHING) as page:
        faults = faults_of(page)
        rate(page, page.locator("#ask form.stars").first, 5)
        page.get_by_role("link", name="Account").click()
        join = page.locator("form[action='/account/join']")
        join.get_by_label("Name").fill("Zoë")
        join.get_by_label("Password").fill("a long password")
        join.get_by_role("button", name="Sign up").click()
        page.get_by_role("heading", name="Zoë").wait_for()
        page.get_by_role("button", name="Sign out").click()
        page.get_by_text("No account needed").wait_for()
        page.goto(f"{address}account")
        enter = page.locator("form[action='/account/enter']")
        enter.get_by_label("Name").fill("zoë")
        enter.get_by_label("Password").fill("a long password")
        enter.get_by_role("button", name="Sign in").click()
        page.get_by_text("1 film rated").wait_for()
        page.get_by_label("Password, to delete everything").fill("a long password")
        page.get_by_role("button", name="Delete everything of mine").click()
        page.get_by_text("No account needed").wait_for()
        assert page.context.cookies(address) and not [c for c in page.context.cookies() if c["name"] == "session"]
        assert faults == []


@pytest.mark.parametrize(("size", "dark"), [(DESKTOP, False), (PHONE, False), (PHONE, True)])
def test_every_page_fits_and_has_names_for_screen_readers(chromium: Any, address: str, size: Any, dark: bool) -> None:
    with opened(chromium, address, Scene(lambda page: None, size, dark)) as page:
        faults = faults_of(page)
        rate(page, page.locator("#ask form.stars").first, 5)
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (ground == "rgb(14, 20, 26)") is dark
        for path in PAGES:
            page.goto(address + path)
            assert sideways(page) <= 0, path
            assert unlabeled(page) == [], path
            assert page.locator("h1").count() == 1 and page.get_attribute("html", "lang") == "en", path
        assert [fault for fault in faults if "404" not in fault] == []


@pytest.mark.parametrize("dark", [False, True])
def test_axe_finds_no_serious_violation_on_any_page(chromium: Any, address: str, dark: bool) -> None:
    with opened(chromium, address, Scene(lambda page: None, DESKTOP, dark)) as page:
        for _ in range(2):
            rate(page, page.locator("#ask form.stars").first, 5)
        found = {path: serious(page) for path in PAGES if page.goto(address + path)}
        assert not any(found.values()), found
        page.evaluate("document.querySelector('h1').insertAdjacentHTML('afterend', '<button></button>')")
        assert serious(page)  # it can fail
