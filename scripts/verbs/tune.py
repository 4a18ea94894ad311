"""``dive tune RECIPE``: searches the hyper-parameters of a recipe.

    dive tune cnn/lenet                                      20 trials of the space that ships for the recipe
    dive tune cnn/lenet --space mine.yaml --trials 50        a space of your own (scripts/tune/space.py says how)
    dive tune cnn/lenet --sampler tpe --scheduler asha --jobs 2
    dive tune cnn/lenet --resume                             continue the newest search, with its space and options
    dive tune cnn/lenet --study a --resume                   continue or join search `a`: any number of processes may
    dive tune cnn/lenet --study a --storage postgresql://... on many machines (or a file on a shared disk: x.journal)
    dive tune mlp/mlp --second parameters                    two objectives: the report has the Pareto front
    dive tune cnn/lenet --data.batch_size 32                 any option of `dive fit`, for all trials

The search is in runs/<topic>/<recipe>/tune/<study>/: study.db, trials/<number>/ (ordinary run folders), report.html
with its pictures, trials.csv. A trial that pauses at a rung later continues from its checkpoint. The test split is used
at the end only: the best configuration is fitted again with --refit other seeds, and tested.
"""

import argparse
import os
import shlex
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from common.messages import UserError, note
from scripts.front.recipes import find_config, find_recipe, recipe_name
from scripts.front.runs import new_folder, runs_root

SCHEDULERS = ("none", "median", "halving", "hyperband", "asha", "asha_stop")
PASSED_ON = ("--data", "--model", "--config", "--seed_everything")  # to `dive fit`, as all options with a dot are
SECONDS = ("parameters", "seconds")  # a second objective
SAMPLERS = ("random", "grid", "qmc", "tpe", "cmaes", "gp", "own_gp")


def main(argv: list[str]) -> int:
    """Searches, refits and tests the best, reports; returns 0.

    Raises:
        UserError: An error in the command or the space; a storage that cannot be used.
    """
    asked, arguments = read_arguments(argv)
    file = asked.recipe.endswith((".yaml", ".yml"))
    name = recipe_name(find_config(asked.recipe)) if file else find_recipe(asked.recipe).name
    recipe = asked.recipe if file else name
    from scripts.tune import refit
    from scripts.tune.engine import Engine

    parent = runs_root() / name / "tune"
    there = set(parent.glob("*"))
    folder = study_folder(parent, asked.study, asked.resume)
    try:
        search, ledger, settings = prepare(asked, arguments, name, recipe, folder)
    except BaseException:
        if folder not in there:  # the corrected command may take the name
            shutil.rmtree(folder, ignore_errors=True)
        raise
    begun = ledger.begun()
    print(f"{folder}: {search.count} trials of {recipe}, {search.sampler}, {settings['scheduler']}", flush=True)
    facts: dict[str, Any] = settings | {"folder": str(folder)}
    try:
        Engine(search, ledger).run()
        facts["tests"] = refit.refit_best(search, ledger, range(1, asked.refit + 1))
    finally:  # Ctrl-C, too
        tell(folder, search.space, ledger, facts, begun)
    return 0


def prepare(
    asked: argparse.Namespace, arguments: list[str], name: str, recipe: str, folder: Path
) -> tuple[Any, Any, dict[str, str]]:
    """The search, its ledger and its settings. What a command with ``--resume`` does not say is as in the study.

    Raises:
        UserError: An error in the space or the options; another study than the stored one.
    """
    from scripts.tune import pareto, samplers, schedulers
    from scripts.tune.ledger import Ledger, stored
    from scripts.tune.search import Search, check_keys
    from scripts.tune.space import Space, find_space, read_space

    url = asked.storage or f"sqlite:///{folder / 'study.db'}"
    study = folder.name if not asked.storage else f"{name} {folder.name}"
    known = stored(url, study) if asked.resume else {}
    stored_space = Space.of_text(known["space"]) if "space" in known and not asked.space else None
    space = stored_space or read_space(find_space(name, asked.space))
    if known and not arguments:
        arguments = shlex.split(known.get("arguments", ""))
    sampler = asked.sampler or known.get("sampler", "tpe")
    space.second = asked.second or space.second
    scheduler = asked.scheduler or known.get("scheduler", "none" if space.second else "asha")
    seed = int(known.get("seed", 0)) if asked.seed is None else asked.seed
    samplers.check_sampler(sampler, space)
    pareto.check(space, sampler, scheduler)
    if sampler == "grid":
        size = len(samplers.grid(space))
        if (asked.trials or 0) > size:
            raise UserError(f"--trials {asked.trials}: the grid has {size} points, give {size} at most")
        if asked.trials is None and "count" not in known:
            asked.trials = size
    if asked.jobs > (os.cpu_count() or 1):
        note(f"--jobs {asked.jobs} on {os.cpu_count()} cores: the trials will take turns")
    plan = schedulers.make(scheduler, space.min_epochs, space.max_epochs, space.eta)
    search = Search(recipe, arguments, space, plan, sampler, 0, asked.jobs, seed, folder)
    if not known:
        check_keys(search)
    settings = {"recipe": recipe, "arguments": shlex.join(arguments), "sampler": sampler}
    settings |= {"scheduler": scheduler, "seed": str(seed)}
    ledger = Ledger(url, study, space, settings)
    search.count = ledger.count(asked.trials)
    return search, ledger, settings


