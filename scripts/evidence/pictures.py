"""``dive pictures``: trains what the pages of docs/ show and renews their pictures.

    dive pictures             every picture of every page
    dive pictures cnn rnn     those of docs/cnn.md and docs/rnn.md

On a page, the line above a picture (PNG, or an animated GIF) names its source: a recipe, arguments if it needs some,
and a file of the run folder (``generated/FILE`` is what ``dive generate`` adds); ``curves/RECIPE,RECIPE`` with the
arguments of ``dive curves``, five seeds of each; ``results/TOPIC``, which is drawn from the measured results; or
``serve/RECIPE``, screenshots of its web page (``screenshots.py``)::

    <!--picture cnn/lenet confusion.png-->
    ![what one sees](pictures/cnn_confusion.png)

Each recipe is fitted and tested once, on the CPU with one thread, in a temporary runs folder.
"""

import argparse
import json
import os
import re
import shlex
import tempfile
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

from common.messages import RunError, UserError, did_you_mean
from scripts.evidence.pages import DOCS
from scripts.front.option_parser import OptionParser
from scripts.front.recipes import all_recipes, find_recipe

MOST_BYTES = 150_000  # of a picture in the repository
FILE = r"(\S+\.(?:png|gif))"
MARKER = re.compile(rf"^<!--picture (\S+) (?:(.+) )?{FILE}-->\n!\[[^\]]*\]\({FILE}\)", re.MULTILINE)


class Picture(NamedTuple):
    """One picture of a page: what is run for it, the file of the run folder, and where it is kept."""

    recipe: str
    arguments: str
    file: str
    path: Path

    @property
    def run(self) -> tuple[str, str]:
        """Pictures with the same recipe and arguments come from one run."""
        return self.recipe, self.arguments


def main(argv: list[str]) -> int:
    """Renews the pictures of the named topics, or of all; returns 0."""
    parser = OptionParser(prog="dive pictures", description=(__doc__ or "").strip())
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("topics", nargs="*", metavar="TOPIC", help="pages of docs/, by name")
    topics = parser.parse_args(argv).topics
    known = {page.stem: found for page in sorted(DOCS.glob("*.md")) if (found := pictures_of(page))}
    for topic in topics:
        if topic not in known:
            raise UserError(f"no page with pictures {topic!r}{did_you_mean(topic, known) or ': ' + ', '.join(known)}")
    renew([picture for topic in topics or known for picture in known[topic]])
    return 0


def pictures_of(page: Path) -> list[Picture]:
    """The pictures of a page that have a marker.

    Raises:
        UserError: A marker that cannot be read, or that no picture follows.
    """
    text = page.read_text()
    found = [
        Picture(recipe, arguments or "", file, page.parent / path)
        for recipe, arguments, file, path in MARKER.findall(text)
    ]
    if len(found) != text.count("<!--picture "):
        raise UserError(f"{page}: a picture is <!--picture RECIPE FILE.png--> and ![...](FILE.png) on the next line")
    return found


def renew(pictures: Iterable[Picture]) -> None:
    """Runs each recipe once and saves its pictures."""
    runs: dict[tuple[str, str], list[Picture]] = {}
    for picture in pictures:
        runs.setdefault(picture.run, []).append(picture)
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # the same sums, in the same order, on every machine
    for (recipe, arguments), wanted in runs.items():
        with tempfile.TemporaryDirectory(prefix="dive-pictures-") as folder:
            if recipe.startswith("results/"):
                made = draw_results(recipe, Path(folder))
            elif recipe.startswith("curves/"):
                made = draw_seeds(recipe.removeprefix("curves/").split(","), arguments, folder)
            else:
                made = train(recipe.removeprefix("serve/"), arguments, folder)
            if any(picture.file.startswith("generated/") for picture in wanted):
                made_by("generate", [recipe], folder)
            if recipe.startswith("serve/"):
                from scripts.evidence.screenshots import shoot

                made = shoot(recipe.removeprefix("serve/"), folder, made)
            for picture in wanted:
                if not (made / picture.file).is_file():
                    there = ", ".join(sorted(path.name for path in made.iterdir() if path.suffix in (".png", ".gif")))
                    raise UserError(f"a run of {recipe} draws no {picture.file}; it draws {there}")
                picture.path.parent.mkdir(exist_ok=True)
                source = made / picture.file
                picture.path.write_bytes(small_png(source) if source.suffix == ".png" else source.read_bytes())
                print(
                    f"{picture.path.relative_to(DOCS.parent)}  {picture.path.stat().st_size / 1000:.0f} kB", flush=True
                )


