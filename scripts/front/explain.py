"""Converts jsonargparse's error messages to one line that names the key and the remedy.

jsonargparse's errors are unstructured text, so key, class and value are parsed from it; a test pins each wording.
"""

import re
import sys
from collections.abc import Iterable
from inspect import signature

from common.messages import did_you_mean
from scripts.front.short_names import explain_class

NOT_ACCEPTED = r"Option '([^']+)' is not accepted|does not accept (?:nested key|option) '([^']+)'"


def explain(message: str, known: Iterable[str]) -> str:
    """One line for a parser's message. ``known`` are all keys of the parser, for suggestions."""
    known = [key.replace(".init_args.", ".") for key in known]
    if found := re.search(r"unrecognized arguments: (.*)", message, re.IGNORECASE):
        return unknown_key(found[1].split("=")[0].split()[0].lstrip("-"), known, "option --")
    needs = re.search(r"class_path '([\w.]+)':\s+the following arguments are required: (\w+)", message)
    if needs and nested_keys(message[: needs.start()]) == ["trainer.callbacks"]:
        name = needs[1].rpartition(".")[2]
        return f"trainer.callbacks: {name} needs {needs[2]}: give --trainer.callbacks.{needs[2]}"
    if found := re.search(NOT_ACCEPTED, message):
        option = found[1] or found[2]
        if of_its_own := re.search(rf'Parser key "{option}":\s+(Expected an? .*)', message[: found.start()]):
            outer = ".".join([*nested_keys(message[: of_its_own.start()]), option])  # in one of several kinds of class
            return explain(f'Parser key "{outer}":\n  {of_its_own[1]}', known)
        key = ".".join([*nested_keys(message), found[1] or found[2]]).replace("init_args.", "")
        owners = re.findall(r"class_path[ =]'([\w.]+)'", message[: found.start()]) if found[1] else []
        if key.startswith("model.regularizers"):
            return explain_regularizer(key, owners[-1] if 'Parser key "regularizers"' in message and owners else "")
        inner = re.search(r"class_path='([\w.]+)'", message[found.end() :])
        owner = inner[1] if inner and "callable class" in message else (owners[-1] if owners else "")
        return unknown_key(key, [*known, *(f"{key.rpartition('.')[0]}.{name}" for name in argument_names(owner))])
    if found := re.search(r"module '([\w.]+)' has no attribute '(\w+)'", message):
        return f"no class {found[2]!r} in {found[1]}{did_you_mean(found[2], class_names(found[1]))}"
    if found := re.search(r"No module named '([\w.]+)'", message):
        return f"no module {found[1]!r}: is the class_path right?"
    keys = ".".join(nested_keys(message))
    last = message[message.rfind('Parser key "') :]
    kinds = re.findall(r"Expected an? (?:<class '(?:\w+\.)*(\w+)'>|typing\.Literal\[([^\]]+)\])", last)
    value = re.search(r"(?:Got value|Given value|but got): (.*?)(?:\. Got value.*)?$", last, re.MULTILINE)
    if keys and kinds:
        if value and keys.endswith(("optimizer", "lr_scheduler")) and (said := explain_class(keys, value[1])):
            return said
        path = re.search(r"Expected a dot import path string: (\w+)$", last, re.MULTILINE)
        if path and not {kind for kind, _ in kinds} & {"float", "int", "bool", "str"}:
            return f"{keys}: class {path[1]!r} is not known: give its whole name, module.Class"
        names = list(dict.fromkeys(kind or choices for kind, choices in kinds if kind not in ("NoneType", "Tensor")))
        return f"{keys} must be {' or '.join(names) or 'null'}" + (f", not {value[1]!r}" if value else "")
    return first_error(message)


def explain_regularizer(key: str, owner: str) -> str:
    """One line for a key below ``model.regularizers``, which is an argument of the last regularizer.

    Args:
        key: As it was given.
        owner: Class of the last regularizer, their base class where there is none, empty for a model without any.
    """
    if not owner:
        return "the preset adds to a classifier's loss or inputs, and the model is none: leave that preset out"
    name, argument = owner.rpartition(".")[2], key.rpartition(".")[2]
    if name == "Regularizer":
        return f"--{key} is of no regularizer: name one before it, -c regularizer/..."
    known = [one for one in argument_names(owner) if one != "self"]
    near = did_you_mean(argument, known) or f": it has {', '.join(known) or 'none'}; name the preset of {argument} last"
    return f"{name}, the last regularizer, has no argument {argument}{near}"


def first_error(message: str) -> str:
    """The first of a list of errors in a message, the innermost where lists are nested, or the message in one line;
    also for errors of a constructor.
    """
    found = re.search(r"Errors:\s+- ((?:(?!Errors:\s).)*?)(?=\n\s+- |\n\s+Given value|$)", message, re.DOTALL)
    text = " ".join((found[1] if found else message).split())
    return text if len(text) <= 300 else text[:297] + "..."


def nested_keys(message: str) -> list[str]:
    """``Parser key "model" ... Parser key "optimizer"`` to [model, optimizer]."""
    return [key.replace("init_args.", "") for key in re.findall(r'Parser key "([\w.]+)"', message)]


def unknown_key(key: str, known: list[str], kind: str = "key ") -> str:
    key = key.replace(".init_args.", ".")
    head, dot, rest = key.partition(".")
    heads = {name.partition(".")[0] for name in known}
    if head in heads or not dot:
        near = did_you_mean(key, [name for name in known if "." in name or not dot])
    else:
        near = did_you_mean(head, heads).replace("'?", f".{rest}'?")
    return f"unknown {kind}{key}{near or ': `dive fit RECIPE --help` shows the options'}"


def argument_names(class_path: str) -> list[str]:
    """The arguments of a class whose module is loaded already; empty for any other."""
    module, _, name = class_path.rpartition(".")
    owner = getattr(sys.modules.get(module), name, None)
    if owner is None:
        return []
    classes = owner.__mro__ if isinstance(owner, type) else [owner]
    inits = [vars(c)["__init__"] for c in classes if "__init__" in vars(c) and c is not object]
    taken = [p for init in inits for p in signature(init).parameters.values() if p.name != "self"]
    return [p.name for p in taken if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]


def class_names(module: str) -> list[str]:
    """Names that a loaded module defines."""
    names = dir(sys.modules[module]) if module in sys.modules else []
    return [name for name in names if not name.startswith("_")]
