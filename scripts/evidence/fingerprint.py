"""The fingerprint of a recipe: a hash over everything that determines its numbers, to detect stale results.

It covers the contents of the config (not its comments, but its ablation with its preset files, and folds),
``default.yaml``, and the code of every class that the config and the ablation name in ``lit_models``, ``datamodules``
and ``callbacks``, and what it imports from these packages and ``common``, but for its messages. Comments, docstrings
and blank lines are left out: a better explanation of a model does not make its number stale; so are the callbacks that
draw.
"""

import ast
import hashlib
import io
import json
import shlex
import tokenize
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

from scripts.front.recipes import Recipe

PACKAGES = ("lit_models", "datamodules", "callbacks", "common")
LEFT_OUT = ("callbacks.pictures.", "common.messages")  # what only draws and says


def fingerprint(recipe: Recipe, root: Path) -> str:
    """Hex digest of a recipe in the project at ``root``."""
    config = yaml.safe_load(recipe.path.read_text()) or {}
    default = root / "configs" / "default.yaml"
    presets = [yaml.safe_load(path.read_text()) or {} for path in preset_files(recipe.header.get("ablation", ""), root)]
    parts: list[Any] = [
        yaml.safe_load(default.read_text()) if default.is_file() else {},
        config,
        recipe.header.get("ablation", ""),
        *presets,
        *([recipe.header["folds"]] if "folds" in recipe.header else []),
    ]
    modules = sources([path.rpartition(".")[0] for path in class_paths([config, *presets])], root)
    parts += [[path.relative_to(root).as_posix(), bare_code(path.read_text())] for path in modules]
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def preset_files(words: str, root: Path) -> list[Path]:
    """The files of ``configs`` that ``-c NAME`` and ``--config NAME`` name in the words of a command."""
    typed = shlex.split(words.replace("=", " "))
    names = [name for option, name in pairwise(typed) if option in ("-c", "--config")]
    return [path for name in names if (path := root / "configs" / f"{name}.yaml").is_file()]


def class_paths(config: Any) -> Iterator[str]:
    """Every ``class_path`` of a config, to any depth."""
    if isinstance(config, dict):
        for key, value in config.items():
            if key == "class_path" and isinstance(value, str):
                yield value
            else:
                yield from class_paths(value)
    elif isinstance(config, list):
        for item in config:
            yield from class_paths(item)


def sources(modules: list[str], root: Path) -> list[Path]:
    """The files of ``modules`` and of all project modules that they import, sorted."""
    found: set[Path] = set()
    waiting = list(modules)
    while waiting:
        module = waiting.pop()
        path = root / (module.replace(".", "/") + ".py")
        if module.split(".")[0] not in PACKAGES or module.startswith(LEFT_OUT):
            continue
        if path.is_file() and path not in found:
            found.add(path)
            waiting += imports(path.read_text())
    return sorted(found)


@cache  # recipes share most of their files
def imports(source: str) -> list[str]:
    """Dotted names that could be modules imported anywhere in a source."""
    names = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.append(node.module)
            names += [f"{node.module}.{alias.name}" for alias in node.names]  # from package import module
    return names


@cache
def bare_code(source: str) -> str:
    """The source without comments, docstrings and blank lines: the same text on every version of Python."""
    lines = source.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                for row in range(first.lineno, (first.end_lineno or first.lineno) + 1):
                    lines[row - 1] = ""
    return "\n".join(line.rstrip() for line in lines if line.strip())
