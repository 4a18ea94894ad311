"""The rules of the house that can be read off the files: mirrors, imports, lengths, packages."""

import ast
import importlib
import inspect
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from docstring_parser import ParseError
from docstring_parser.google import parse

from scripts.front.plan import topics

ROOT = Path(__file__).parent.parent
CODE = ("common", "lit_models", "datamodules", "callbacks", "scripts")
TOPICS = topics()  # in the order of the study plan: a topic may use an earlier topic's networks, never a later one's
#: Files over 300 lines had a second look, and here is why they stay whole.
LONG: dict[str, str] = {}


def sources(*folders: str) -> list[Path]:
    return sorted(p for folder in folders for p in (ROOT / folder).rglob("*.py"))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def imports(path: Path) -> set[str]:
    """The modules of this project that a file imports, wherever in the file."""
    found = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return {name for name in found if name.split(".")[0] in (*CODE, "tests")}


def allowed(path: Path, module: str) -> bool:
    """Whether the file may import the module (DESIGN: functional <- layers <- tasks <- topics)."""
    here, there = path.relative_to(ROOT).parts, module.split(".")
    if there[0] == "common":
        return True
    if here[0] == "common":
        return False
    if here[0] == "scripts":
        return there[0] != "tests"
    if here[0] in ("datamodules", "callbacks"):
        return there[0] == here[0]
    if there[0] != "lit_models" or len(there) < 2:
        return False
    ranks = {"functional": 0, "layers": 1, "tasks": 2}
    mine, its = (ranks.get(part, 3 + (TOPICS.index(part) if part in TOPICS else 0)) for part in (here[1], there[1]))
    return its <= mine


def test_imports_go_in_one_direction() -> None:
    """One test of all files, as those below: a test for each would take seconds in which nothing is tested."""
    assert not [
        f"{name_of(path)} imports {module}"
        for path in sources(*CODE)
        for module in imports(path)
        if not allowed(path, module)
    ]


def test_a_forbidden_import_is_seen() -> None:
    assert not allowed(ROOT / "lit_models/cnn/lenet.py", "datamodules.base")
    assert not allowed(ROOT / "lit_models/linear/x.py", "lit_models.cnn.lenet")
    assert not allowed(ROOT / "lit_models/layers/x.py", "lit_models.tasks.task")
    assert allowed(ROOT / "lit_models/cnn/x.py", "lit_models.mlp.mlp")


def test_no_topic_uses_another_topics_lit_class() -> None:
    for path in sources("lit_models"):
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("lit_models."):
                here, there = path.relative_to(ROOT).parts[1], node.module.split(".")[1]
                taken = [alias.name for alias in node.names if alias.name.startswith("Lit")]
                assert here == there or not taken, f"{name_of(path)} imports {taken}"


def lit_files() -> list[Path]:
    """Topic files that define a LightningModule, by the naming rule ``class Lit...``."""
    return [
        path
        for path in sources("lit_models")
        if path.relative_to(ROOT).parts[1] in TOPICS
        and any(isinstance(n, ast.ClassDef) and n.name.startswith("Lit") for n in tree(path).body)
    ]


def test_a_model_has_a_config_and_a_test_of_its_name() -> None:
    files = lit_files()
    assert files
    for path in files:
        topic, stem = path.parent.name, path.stem
        assert (ROOT / "configs" / topic / f"{stem}.yaml").is_file(), name_of(path)
        assert (ROOT / "tests/lit_models" / topic / f"test_{stem}.py").is_file(), name_of(path)


def test_every_module_has_a_test_of_its_name() -> None:
    modules = [path for path in sources("lit_models", "datamodules", "callbacks") if path.name != "__init__.py"]
    tests = {path: ROOT / "tests" / path.relative_to(ROOT).parent / f"test_{path.stem}.py" for path in modules}
    assert not [f"{name_of(path)} has no {name_of(test)}" for path, test in tests.items() if not test.is_file()]


def test_there_is_one_import_path() -> None:
    full = [name_of(path) for path in sources("lit_models", "datamodules", "callbacks") if path.name == "__init__.py"]
    assert full and not [name for name in full if (ROOT / name).read_text()], "__init__.py stays empty"


def test_a_long_file_has_a_reason() -> None:
    lines = {name_of(path): len(path.read_text().splitlines()) for path in sources(*CODE)}
    assert not {name: count for name, count in lines.items() if count > 300 and name not in LONG}


def test_a_file_opens_with_what_it_is() -> None:
    files = [path for path in sources(*CODE) if path.name != "__init__.py"]
    assert not [name_of(path) for path in files if not ast.get_docstring(tree(path))]


def documented(thing: Any) -> set[str]:
    """The names under ``Args:`` in a docstring, with the stars of ``**kwargs``."""
    params = parse(inspect.cleandoc(getattr(thing, "__doc__", None) or "")).params
    return {name for p in params if p.args[0] == "param" for name in p.arg_name.split(", ")}