def read_arguments(argv: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    """The command's own options, and those that are passed on to ``dive fit``.

    Raises:
        UserError: No recipe, or a value that cannot be.
    """
    parser = argparse.ArgumentParser(prog="dive tune", allow_abbrev=False, description=(__doc__ or "").strip())
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("recipe", help="a name of `dive list`, or a YAML file of your own")
    parser.add_argument("--space", help="YAML file of the space (default: configs/tune/<topic>/<model>.yaml)")
    parser.add_argument("--sampler", choices=SAMPLERS, help="default: tpe")
    parser.add_argument("--scheduler", choices=SCHEDULERS, help="default: asha")
    parser.add_argument(
        "--second", choices=SECONDS, help="another objective, the lower the better (default: the space's)"
    )
    parser.add_argument("--trials", type=int, help="configurations of the study (default: 20)")
    parser.add_argument("--jobs", type=int, default=1, help="trials at a time, in this process (default: 1)")
    parser.add_argument("--study", help="name of the study (default: the time)")
    parser.add_argument("--storage", help="Optuna URL, or a file *.journal (default: study.db in the study's folder)")
    parser.add_argument("--resume", action="store_true", help="continue or join a study, as it was begun")
    parser.add_argument("--refit", type=int, default=1, metavar="SEEDS", help="fits of the best, 0: none (default: 1)")
    parser.add_argument("--seed", type=int, help="of the sampler (default: 0); that of training is --seed_everything")
    parser.error = refuse  # type: ignore[method-assign,assignment]
    asked, rest = parser.parse_known_args(list(argv))
    for name, least in (("trials", 1), ("jobs", 1), ("refit", 0), ("seed", 0)):
        value = getattr(asked, name)
        if value is not None and value < least:
            raise UserError(f"--{name} {value}: give a whole number of at least {least}")
    if asked.storage and not asked.study:
        raise UserError("--storage needs --study NAME: a database holds many")
    if asked.storage and not asked.storage.endswith(".journal") and "://" not in asked.storage:
        raise UserError(f"--storage {asked.storage}: give a URL such as sqlite:///study.db, or a file *.journal")
    from common.messages import did_you_mean

    own = [o for action in parser._actions for o in action.option_strings if o.startswith("--")]
    for word in rest:
        option = word.split("=")[0]
        if option.startswith("--") and "." not in option and option not in PASSED_ON:
            raise UserError(
                f"unknown option {option}{did_you_mean(option, [*own, *PASSED_ON]) or ': see dive tune --help'}"
            )
        if option == "--trainer.max_epochs":
            raise UserError("--trainer.max_epochs is the space's max_epochs: give it there")
    return asked, rest


def refuse(message: str) -> None:
    """An error of the parser as one line."""
    if "recipe" in message and "required" in message:
        raise UserError("which recipe? `dive tune RECIPE`, for example `dive tune cnn/lenet`")
    raise UserError(" ".join(message.split()))


def study_folder(parent: Path, name: str | None, resume: bool) -> Path:
    """The folder of a study, made where it is new.

    Raises:
        UserError: There is no study to resume, or one of this name and no ``--resume``.
    """
    if name is None and resume:
        known = sorted((p for p in parent.glob("*") if p.is_dir()), key=lambda p: (p.stat().st_mtime_ns, p.name))
        if not known:
            raise UserError(f"no study in {parent} to resume: leave --resume out")
        return known[-1]
    try:
        if name is None:
            return new_folder(parent)
        if not name or "/" in name or name.startswith("."):
            raise UserError(f"--study {name!r}: give a plain name")
        if (parent / name).is_dir() and not resume:
            raise UserError(f"study {name} is there already: --resume continues or joins it, another name begins anew")
        (parent / name).mkdir(parents=True, exist_ok=True)
        return parent / name
    except OSError as error:
        raise UserError(f"cannot make a folder in {parent}: {error.strerror} (DIVE_RUNS sets another place)") from None


def tell(folder: Path, space: Any, ledger: Any, facts: dict[str, Any], begun: float) -> None:
    """Writes the report and prints its main lines."""
    from scripts.tune import wandb_report
    from scripts.tune.report import rows_of, write_report

    trials = list(ledger.view().trials.values())
    if not trials:
        return
    report = write_report(folder, space, trials, facts | {"seconds": round(time.time() - begun, 1)}, begun)
    wandb_report.send(folder, report, rows_of(trials, space))
    print(report["trials"])
    if best := report.get("best"):
        print(f"best: trial {best['trial']}, {space.metric} {best['value']:.4f} after {best['epochs']} epochs")
        print(f"  {best['command']}")
    for row in report.get("front", []):
        numbers = f"{space.metric} {row[space.metric]:.4f}, {space.second} {row[space.second]:g}"
        print(f"Pareto front: trial {row['trial']}, {numbers}")
    for test in report.get("tests", []):
        numbers = "  ".join(f"{k} {v:.4f}" for k, v in test.items() if k.startswith("test/"))
        print(f"refitted with seed {test['seed']}: {numbers}")
    print(f"  {folder / 'report.html'}", flush=True)
