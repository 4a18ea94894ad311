"""``dive performance [STUDY...]``: what D2L 13 says of computing, measured on this machine, with tables and pictures.

    dive performance                       all five; about ten minutes on two idle cores
    dive performance roofline --recipes cnn/lenet attention/gpt
    dive performance hardware --small      small sizes: whether it runs
    dive performance --write               into results/performance.json, docs/parallel.md and its pictures
    dive performance --render              page and pictures of what was measured

The studies (``studies/``): `hardware`, the book's table of latencies beside this machine's; `compile`, eager against
``torch.compile``; `asynchronous`, when a call returns and when its result is there; `overlap`, computing while loading,
sending, copying; `roofline`, the project's networks under the machine's roof. What needs a GPU is measured where one
is, and "not run" elsewhere. Measure on an idle machine; the page shows the load that was found.
"""

import argparse
import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.messages import UserError, did_you_mean
from scripts.evidence.pages import between, rewrite
from scripts.evidence.rows_file import locked, replace_text
from scripts.front.option_parser import OptionParser
from scripts.front.recipes import CONFIGS

if TYPE_CHECKING:  # torch is imported when it is needed: a mistake in the command is said at once
    from scripts.evidence.studies.work import Row, Setting

ROOT = CONFIGS.parent
STUDIES = ("hardware", "compile", "asynchronous", "overlap", "roofline")
RESULT = ROOT / "results" / "performance.json"
PAGE = ROOT / "docs" / "parallel.md"
LAST = "<!--/performance-->"
PICTURES = "results/performance"  # how the page names the source of its pictures


def measures() -> "dict[str, Callable[[Setting], list[Row]]]":
    """What measures each study."""
    from scripts.evidence.studies import asynchronous, compiled, hardware, overlap, roofline

    modules = (hardware, compiled, asynchronous, overlap, roofline)
    return {name: module.measure for name, module in zip(STUDIES, modules, strict=True)}


def run(study: str, setting: "Setting") -> dict[str, Any]:
    """What ``results/performance.json`` holds of a study."""
    from callbacks.run_record import commit
    from scripts.evidence.bench import machine

    facts: dict[str, Any] = {"machine": machine(), "commit": commit(), "date": time.strftime("%Y-%m-%d")}
    facts |= {"threads": setting.threads, "small": setting.small}
    return facts | {"rows": measures()[study](setting)}


def keep(study: str, found: dict[str, Any]) -> None:
    """Puts a study in the place of its older numbers."""
    with locked(RESULT.parent):
        known = read() | {study: found}
        replace_text(RESULT, json.dumps({name: known[name] for name in STUDIES if name in known}, indent=1) + "\n")


def read() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(RESULT.read_text()) if RESULT.is_file() else {}
    return found


def draw(folder: Path) -> None:
    """``STUDY.png`` of each study that was measured."""
    from scripts.evidence.studies.drawing import DRAWINGS

    for study, found in read().items():
        if found["rows"]:
            DRAWINGS[study](found["rows"]).savefig(folder / f"{study}.png", dpi=80)


def render(page: Path = PAGE) -> None:
    """Writes each study's tables into the page, between its marks.

    Raises:
        UserError: The page lacks them.
    """
    from scripts.evidence.studies.page import section

    results = read()

    def filled(text: str) -> str:
        for study in STUDIES:
            first, new = f"<!--performance {study}-->\n", section(study, results.get(study))
            text = between(text, first, LAST, new, page.name)
        return text

    rewrite(page, filled)


def main(argv: list[str]) -> int:
    """Measures, prints, keeps and renders; returns 0."""
    parser = OptionParser(prog="dive performance", description=(__doc__ or "").strip())
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("studies", nargs="*", metavar="STUDY", help=f"{', '.join(STUDIES)}; all without names")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="of each process; 1")
    parser.add_argument("--recipes", nargs="+", default=[], metavar="RECIPE", help="of `compile` and `roofline`")
    parser.add_argument("--small", action="store_true", help="small sizes, in a minute: no measurement")
    parser.add_argument("--write", action="store_true", help="keep it, and render page and pictures")
    parser.add_argument("--render", action="store_true", help="page and pictures only")
    options = parser.parse_args(argv)
    for study in options.studies:
        if study not in STUDIES:
            raise UserError(f"no study {study!r}{did_you_mean(study, STUDIES) or ': ' + ', '.join(STUDIES)}")
    if options.threads < 1:
        raise UserError(f"--threads is {options.threads}: give a whole number of at least 1")
    if options.small and options.write:
        raise UserError("--small is not a measurement: leave out --write, which would replace one")
    if not options.render:
        from scripts.evidence.studies.page import section
        from scripts.evidence.studies.work import Setting

        setting = Setting(options.threads, options.small, partial(print, flush=True), options.recipes)
        for study in options.studies or STUDIES:
            found = run(study, setting)
            setting.say(f"\n{study}\n{section(study, found)}")
            if options.write:
                keep(study, found)
    if not (options.write or options.render):
        return 0
    from scripts.evidence.pictures import pictures_of, renew

    render()
    drawn = {f"{study}.png" for study, found in read().items() if found["rows"]}
    renew(picture for picture in pictures_of(PAGE) if picture.recipe == PICTURES and picture.file in drawn)
    return 0