def arguments(thing: Any) -> set[str]:
    """The names of a function's or class's arguments, with the stars of ``*args`` and ``**kwargs``."""
    stars = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    if inspect.isclass(thing) and issubclass(thing, BaseException):
        return set()
    return {stars.get(p.kind, "") + p.name for p in inspect.signature(thing).parameters.values()}


def public_things(module: Any) -> Iterator[tuple[str, Any]]:
    """The public functions and classes that a module defines, and the public methods of these classes."""
    for name, thing in vars(module).items():
        own = getattr(thing, "__module__", None) == module.__name__ and not name.startswith("_")
        if own and (inspect.isclass(thing) or inspect.isfunction(thing)):
            yield name, thing
            if inspect.isclass(thing):
                methods = ((n, inspect.unwrap(getattr(m, "__func__", m))) for n, m in vars(thing).items())
                yield from ((f"{name}.{n}", m) for n, m in methods if inspect.isfunction(m) and not n.startswith("_"))


def docstring_faults(path: Path) -> list[str]:
    """What is wrong in the docstrings of a file, a line each."""
    module = importlib.import_module(name_of(path).removesuffix(".py").replace("/", "."))
    text = re.sub(r"(`+)[^`]+\1", "", module.__doc__ or "")
    faults = [f"a command is not on an indented line: {line}" for line in text.splitlines() if lost_command(line)]
    for name, thing in public_things(module):
        try:
            unknown = documented(thing) - arguments(thing) - {"**task"}  # of a leaf, whose signature lists them all
        except ParseError as error:
            faults.append(f"{name}: {error}")
            continue
        faults += [f"{name} has no argument {argument!r}" for argument in sorted(unknown)]
        if inspect.isclass(thing) and path.relative_to(ROOT).parts[0] != "scripts":
            faults += [f"{name} does not document {argument}" for argument in undocumented(thing)]
    return faults


def lost_command(line: str) -> bool:
    """Whether a line has a command that is not at its beginning, after spaces.

    ``ruff format`` takes the spaces away where all lines after the first one have them: end such a docstring with a
    sentence.
    """
    return bool(re.search(r"\bdive [a-z]+ [a-z]+/[a-z]+", line)) and not re.match(r" +dive ", line)


def undocumented(thing: type) -> list[str]:
    """Keyword arguments that neither a class, nor a base, nor its network documents."""
    origin = next(klass for klass in thing.__mro__ if "__init__" in vars(klass))
    if origin.__module__.split(".")[0] not in CODE:
        return []
    known = set().union(*(documented(klass) for klass in (*thing.__mro__, thing.__init__)))  # type: ignore[misc]
    return sorted(name for name in arguments(thing) if not name.startswith("*") and name not in known)


def test_a_broken_docstring_is_seen() -> None:
    def split(path: str) -> None:
        """Reads.

        Args:
            path: The file, or
            several of them.
        """

    def renamed(path: str) -> None:
        """Reads.

        Args:
            file, path: The file.
        """

    class Reader:
        def __init__(self, path: str, size: int = 0) -> None:
            """Args: none."""

    Reader.__module__ = "common.x"
    with pytest.raises(ParseError):
        documented(split)
    assert documented(renamed) - arguments(renamed) == {"file"}
    assert undocumented(Reader) == ["path", "size"]
    assert lost_command("looks where dive fit rnn/bahdanau") and lost_command("dive fit rnn/gru")
    assert not lost_command("    dive fit rnn/gru")


@pytest.mark.parametrize("folder", sorted({path.parent for path in sources(*CODE)}), ids=name_of)
def test_docstrings_name_the_real_arguments(folder: Path) -> None:
    files = [path for path in sorted(folder.glob("*.py")) if path.name != "__init__.py"]
    assert not [f"{name_of(path)}: {fault}" for path in files for fault in docstring_faults(path)]


def test_every_folder_of_code_is_a_package() -> None:
    """Setuptools finds packages by their ``__init__.py``; an empty one alone holds nothing worth a folder."""
    for folder in {p.parent for p in sources(*CODE)}:
        assert (folder / "__init__.py").is_file(), name_of(folder)
        assert [p for p in folder.rglob("*.py") if p.name != "__init__.py"], f"{name_of(folder)} is empty"


def test_nothing_waits_to_be_written() -> None:
    """What `dive new --topic` leaves to be written says TODO."""
    written = [*sources(*CODE, "tests"), *(ROOT / "configs").rglob("*.yaml"), *(ROOT / "docs").glob("*.md")]
    mark = "TODO" + ":"
    assert not [name_of(path) for path in written if mark in path.read_text() and path.stem not in ("new", "test_new")]


def test_the_other_lightning_is_never_imported() -> None:
    for path in sources(*CODE, "tests"):
        assert "pytorch" + "_lightning" not in path.read_text(), name_of(path)
