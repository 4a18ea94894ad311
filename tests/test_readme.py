"""README.md and the pages of docs/: their commands and options exist, their links and files too, their examples run."""

import inspect
import re
import shlex
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml
from lightning.pytorch import Trainer

from common.messages import UserError
from scripts.evidence.pages import all_pages
from scripts.front.arguments import find_class, resolve
from scripts.front.recipes import find_recipe
from scripts.front.verbs import LIGHTNING, find_verbs

ROOT = Path(__file__).parent.parent
TEXTS = {page.relative_to(ROOT).as_posix(): page.read_text() for page in all_pages()}
README = TEXTS["README.md"]
BLOCK = re.compile(r"```(\w*)\n(.*?)```", re.DOTALL)


def commands_of(text: str) -> set[str]:
    """The commands of a page: lines of its blocks, and those in its tables."""
    blocks = [block for kind, block in BLOCK.findall(text) if not kind]
    lines = [line.split(" #")[0].strip() for block in blocks for line in block.splitlines()]
    lines += re.findall(r"^\|.*?`(dive [^`]+)`", text, re.MULTILINE)
    return {line for line in lines if line.startswith("dive ") and not line.endswith(("RECIPE", "..."))}


PAGES = {page: sorted(commands_of(text)) for page, text in TEXTS.items()}
COMMANDS = sorted({command for found in PAGES.values() for command in found})
OWN = {"net"}  # an option of every recipe: the network itself


