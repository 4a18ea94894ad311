"""The verbs of ``dive``, found by listing folders and read as text: a module is imported only when it is used.

Every file of ``scripts/verbs`` is a verb, and in ``scripts/evidence`` every file whose first line is of this form::

    \"\"\"``dive export RECIPE``: the network of a run as files that other programs read.

The text before the colon is shown as its usage, the text after it as its line in ``dive --help``. The file has a
function ``main(argv) -> int``, which also handles ``--help``.
"""

import ast
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from textwrap import shorten

SCRIPTS = Path(__file__).resolve().parents[1]
#: Lightning's own, which all go to ``scripts/front/lightning_cli.py``.
LIGHTNING = {
    "fit": ("fit RECIPE [-c PRESET] [--KEY VALUE]", "train; --resume continues the newest run at the same batch"),
    "validate": ("validate RECIPE", "the best checkpoint of the newest run on the validation split"),
    "test": ("test RECIPE [--run DIR]", "the same on the test split"),
    "predict": ("predict RECIPE", "the same on new data: predictions.csv"),
}
#: Verbs that a checkout has and an installed ``dive`` does not have.
EVIDENCE = (
    "bench",
    "compare",
    "optimizers",
    "paired",
    "performance",
    "pictures",
    "regret",
    "replay",
    "results",
    "scaling",
    "study",
    "verify",
)


@dataclass(frozen=True)
class Verb:
    """One verb: its name, its module, how it is called and what it does, in a line each."""

    name: str
    module: str
    usage: str
    summary: str


def find_verbs() -> dict[str, Verb]:
    """The verbs besides Lightning's, by name: first those for everyday use, then the project's own evidence."""
    found = {}
    for folder in ("verbs", "evidence"):
        for path in sorted((SCRIPTS / folder).glob("*.py")):
            verb = read_verb(path)
            if verb is not None:
                found[path.stem] = verb
    return found


@cache
def read_verb(path: Path) -> Verb | None:
    """The verb of a file by the first line of its docstring; None if the line does not have that form."""
    opening = (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").partition("\n\n")[0]
    line = re.match(rf"``dive ({path.stem}\b[^`]*)``: (.+?)(?:\.\s|\.?$)", " ".join(opening.split()))
    return Verb(path.stem, f"scripts.{path.parent.name}.{path.stem}", line[1], line[2]) if line else None


def verb_lines(width: int = 40) -> str:
    """The verbs as aligned lines for ``dive --help``."""
    rows = [*LIGHTNING.values(), *((verb.usage, verb.summary) for verb in find_verbs().values())]
    return "\n".join(f"  dive {usage:<{width}} {shorten(says, 72, placeholder=' ...')}" for usage, says in rows)
