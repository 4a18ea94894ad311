"""Screenshots of the web pages for docs/: ``dive serve`` in a process of its own, Chromium through Playwright.

On a page of docs/ the source of such a picture is ``serve/RECIPE`` and the name of a scene::

    <!--picture serve/recommender/mf desktop.png-->

A scene belongs to a page of ``scripts/serve`` and does what a person would do before the picture is taken. The browser
is the system's (``/usr/bin/chromium``, or ``DIVE_CHROMIUM``); nothing is downloaded.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

from common.messages import RunError

DESKTOP, PHONE = (1280, 900), (390, 844)  # pixels


def chromium() -> str:
    """The browser's file; empty where there is none."""
    path = os.environ.get("DIVE_CHROMIUM", "/usr/bin/chromium")
    return path if os.access(path, os.X_OK) else ""


class Scene(NamedTuple):
    """What is done on a page, and how large and in which colors it is shown."""

    act: Callable[[Any], None]
    size: tuple[int, int] = DESKTOP
    dark: bool = False


@contextmanager
def browser() -> Iterator[Any]:
    """Chromium; of a sandbox of its own only where it is not root's.

    Raises:
        RunError: There is none.
    """
    from playwright.sync_api import sync_playwright

    if not chromium():
        raise RunError("no Chromium at /usr/bin/chromium: DIVE_CHROMIUM names another one")
    with sync_playwright() as playwright:
        root = ["--no-sandbox"] if os.geteuid() == 0 else []
        found = playwright.chromium.launch(executable_path=chromium(), args=[*root, "--disable-gpu"])
        try:
            yield found
        finally:
            found.close()


@contextmanager
def opened(found: Any, address: str, scene: Scene, **options: Any) -> Iterator[Any]:
    """A page of a browser at an address, in the scene's size and colors."""
    width, height = scene.size
    context = found.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if scene.dark else "light",
        reduced_motion="reduce",
        has_touch=scene.size == PHONE,
        **options,
    )
    try:
        page = context.new_page()
        page.goto(address)
        yield page
    finally:
        context.close()


@contextmanager
def served(recipe: str, runs: str) -> Iterator[str]:
    """``dive serve RECIPE`` on a free port; gives its address, with a slash at the end."""
    command = [sys.executable, "-m", "scripts.cli", "serve", recipe, "--port", "0"]
    environment = os.environ | {"DIVE_RUNS": runs, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        line = (process.stdout or sys.stdin).readline()
        if " on http://" not in line:
            raise RunError(f"`dive serve {recipe}` did not start: {line.strip() or 'no output'}")
        yield line.split(" on ")[1].split()[0] + "/"
    finally:
        process.terminate()
        process.wait(60)


def shoot(recipe: str, runs: str, folder: Path) -> Path:
    """Takes all scenes of a recipe's page; returns the folder with them."""
    with served(recipe, runs) as address, browser() as found:
        for name, scene in SCENES[recipe.split("/")[0]].items():
            with opened(found, address, scene) as page:
                scene.act(page)
                page.screenshot(path=folder / f"{name}.png")
    return folder


# -- the recommender ------------------------------------------------------------------------------------------------


def rate_some(page: Any, wishes: tuple[tuple[str, int], ...] = (("Space", 5), ("Western", 2), ("Mystery", 4))) -> None:
    """Rates films of some genres, as a person with a taste does."""
    home = page.url
    for genre, stars in wishes:
        page.goto(f"{home}films?genre={genre}")
        for k in range(2 if stars > 2 else 1):
            form = page.locator("#found form.stars").nth(2 * k)
            with page.expect_response(lambda response: response.request.method == "GET" and "/films" in response.url):
                form.locator("button").nth(stars - 1).click()
    page.goto(home)
    page.locator("#suggestions .card").first.wait_for()
    page.mouse.move(0, 0)


# -- the cells --------------------------------------------------------------------------------------------------------


def drop_some(page: Any) -> None:
    """Chooses four drawn pictures and waits until all are counted."""
    from PIL import Image

    from datamodules.vision.cells import draw_cells

    files = []
    for k, picture in enumerate(draw_cells(4, 7)[0]):
        content = BytesIO()
        Image.fromarray(picture.permute(1, 2, 0).numpy()).resize((480, 480)).save(content, "PNG")
        files.append({"name": f"smear {k + 1}.png", "mimeType": "image/png", "buffer": content.getvalue()})
    page.set_input_files("#file", files)
    page.locator("#said", has_text="of 4 pictures counted").wait_for(state="attached")


# -- the chat ---------------------------------------------------------------------------------------------------------


def ask_some(page: Any) -> None:
    """Asks the examples, one after the other, always with the best token."""
    page.locator("details summary").click()
    page.locator("#temperature").fill("0")
    page.locator("details summary").click()
    for k, question in enumerate(page.locator("[data-example]").all_inner_texts()):
        page.locator("#question").fill(question)
        page.keyboard.press("Enter")
        page.locator("#messages .answer:not(.arriving)").nth(k).wait_for()
    page.mouse.move(0, 0)


SCENES: dict[str, dict[str, Scene]] = {
    "vision": {
        "desktop": Scene(drop_some, (1180, 800)),
        "phone": Scene(drop_some, PHONE),
        "dark": Scene(drop_some, DESKTOP, True),
    },
    "rwkv": {
        "desktop": Scene(ask_some, (1180, 800)),
        "phone": Scene(ask_some, PHONE),
        "dark": Scene(ask_some, DESKTOP, True),
    },
    "recommender": {
        "desktop": Scene(rate_some, (1180, 800)),  # small enough to be kept with all its colors
        "phone": Scene(rate_some, PHONE),
        "dark": Scene(rate_some, DESKTOP, True),
    },
}
