"""Converts what the user types to LightningCLI's arguments: recipes, presets, short class names, checks of each YAML.

Everything here is text and standard library (and PyYAML), without torch, so that errors appear at once.
"""

import re
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

from common.messages import UserError, did_you_mean
from scripts.front.additions import is_there
from scripts.front.optimizer_names import expand_optimizers
from scripts.front.recipes import CONFIGS, find_config, find_recipe, recipe_name
from scripts.front.runs import begun_run, checkpoint_of, newest_run, run_of, say_which

PLATEAU = "torch.optim.lr_scheduler.ReduceLROnPlateau"  # not Lightning's of the same name, which requires its metric
DEFAULT = CONFIGS / "default.yaml"
TOP_KEYS = ("seed_everything", "trainer", "model", "data", "ckpt_path", "verbose", "weights_only", "return_predictions")


@dataclass
class Command:
    """A fit, validate, test or predict, resolved: what LightningCLI reads and where the run lives."""

    verb: str
    recipe: str
    args: list[str] = field(default_factory=list)
    configs: list[Path] = field(default_factory=list)
    run: Path | None = None  # the run folder to resume in; None means a new one
    checkpoint: Path | None = None
    trainer: Any = None  # once it is built
    out: str = ""  # of predict: the file to write
    made: bool = False  # the run folder is this command's own: removed if nothing is saved in it
    callbacks: list[Any] = field(default_factory=list)  # of a program that drives the command, not in the run's config


def resolve(verb: str, argv: list[str]) -> Command:
    """Turns ``RECIPE -c PRESET --resume ...`` into LightningCLI's own arguments.

    Resolving an already resolved command does not change it: Lightning's child processes do it again.

    Raises:
        UserError: An unknown recipe, preset or class, a config that is not YAML or has unknown keys, no run to resume.
    """
    names, configs, rest, resume = [], [], [], False
    run: str | None = None
    checkpoint: str | None = None
    out = ""
    words = iter(with_users(argv) if verb == "predict" else argv)
    for word in words:
        key, has_value, value = word.partition("=")
        if key in ("-c", "--config"):
            configs.append(find_config(value if has_value else next_word(words, key)))
        elif key == "--resume":
            resume = True
        elif key == "--run":
            run = value if has_value else next_word(words, key)
        elif key == "--ckpt_path":
            checkpoint = value if has_value else next_word(words, key)
        elif key == "--out" and verb == "predict":
            out = new_file(value if has_value else next_word(words, key))
        elif word.startswith("-"):
            rest.append(word)
            if not has_value:
                rest += next_value(words)
        else:
            names.append(word)
    if len(names) > 1:
        raise UserError(f"one recipe at a time, not {names[0]!r} and {names[1]!r}")
    if names:
        is_file = names[0].endswith((".yaml", ".yml"))
        configs.insert(0, find_config(names[0]) if is_file else find_recipe(names[0]).path)
    own = [c for c in configs if c.resolve() != DEFAULT]
    if not own and not run:
        raise UserError(
            f"which recipe? `dive {verb} RECIPE`, for example `dive {verb} cnn/lenet`; `dive list` shows them"
        )

    command = Command(verb, recipe_name(own[0]) if own else "", args=expand_classes(rest))
    command.out = out
    known = run_of(own[0].resolve().parent / "checkpoints" / "x") if own else None
    if known is not None and own[0].name == "config.yaml":  # a run's own config: from its children or the user
        command.recipe = known.parent.relative_to(known.parent.parent.parent).as_posix()
    find_run(command, resume, run, checkpoint)
    # The run's own config is what its weights were trained with. A plain `--config FILE --ckpt_path FILE` is taken as
    # given, and so is a recipe with a checkpoint out of another recipe's run, which is refused later.
    folder = command.run.resolve().parent.as_posix() if command.run else ""
    as_it_was = run or resume or checkpoint is None or (names and folder.endswith("/" + command.recipe))
    if command.run is not None and as_it_was and (command.run / "config.yaml").is_file():
        begun = load_yaml(command.run / "config.yaml")
        own = [command.run / "config.yaml", *(c for c in own[1:] if not is_there(load_yaml(c), begun))]
    command.configs = [DEFAULT, *own]
    for config in command.configs:
        check_config(config)
    if not any(load_yaml(c).get("model") for c in command.configs) and not any(a == "--model" for a in command.args):
        raise UserError(f"{own[0] if own else command.run} names no model: begin with a recipe, `dive {verb} RECIPE`")
    command.args = [word for c in command.configs for word in ("--config", str(c))] + command.args
    return command


def with_users(argv: list[str]) -> list[str]:
    """``--users 5 17 --top 3`` of a recommender as ``--data.users=5,17 --data.top=3``.

    Raises:
        UserError: No user is named.
    """
    words, found = list(argv), []
    while words:
        word = words.pop(0)
        if word == "--users":
            users = []
            while words and not words[0].startswith("-"):
                users.append(words.pop(0))
            if not users:
                raise UserError("--users needs the names of users, such as --users 5 17")
            found.append(f"--data.users={','.join(users)}")
        elif word.split("=")[0] in ("--users", "--top"):
            found.append(word.replace("--", "--data.", 1))
        else:
            found.append(word)
    return found


