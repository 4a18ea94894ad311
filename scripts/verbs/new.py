"""``dive new NAME``: a project of your own beside this one, or the files of a new model here.

    dive new NAME              a folder NAME with a network, its training, data, a recipe and tests; then
                               cd NAME && dive fit NAME.yaml
    dive new --topic T/M       in a checkout: model, recipe, test, parity check and page of the model M of topic T; they
                               say TODO where something is to be written, and the tests fail until it is

A name is lower case letters, digits and underscores. Nothing that exists is overwritten.
"""

import importlib.util
import keyword
import re
import sys
from pathlib import Path
from string import Template

from common.messages import UserError, did_you_mean
from scripts.front.plan import items, topics
from scripts.front.recipes import CONFIGS
from scripts.front.verbs import SCRIPTS

TEMPLATES = SCRIPTS / "templates"
ROOT = CONFIGS.parent


def main(argv: list[str]) -> int:
    """Writes the files and prints what to do next; returns 0.

    Raises:
        UserError: A name that cannot be one, a topic that is not in the plan, a file that exists.
    """
    if {"-h", "--help"} & set(argv):
        print((__doc__ or "").strip())
        return 0
    if argv[:1] == ["--topic"] and len(argv) == 2:
        return new_model(argv[1])
    if len(argv) == 1 and not argv[0].startswith("-"):
        return new_project(argv[0])
    raise UserError("dive new needs a name, `dive new NAME`, or in a checkout `dive new --topic TOPIC/MODEL`")


def new_project(name: str) -> int:
    """A user's own project in a new folder."""
    check_name(name)
    if name in sys.stdlib_module_names or importlib.util.find_spec(name) is not None:
        raise UserError(f"{name} is the name of a module or a folder that exists: take another one")
    write(plan_files(TEMPLATES / "project", Path(name), {"NAME": name}), names_of(name))
    print(f"\nnext: cd {name} && dive fit {name}.yaml")
    return 0


def new_model(path: str) -> int:
    """The files of a model of a topic in this checkout."""
    topic, _, name = path.partition("/")
    check_name(topic)
    check_name(name)
    if not (ROOT / "scripts/evidence").is_dir():
        raise UserError("dive new --topic writes into a checkout of the project: this dive is installed")
    if topic not in topics():
        raise UserError(f"configs/plan.yaml has no topic {topic!r}{did_you_mean(topic, topics())}: add it there first")
    stem = f"{topic}_{name}" if (ROOT / f"scripts/evidence/parity/{topic}.py").is_file() else topic
    files = plan_files(TEMPLATES / "topic", ROOT, {"TOPIC": topic, "NAME": name, "PARITY": stem})
    page = ROOT / "docs" / f"{topic}.md"
    if page.is_file():  # a topic's second model is a line on its page
        files.pop(page)
    plan = next(str(item.number) for item in items() if topic in item.topics)
    write(files, names_of(name) | {"topic": topic, "Topic": topic.capitalize(), "plan": plan})
    for folder in (ROOT / "lit_models" / topic, ROOT / "tests/lit_models" / topic):
        (folder / "__init__.py").touch()
    page.write_text(
        add_row(page.read_text(encoding="utf-8"), f"| `lit_models/{topic}/{name}.py` | TODO: what it has |")
    )
    print(f"\nnext: write what says TODO, then pytest tests/lit_models/{topic}/test_{name}.py and dive verify {topic}")
    return 0


def add_row(page: str, row: str) -> str:
    """A page with one more row in its table of files; at its end if it does not have such a table."""
    lines = page.splitlines()
    files = [k for k, line in enumerate(lines) if line.startswith("| `lit_models/")]
    heads = [k + 1 for k, line in enumerate(lines) if line == "| file | content |"]
    at = (files or heads or [len(lines) - 1])[-1] + 1
    return "\n".join([*lines[:at], row, *lines[at:]]) + "\n"


def check_name(name: str) -> None:
    """Refuses names that cannot be a module's name."""
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        raise UserError(f"{name!r} is not a name: lower case letters, digits and underscores, beginning with a letter")


def names_of(name: str) -> dict[str, str]:
    """The values of ``$name`` and, for a class, ``$Name`` in the templates."""
    return {"name": name, "Name": "".join(part.capitalize() for part in name.split("_"))}


def plan_files(templates: Path, folder: Path, names: dict[str, str]) -> dict[Path, Path]:
    """Which file comes from which template; capitalized words in a template's path are placeholders."""
    found = {}
    for template in sorted(templates.rglob("*.template")):
        path = template.relative_to(templates).with_suffix("").as_posix()
        for word, name in names.items():
            path = path.replace(word, name)
        found[folder / path] = template
    return found


def write(files: dict[Path, Path], values: dict[str, str]) -> None:
    """Fills in the templates; either all files are created or none."""
    for path in files:
        if path.exists():
            raise UserError(f"{path} exists already: take another name, or move it away")
    for path, template in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(Template(template.read_text(encoding="utf-8")).substitute(values), encoding="utf-8")
        print(path)