def train(recipe: str, arguments: str, folder: str) -> Path:
    """Fits and tests a recipe; returns its run folder.

    Raises:
        RunError: One of the two ended with another exit code than 0.
    """
    name = find_recipe(recipe).name
    made_by("fit", [name, "--trainer.accelerator", "cpu", *shlex.split(arguments)], folder)
    made_by("test", [name], folder)
    (run,) = (path.parent for path in Path(folder).glob(f"{name}/*/config.yaml"))
    return run


def draw_seeds(recipes: list[str], arguments: str, folder: str) -> Path:
    """``curves.png``: what ``dive curves`` draws of some recipes, each fitted with five seeds."""
    for name in recipes:
        for seed in range(5):
            made_by("fit", [name, "--trainer.accelerator", "cpu", "--seed_everything", str(seed)], folder)
    made_by("curves", [*recipes, *shlex.split(arguments), "--out", f"{folder}/curves.png"], folder)
    return Path(folder)


def made_by(verb: str, words: list[str], folder: str) -> None:
    """Runs ``dive VERB WORDS`` with a folder for its runs.

    Raises:
        RunError: It ended with another exit code than 0.
    """
    from scripts.front import forked

    code, output = forked.run([verb, *words], {"DIVE_RUNS": folder, "DIVE_RUN_DIR": None, "OMP_NUM_THREADS": "1"})
    if code:
        last = (output.strip() or "no output").splitlines()[-1]
        raise RunError(f"`dive {shlex.join([verb, *words])}` ended with exit code {code}: {last}")


def draw_results(name: str, folder: Path) -> Path:
    """``networks.png``: what the measured recipes of ``results/TOPIC`` reach, against their size; of the study
    one a network, of the searches ``replay.png``, of ``results/performance`` one a study; ``grid.png``
    of the optimizers, ``scaling.png`` of the law.
    """
    from scripts.evidence.results import RESULTS, load
    from scripts.evidence.results_picture import draw_topic
    from scripts.evidence.study_methods import NETWORKS
    from scripts.evidence.study_page import draw, read_rows

    if name.endswith("_study"):
        for network in NETWORKS:
            if measured := read_rows(RESULTS.parent / f"{name}.csv", network):
                draw(measured).savefig(folder / f"{network}.png", dpi=80)
        return folder
    if name.endswith("_replay"):
        from scripts.evidence.replay import RESULT
        from scripts.evidence.replay import draw as draw_replay

        draw_replay(json.loads(RESULT.read_text()), folder / "replay.png")
        return folder

    if name == "results/performance":
        from scripts.evidence.performance import draw as draw_performance

        draw_performance(folder)
        return folder
    if name == "results/optimizer_grid":
        from scripts.evidence import optimizer_page

        grid = optimizer_page.read_rows(RESULTS / "optimizer_grid.csv")
        optimizer_page.draw(grid).savefig(folder / "grid.png", dpi=80)
        return folder
    if name == "results/scaling":
        from scripts.evidence.scaling import draw as draw_scaling

        draw_scaling(folder / "scaling.png")
        return folder

    topic = name.removeprefix("results/")
    rows = [(recipe.name, load(recipe)) for recipe in all_recipes() if recipe.name.startswith(f"{topic}/")]
    draw_topic(rows, topic, folder / "networks.png")
    return folder


def small_png(path: Path, most: int = MOST_BYTES) -> bytes:
    """A picture as a PNG of at most ``most`` bytes: as it is, else with fewer colors, else with fewer pixels."""
    from PIL import Image

    with Image.open(path) as opened:
        image = opened.convert("RGB")
    colors = 0  # all
    while True:
        buffer = BytesIO()
        reduced = image.quantize(colors, dither=Image.Dither.NONE) if colors else image
        reduced.save(buffer, "PNG", optimize=True)
        if buffer.tell() <= most:
            return buffer.getvalue()
        if colors == 64:
            image = image.resize((image.width * 4 // 5, image.height * 4 // 5), Image.Resampling.LANCZOS)
        colors = {0: 256, 256: 128}.get(colors, 64)