def find_run(command: Command, resume: bool, run: str | None, checkpoint: str | None) -> None:
    """Decides the run folder and the checkpoint of a command."""
    if run is not None:
        command.run = Path(run)
        if not (command.run / "config.yaml").is_file():
            raise UserError(f"{run} is not a run: it has no config.yaml")
        command.recipe = command.recipe or Path(run).resolve().parent.name
    fitting = command.verb == "fit"
    if fitting and not resume and checkpoint is None:
        if command.run is not None:
            raise UserError("--run with fit continues a run: add --resume")
        command.run = begun_run(command.recipe)
        if command.run is None:
            return
    which = checkpoint or ("last" if fitting else "best")
    if which in ("best", "last"):
        if command.run is None:
            command.run = newest_run(command.recipe, which)
            if not fitting:
                say_which(command.run, command.recipe, typed_value(command.args, "--data"))
        command.checkpoint = checkpoint_of(command.run, which)
    else:
        command.checkpoint = Path(which)
        command.run = command.run or (None if fitting and not resume else run_of(command.checkpoint))
    if not command.checkpoint.exists():
        raise UserError(f"no checkpoint {command.checkpoint}")
    if command.checkpoint.stat().st_size == 0:
        raise UserError(f"checkpoint {command.checkpoint} is empty: use another one")


def typed_value(args: list[str], option: str) -> str | None:
    """The value of ``--option VALUE`` among expanded arguments."""
    return next((value for key, value in pairwise(args) if key == option), None)


def next_word(words: Any, option: str) -> str:
    """The value of an option."""
    for word in words:
        return str(word)
    raise UserError(f"{option} needs a value")


def new_file(path: str, option: str = "--out") -> str:
    """The path of a file to write, which is not there yet.

    Raises:
        UserError: It is there, or is a folder.
    """
    if Path(path).exists():
        raise UserError(f"{option} {path} is there already: give another name, or remove it first")
    return path


def next_value(words: Any) -> list[str]:
    """The word after ``--key``, which LightningCLI reads as its value; none at the end of the line."""
    for word in words:
        if word.startswith("--"):
            raise UserError(f"a value is missing before {word}")
        return [word]
    return []


# -- classes ------------------------------------------------------------------------------------------------------


def find_class(name: str, package: str) -> str:
    """The import path of a class given by its bare name, found as text in ``package`` (no import).

    Raises:
        UserError: No class of that name there, or several.
    """
    every = classes_in(CONFIGS.parent / package)
    found = [f"{module}.{name}" for module, known in every if known == name]
    if len(found) > 1:
        raise UserError(f"several classes {name}: say which of {', '.join(found)}")
    if not found:
        if own := class_of_ones_own(name):
            raise UserError(f"no class {name!r} in {package}: say {own!r} for your own")
        near = did_you_mean(name, [known for _, known in every]) or "."
        raise UserError(f"no class {name!r} in {package}{near} One of your own is named with its file: mine.{name}")
    return found[0]


@cache
def classes_in(folder: Path) -> tuple[tuple[str, str], ...]:
    """The module and the name of each class in a package, found as text."""
    return tuple(
        (path.relative_to(folder.parent).with_suffix("").as_posix().replace("/", "."), match[1])
        for path in sorted(folder.rglob("*.py"))
        for match in re.finditer(r"^class (\w+)\(", path.read_text(), re.MULTILINE)
    )


def class_of_ones_own(name: str) -> str:
    """The import path of a class of this name in a file of the working directory; empty where there is none."""
    for path in sorted(Path.cwd().glob("*.py")):
        if re.search(rf"^class {re.escape(name)}\b", path.read_text(encoding="utf-8", errors="replace"), re.MULTILINE):
            return f"{path.stem}.{name}"
    return ""


def expand_classes(args: list[str]) -> list[str]:
    """Bare class names of ``--data`` and ``--model`` to import paths, and each before its ``--data.*``."""
    args = expand_optimizers(args)
    args = [re.sub(r"(^|lr_scheduler=)ReduceLROnPlateau$", rf"\1{PLATEAU}", word) for word in args]
    for option, package in (("--model", "lit_models"), ("--data", "datamodules")):
        for i, word in enumerate(args):
            if word == option or word.startswith(option + "="):
                joined = "=" in word
                value = word.split("=", 1)[1] if joined else args[i + 1] if i + 1 < len(args) else ""
                if value and "." not in value and "/" not in value and not value.startswith("{"):
                    value = find_class(value, package)
                del args[i : i + (1 if joined else 2)]
                args[:0] = [option, value]
                break
    return args


# -- configs ------------------------------------------------------------------------------------------------------


#: The parser in C where PyYAML has it: ten times as fast.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def load_yaml(path: Path) -> dict[str, Any]:
    """A config file as a dictionary.

    Raises:
        UserError: The file is missing, is not YAML, or is not a mapping.
    """
    try:
        content = yaml.load(path.read_text(), LOADER)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f":{mark.line + 1}" if mark else ""
        raise UserError(f"{path}{where}: not YAML ({getattr(error, 'problem', None) or 'cannot be read'})") from None
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "not UTF-8 text"
        raise UserError(f"{path}: cannot be read ({why}): give a YAML file") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise UserError(f"{path}: a config is a mapping of {', '.join(TOP_KEYS[:4])}, not a {type(content).__name__}")
    return content


def check_config(path: Path) -> None:
    """Refuses unknown top-level keys, some of which jsonargparse accepts silently, and sections of the wrong shape."""
    for key, value in load_yaml(path).items():
        if key not in TOP_KEYS:
            raise UserError(f"{path}: unknown key {key!r}{did_you_mean(str(key), TOP_KEYS)}")
        if key == "trainer" and not isinstance(value, dict | None):
            raise UserError(f"{path}: trainer is a mapping of settings, not {value!r}")
        if key in ("model", "data") and not isinstance(value, dict | str | None):
            raise UserError(f"{path}: {key} is a class_path with init_args, not {value!r}")
