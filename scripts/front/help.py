"""``dive fit RECIPE --help`` and ``--print_config``: the options of a recipe, with their current values.

Lightning's own help describes its parser: the options of every trainer, not those of the recipe's model. This page is
made from the classes that the recipe names, their signatures and docstrings.
"""

import json
import re
from pathlib import Path
from textwrap import shorten, wrap
from typing import Any

from scripts.front.recipes import CONFIGS, PRESETS, read_recipe
from scripts.front.verbs import LIGHTNING

WIDTH = 118
MANY = 20  # presets of a folder: those of `dive fit --help` have a line each
ASKS_FOR_HELP = {"-h", "--help"}
OPTIONS = {
    "fit": {"--resume": "continue the newest run of the recipe where it stopped, at the same batch"},
    "*": {
        "--run DIR": "the folder of a run instead of the newest; with fit together with --resume",
        "-c PRESET|FILE": "lay a preset or a YAML file of your own over the recipe; may be given several times",
        "--ckpt_path FILE|best|last": "a checkpoint: fit continues from it, the others use it (default: best)",
        "--print_config": "print the whole config as YAML and stop",
        "--seed_everything N": "another seed",
        "--KEY VALUE": "any setting of the recipe, e.g. --trainer.max_epochs 3; a list or a mapping as JSON",
    },
}


def general_page(verb: str) -> str:
    """The help of a verb without a recipe."""
    usage, summary = LIGHTNING[verb]
    lines = [f"dive {usage}: {summary}", "", *option_lines(verb), "", *preset_lines(), ""]
    return "\n".join([*lines, f"`dive {verb} RECIPE --help` shows the recipe's own options with their present values."])


def option_lines(verb: str) -> list[str]:
    options = {**OPTIONS.get(verb, {}), **OPTIONS["*"]}
    return [f"  {option:<28}{says}" for option, says in options.items()]


def preset_lines(brief: bool = False) -> list[str]:
    """The presets with the first line of each file; ``brief``: of a folder with many, the names only."""
    lines = ["presets for -c:"]
    for folder in PRESETS:
        paths = sorted((CONFIGS / folder).glob("*.yaml"))
        if brief and len(paths) > MANY:
            names = f"{folder}/" + ", ".join(path.stem for path in paths)
            lines += wrap(names, WIDTH, initial_indent="  ", subsequent_indent="    ")
            continue
        for path in paths:
            lines.append(entry(f"{folder}/{path.stem}", read_recipe(path).title.partition(". ")[0]))
    return lines


def wanted(words: list[str]) -> str:
    """``help`` or ``config`` if a command is to be shown instead of run, else an empty string."""
    return "help" if ASKS_FOR_HELP & set(words) else "config" if "--print_config" in words else ""


def show(verb: str, words: list[str]) -> int:
    """Prints the help or the config that a command asks for; returns 0.

    Raises:
        UserError: As for the command itself.
    """
    what = wanted(words)
    words = [word for word in words if word not in ASKS_FOR_HELP | {"--print_config", "--resume"}]
    if what == "help" and not names_a_config(words):
        print(general_page(verb))
        return 0
    from scripts.front.build import parse

    cli = parse(words)
    if what == "config":
        print(cli.parser.dump(cli.config, skip_unset=True), end="")
    else:
        print(recipe_page(verb, cli))
    return 0


def names_a_config(words: list[str]) -> bool:
    return bool(words) and (not words[0].startswith("-") or bool({"-c", "--config"} & set(words)))


def recipe_page(verb: str, cli: Any) -> str:
    """The help of a parsed recipe: options of the command, of its model, data and trainer."""
    from lightning.pytorch import Trainer

    from scripts.front.classes import import_class

    path: Path = cli.command.configs[1] if len(cli.command.configs) > 1 else cli.command.configs[0]
    header = read_recipe(path)
    lines = [f"dive {verb} {cli.command.recipe}: {header.title}".rstrip(": "), f"  {path}", "", *option_lines(verb)]
    config = cli.config
    linked = cli.linked()
    for part in ("model", "data"):
        if config.get(part):
            klass = import_class(config[part].class_path)
            lines += ["", f"{part}: {config[part].class_path} (--{part} CLASS takes another)"]
            values = config[part].get("init_args") or {}
            lines += class_lines(f"--{part}", klass, values, skip=linked if part == "model" else set())
    unset = {name for name, value in vars(config.trainer).items() if value is None}
    lines += ["", "trainer: lightning.pytorch.Trainer", *class_lines("--trainer", Trainer, config.trainer, skip=unset)]
    lines += wrap("and, not set: " + ", ".join(sorted(unset)), WIDTH, initial_indent="  ", subsequent_indent="    ")
    return "\n".join([*lines, "", *preset_lines(brief=True)])


def class_lines(prefix: str, klass: type, values: Any, skip: set[str]) -> list[str]:
    """A line for each argument of a class except ``skip``: the option, its value, and the docstring's text."""
    lines = []
    for name, (_, says) in arguments(klass).items():
        if name in skip:
            continue
        value = values.get(name)
        lines.append(entry(f"{prefix}.{name} {shown(value)}", says))
        if hasattr(value, "class_path"):
            lines += nested_lines(f"{prefix}.{name}", value)
    return lines


def nested_lines(prefix: str, value: Any) -> list[str]:
    """The arguments of a class inside an option that differ from the class's defaults."""
    from scripts.front.classes import import_class

    known = arguments(import_class(value.class_path))
    given = dict(value.get("init_args") or {})
    return [
        entry(f"{prefix}.{name} {shown(item)}", known.get(name, (None, ""))[1])
        for name, item in given.items()
        if name not in known or known[name][0] != item
    ]


def arguments(klass: Any) -> dict[str, tuple[Any, str]]:
    """Default and first sentence of the documentation of each argument of a class, as jsonargparse finds them."""
    from jsonargparse import ArgumentParser

    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(klass, "x", fail_untyped=False)
    found = {}
    for action in parser._actions:
        name = action.dest.removeprefix("x.")
        if action.dest.startswith("x.") and "." not in name:
            says = " ".join(re.sub(r"``|:\w+:`~?|`", "", action.help or "").split())
            found[name] = (action.default, re.split(r"\.\s+(?=[A-Z])", says)[0].rstrip("."))
    return found


def shown(value: Any) -> str:
    """A value as on the command line; for a class its path, for a list of classes their names."""
    if hasattr(value, "class_path"):
        return str(value.class_path)
    if isinstance(value, list) and value and hasattr(value[0], "class_path"):
        return shorten(" ".join(item.class_path.rpartition(".")[2] for item in value), 40, placeholder=" ...")
    return value if isinstance(value, str) and value else json.dumps(value, default=str)


def entry(option: str, says: str) -> str:
    """An option and what it does, in one line."""
    left = f"  {option:<44}  "
    room = max(WIDTH - len(left), 30)
    return (left + shorten(says, room, placeholder=" ...")).rstrip()