@pytest.mark.parametrize("page", [page for page, found in PAGES.items() if found])
def test_commands_resolve(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    faults = {}
    for k, command in enumerate(PAGES[page]):
        folder = tmp_path / str(k)
        folder.mkdir()
        monkeypatch.chdir(folder)
        monkeypatch.setenv("DIVE_RUNS", str(folder / "runs"))
        if fault := fault_of(command, folder):
            faults[command] = fault
    assert not faults


def fault_of(command: str, folder: Path) -> str:
    """What is wrong with a command, given in a folder with a run of its recipe; "" if nothing is."""
    verb, *words = shlex.split(command.replace("TIME", "a"))[1:]
    if verb not in (*LIGHTNING, *find_verbs()):
        return f"no verb {verb}"
    if not words or "/" not in words[0]:
        return ""  # dive list cnn
    recipe = find_recipe(words[0])
    if verb in LIGHTNING:
        run = folder / "runs" / recipe.name / "a"
        for name in ("checkpoints", "export"):
            (run / name).mkdir(parents=True)
        (run / "config.yaml").write_text(recipe.path.read_text())
        for name in ("checkpoints/best", "checkpoints/last", "export/model"):
            (run / f"{name}.ckpt").write_bytes(b"x")
        try:
            if resolve(verb, words).recipe != recipe.name:
                return "another recipe"
        except UserError as error:
            return str(error)
    known = verb not in (*LIGHTNING, "ensemble", "describe")
    unknown = [".".join(option) for option in options_of(words) if not (known or is_known(recipe.name, *option))]
    return f"no option {', '.join(unknown)}" if unknown else ""


@pytest.mark.parametrize(
    ("command", "fault"),
    [
        ("dive fit cnn/lenet --model.activation relu", ""),
        ("dive fit cnn/lenet --model.activatoin relu", "no option model.activatoin"),
        ("dive fitt cnn/lenet", "no verb fitt"),
        ("dive fit cnn/lenet -c trainer/no_such", "no config"),
    ],
)
def test_a_wrong_command_is_seen(command: str, fault: str, tmp_path: Path) -> None:
    found = fault_of(command, tmp_path)
    assert fault in found and bool(fault) == bool(found)


def options_of(words: list[str]) -> list[tuple[str, str]]:
    """The options of a command as (section, name): ``--model.optimizer.lr 1`` is ("model", "optimizer")."""
    return re.findall(r"--(model|data|trainer)\.(\w+)", " ".join(words))


def is_known(recipe: str, section: str, name: str) -> bool:
    """Whether the Trainer, a recipe's model or datamodule, or one that the pages put in its place takes this argument.

    What is in a person's own ``mine.py`` cannot be known; ``--model.net`` is how a network gets there.
    """
    if section == "trainer":
        return name in argument_names(Trainer)
    path = yaml.safe_load(find_recipe(recipe).path.read_text())[section]["class_path"]
    package = {"model": "lit_models", "data": "datamodules"}[section]
    given = {found for c in COMMANDS for found in re.findall(rf" {recipe} .*--{section} ([\w.]+)", c)}
    if (section, name) == ("model", "net") or any(found.startswith("mine.") for found in given):
        return True
    paths = [path, *(find_class(found, package) for found in given)]
    kinds = [getattr(import_module(p.rpartition(".")[0]), p.rpartition(".")[2]) for p in paths]
    return any(name in argument_names(kind) for kind in kinds)


def test_a_misspelled_option_is_not_known() -> None:
    assert is_known("cnn/lenet", "model", "activation") and not is_known("cnn/lenet", "model", "activatoin")
    assert is_known("cnn/lenet", "data", "root") and not is_known("cnn/batch_norm", "data", "root")


def argument_names(kind: type[Any]) -> set[str]:
    """The arguments of a class and of those it hands its ``**arguments`` on to."""
    names = set(inspect.signature(kind).parameters)
    for base in inspect.getmro(kind):
        if "__init__" in vars(base):
            names |= set(inspect.signature(base.__init__).parameters)
    return names


@pytest.mark.parametrize("target", sorted(set(re.findall(r"`?make ([a-z-]+)", README))))
def test_make_target_exists(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.parametrize("page", TEXTS)
def test_links_lead_somewhere(page: str) -> None:
    for link in re.findall(r"\]\(([^)]+)\)", TEXTS[page]):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = (ROOT / page).parent / path if path else ROOT / page
        assert target.exists(), link
        if anchor:
            assert anchor in headings(target.read_text()), link


def headings(text: str) -> set[str]:
    """The headings of a page as the ends of links to them."""
    found = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in found}


@pytest.mark.parametrize("page", TEXTS)
def test_named_files_exist(page: str) -> None:
    tops = "lit_models|datamodules|configs|tests|docs"
    for path in re.findall(rf"`((?:{tops})/[\w/]+\.(?:py|yaml|md))`", TEXTS[page]):
        assert (ROOT / path).exists(), path


@pytest.mark.parametrize(
    "topic", sorted(p.name for p in (ROOT / "configs").iterdir() if (ROOT / "lit_models" / p.name).is_dir())
)
def test_a_topic_has_a_page_that_names_all_its_files(topic: str) -> None:
    text = TEXTS[f"docs/{topic}.md"]
    files = {path.name for path in (ROOT / "lit_models" / topic).glob("*.py")} - {"__init__.py"}
    assert not {name for name in files if f"lit_models/{topic}/{name}" not in text}
    assert f"docs/{topic}.md" in README


@pytest.mark.parametrize("page", [page for page in TEXTS if page != "README.md"])
def test_python_examples_run(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that are whole: a fragment of a class has no import."""
    monkeypatch.chdir(tmp_path)
    for kind, example in BLOCK.findall(TEXTS[page]):
        if kind == "python" and "import " in example and "callbacks.pictures" not in example:
            exec(example, {"__name__": "example"})


def test_library_example_learns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (example,) = [block for kind, block in BLOCK.findall(README) if kind == "python"]
    monkeypatch.chdir(tmp_path)
    scope: dict[str, object] = {}
    exec(example.replace("max_epochs=1", "max_epochs=1, limit_train_batches=5"), scope)
    assert scope["trainer"].callback_metrics["test/acc"] > 0.2  # type: ignore[attr-defined]


def test_all_twenty_items_of_the_plan_stand_in_the_table() -> None:
    assert re.findall(r"^\| (\d+) \|", README, re.MULTILINE) == [str(k) for k in range(1, 21)]
