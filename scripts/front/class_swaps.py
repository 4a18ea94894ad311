"""A class that replaces another: which arguments are carried over, and which are not.

jsonargparse fills in the first class's defaults and then carries over every value whose name the new class knows,
those defaults among them: ``--model.optimizer AdamW`` would have Adam's weight decay of 0, and a recipe with Adadelta
and no rate the rate of SGD, which is the default in the model's signature. Here a value is carried over only if a
config or the command line sets it. Arguments of a datamodule are carried over only if both classes inherit them from
one class: a ``shift`` of images in pixels is not a ``shift`` of sounds, which is a fraction.
"""

import json
from collections.abc import Iterator, Sequence
from inspect import signature
from typing import Any

import yaml

from scripts.front.classes import import_class
from scripts.front.help import arguments


def words_for_swaps(
    config: Any, sources: Sequence[dict[str, Any]], typed: Sequence[str], linked: set[str]
) -> list[str]:
    """The command-line words that reset arguments nobody set, in each class of a parsed config that replaced another.

    Args:
        config: What was parsed: ``model``, ``data`` and ``trainer``.
        sources: The contents of the config files, in their order.
        typed: The words of the command line.
        linked: The model's arguments that come from the data: they are not changed.
    """
    given = list(pairs(typed))
    words: list[str] = []
    for path, node in class_nodes(config):
        written = [*(raw_node(source, path) for source in sources), *typed_nodes(given, path)]
        named = [name for name, _ in written if name]
        named = named and [*default_class(config, path), *named]
        if len({name.rpartition(".")[2] for name in named}) < 2:
            continue
        kept = {key for _, keys in written for key in keys}
        if path == "data":
            typed_keys = {key for _, keys in typed_nodes(given, path) for key in keys}
            found = found_in_files(node.class_path)
            kept = {
                key
                for key in kept
                if key in typed_keys or (key not in found and all(shared(name, node.class_path, key) for name in named))
            }
        known = arguments(import_class(node.class_path))
        for key, value in dict(node.get("init_args") or {}).items():
            skip = (
                key in kept or key not in known or (path == "model" and key in linked) or hasattr(value, "class_path")
            )
            if not skip and plain(known[key][0]) and known[key][0] != value:
                words.append(f"--{path}.{key}={as_word(known[key][0])}")
    return words


def class_nodes(config: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Each class with arguments in a parsed config, with its path as one types it; lists are left out."""
    for key, value in vars(config).items():
        if hasattr(value, "class_path"):
            yield f"{path}{key}", value
            if value.get("init_args"):
                yield from class_nodes(value.init_args, f"{path}{key}.")
        elif not path and key == "trainer":
            yield from class_nodes(value, f"{key}.")


def default_class(config: Any, path: str) -> list[str]:
    """The class that a class's signature has as the default of an argument, such as ``optimizer``: nobody wrote it, but
    its own defaults, such as its learning rate, would be carried over too.
    """
    owner, _, name = path.rpartition(".")
    node = config
    for part in filter(None, owner.split(".")):
        node = getattr(node, "init_args", node)
        node = getattr(node, part, None)
    if not hasattr(node, "class_path"):
        return []
    known = signature(import_class(node.class_path)).parameters
    default = known[name].default if name in known else None
    return [f"{default.__module__}.{default.__qualname__}"] if isinstance(default, type) and name else []


def raw_node(source: dict[str, Any], path: str) -> tuple[str, set[str]]:
    """The class and the arguments that a config file sets at a path; ``("", set())`` if it has none."""
    node: Any = source
    for part in path.split("."):
        if not isinstance(node, dict):
            return "", set()
        inner = node.get("init_args")
        node = inner[part] if isinstance(inner, dict) and part in inner else node.get(part)
    return class_and_keys(node)


def class_and_keys(node: Any) -> tuple[str, set[str]]:
    if isinstance(node, str):
        return node, set()
    if not isinstance(node, dict):
        return "", set()
    return str(node.get("class_path", "")), set(node.get("init_args") or {})


def pairs(typed: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Options without ``--`` and ``init_args``, with their values."""
    for word, after in zip(typed, [*typed[1:], ""], strict=True):
        if word.startswith("--"):
            key, joined, value = word[2:].partition("=")
            yield key.replace(".init_args.", "."), value if joined else after


def typed_nodes(given: Sequence[tuple[str, str]], path: str) -> list[tuple[str, set[str]]]:
    """What the command line sets at a path: its class, and the keys below it."""
    found: list[tuple[str, set[str]]] = []
    for key, value in given:
        if key == path:
            found.append(class_and_keys(yaml.safe_load(value) if value.startswith("{") else value))
        elif key.startswith(f"{path}."):
            found.append(("", {key.removeprefix(f"{path}.").partition(".")[0]}))
    return found


def found_in_files(class_path: str) -> set[str]:
    """The arguments that a datamodule finds in its files where they are empty (``infer``): those of a recipe are for
    the recipe's own data.
    """
    klass = import_class(class_path)
    infer = getattr(klass, "infer", None)
    if infer is None:
        return set()
    empty = {name for name, (default, *_) in arguments(klass).items() if default in (0, "") and default is not False}
    return empty & set(signature(infer).parameters)


def shared(one: str, other: str, key: str) -> bool:
    """Whether two classes have an argument from the same class."""
    return bool(owners(one, key) & owners(other, key))


def owners(class_path: str, key: str) -> set[type]:
    """The classes among a class and its parents that state an argument."""
    found: set[type] = set()
    for klass in getattr(import_class(class_path), "__mro__", ()):
        code = getattr(vars(klass).get("__init__"), "__code__", None)
        if code is not None and key in code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]:
            found.add(klass)
    return found


def plain(value: Any) -> bool:
    """Whether a default can be written on the command line."""
    try:
        json.dumps(value)
    except TypeError:
        return False
    return True


def as_word(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
