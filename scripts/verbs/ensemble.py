"""``dive ensemble RECIPE``: several runs of a recipe and the mean of what they predict; training again with all rows.

    dive ensemble mlp/house_prices_kaggle                            five folds, submission.csv
    dive ensemble mlp/mlp_regression --folds 10 --data CSVTable --data.path FILE --data.target COLUMN
    dive ensemble mlp/mlp_regression --new new.csv --id Id ...       the column that names the rows of submission.csv
    dive ensemble mlp/house_prices --trainer.max_epochs 20           any argument of `dive fit`
    dive ensemble cnn/lenet --kind seeds --members 5                 a deep ensemble: other weights and orders
    dive ensemble cnn/lenet --kind bagging --members 5               each on rows drawn with replacement
    dive ensemble cnn/lenet --kind snapshots --members 5             one run, whose rate falls to zero five times
    dive ensemble mlp/early_stopping --kind retrain                  again from new weights with the validation rows
    dive ensemble mlp/early_stopping --kind continue                 on from the best weights with the validation rows

Each fold is tested by the run that did not see it, so that the mean of these tests is an estimate for the whole table.
Without ``--kind`` all runs then predict the new rows (``data.path`` of the recipe, or ``--new FILE``). Numbers are
averaged as the model learned them: of prices learned as logarithms that is the geometric mean, which suits a log-rmse;
the book (D2L 5.7) uses the arithmetic mean. Probabilities are averaged, and the most probable class is predicted.

The folds' runs are in the recipe's run folder; ``runs/<topic>/<recipe>/ensemble/<time>/`` has
``submission.csv`` and ``ensemble.json``: every fold's test beside that of simple models on the same rows.
"""

import csv
import json
import math
import os
from contextlib import suppress
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from common.messages import UserError, did_you_mean
from scripts.front.arguments import next_word
from scripts.front.recipes import runs_name, whole_name
from scripts.front.runs import RUN_DIR, new_folder, runs_root


def main(argv: list[str]) -> int:
    """Fits, tests and predicts with every fold; returns the exit code of the first command that failed, else 0."""
    if {"-h", "--help"} & set(argv):
        print((__doc__ or "").strip())
        return 0
    argv, kind = take_option(argv, "--kind")
    argv, count = take_option(argv, "--members")
    if kind:
        return kinds(kind, count, argv)
    if count:
        raise UserError("--members is for --kind seeds, bagging and snapshots; a table in folds has --folds")
    argv, name = take_option(argv, "--id")
    folds, new, recipe, arguments = read_arguments(argv)
    if new and not Path(new[1]).is_file():  # before hours of training
        raise UserError(f"no file {new[1]}: give --new the table to predict")
    refuse_data_without_folds(recipe, arguments)
    runs: list[Path] = []
    parent = runs_root() / runs_name(recipe)
    for fold in range(folds):
        runs.append(new_folder(parent))
        code = run_fold(recipe, runs[-1], [*arguments, "--data.num_folds", str(folds), "--data.fold", str(fold)], new)
        if code:
            with suppress(OSError):  # it has the finished folds
                runs[-1].rmdir()
            return code
        if name and name not in (columns := read_predictions(runs[-1])[0]):  # after the first fold, not after the last
            raise UserError(f"the table has no column {name!r} for --id; it has {', '.join(columns)}")
    records = [json.loads((run / "run.json").read_text()) for run in runs]
    simple = [simple_models(run) for run in runs]
    tests = [{k: v for k, v in record["metrics"].items() if k.startswith("test/")} for record in records]
    folder = new_folder(parent / "ensemble")
    parts, processor = [read_predictions(run) for run in runs], json.loads((runs[0] / "processor.json").read_text())
    rows = combine(parts, processor | ({"id": name} if name else {}))
    with open(folder / "submission.csv", "w", newline="") as file:
        csv.writer(file).writerows(rows)
    summary = {"recipe": recipe, "runs": [str(run) for run in runs], "tests": tests, "simple": simple}
    (folder / "ensemble.json").write_text(json.dumps(summary, indent=1) + "\n")
    report(tests, simple)
    print(f"{len(rows) - 1} predictions in {folder / 'submission.csv'}")
    return 0


def kinds(kind: str, count: str, argv: list[str]) -> int:
    """The other kinds (``scripts/front/members.py``).

    Raises:
        UserError: An unknown kind, an ensemble of one, an option of folds.
    """
    from scripts.front import members

    if kind not in members.KINDS:
        near = did_you_mean(kind, members.KINDS) or f": there are {', '.join(members.KINDS)}"
        raise UserError(f"--kind {kind}{near}; without --kind it is the folds of a table")
    several = kind in members.KINDS[:3]
    if count and not several:
        raise UserError(f"--kind {kind} has no --members: it trains twice")
    if count and (not count.isdigit() or int(count) < 2):
        raise UserError(f"--members {count}: an ensemble has at least 2")
    for option in ("--folds", "--new", "--id"):
        if any(word.split("=")[0] == option for word in argv):
            raise UserError(f"{option} is for the folds of a table: leave it or --kind out")
    if not argv or argv[0].startswith("-"):
        raise UserError(
            "which recipe? `dive ensemble RECIPE --kind KIND`, for example `dive ensemble cnn/lenet --kind seeds`"
        )
    return members.main(kind, whole_name(argv[0]), int(count or 5), argv[1:])


def take_option(argv: list[str], option: str) -> tuple[list[str], str]:
    """The words without ``--option VALUE`` or ``--option=VALUE``, and the value; empty where it is not there."""
    rest: list[str] = []
    value = ""
    words = iter(argv)
    for word in words:
        key, joined, given = word.partition("=")
        if key == option:
            value = given if joined else next_word(words, option)
        else:
            rest.append(word)
    return rest, value


def read_arguments(argv: list[str]) -> tuple[int, list[str], str, list[str]]:
    """Number of folds, arguments of ``predict``, name of the recipe, arguments of ``fit``.

    Raises:
        UserError: No recipe, or an invalid number of folds.
    """
    rest: list[str] = []
    values = {"--folds": "5", "--new": ""}
    words = iter(argv)
    for word in words:
        option, joined, value = word.partition("=")
        if option in values:
            values[option] = value if joined else next_word(words, option)
        else:
            rest.append(word)
    if not rest or rest[0].startswith("-"):
        raise UserError("which recipe? `dive ensemble RECIPE`, for example `dive ensemble mlp/house_prices`")
    if not values["--folds"].isdigit() or int(values["--folds"]) < 2:
        raise UserError(f"--folds {values['--folds']}: give a whole number of at least 2")
    new = ["--data.path", values["--new"]] if values["--new"] else []
    return int(values["--folds"]), new, whole_name(rest[0]), rest[1:]


def refuse_data_without_folds(recipe: str, arguments: list[str]) -> None:
    """Raises a UserError where a recipe's data cannot be divided into folds."""
    from scripts.front.build import parse
    from scripts.front.classes import arguments_of

    data = parse([recipe, *arguments]).config.get("data")
    if not data or "num_folds" not in arguments_of(data.class_path):
        name = data.class_path.rpartition(".")[2] if data else "no data"
        raise UserError(
            f"{recipe} has {name}, which is not divided into folds: `dive ensemble {recipe} --kind seeds` trains "
            "several runs on all of it; tables have folds"
        )


def run_fold(recipe: str, run: Path, arguments: list[str], new: list[str]) -> int:
    """One fold's fit, test and prediction, each as the command would run it, in the folder ``run``.

    Other runs of the recipe may start and end meanwhile, so "the newest run" could be another one.
    """
    from scripts.cli import main as dive

    before = os.environ.get(RUN_DIR)
    try:
        os.environ[RUN_DIR] = str(run)
        code = dive(["fit", recipe, *arguments])
    finally:
        os.environ.pop(RUN_DIR)
        if before is not None:
            os.environ[RUN_DIR] = before
    for words in (["test", recipe], ["predict", recipe, *new]):
        code = code or dive([words[0], words[1], "--run", str(run), *words[2:]])
    return code


def simple_models(run: Path) -> dict[str, Any]:
    """Chance and baselines on the rows of a run (``scripts/front/baselines.py``)."""
    from scripts.front.baselines import baselines
    from scripts.front.build import build

    return baselines(build(["--config", str(run / "config.yaml")])[2])


def read_predictions(run: Path) -> list[dict[str, str]]:
    """The rows of a run's ``predictions.csv``."""
    with open(run / "predictions.csv", newline="") as file:
        return list(csv.DictReader(file))


def combine(parts: list[list[dict[str, str]]], processor: dict[str, Any]) -> list[list[str]]:
    """The submission: a heading, then the name and the mean prediction of each row.

    Args:
        parts: What each run predicted, in the same order of rows.
        processor: Of one of the runs: its target, classes, whether logarithms were learned, the heading of the names.
    """
    heading = [processor.get("id") or "name", processor["target"]]
    classes, log = processor.get("class_names"), processor.get("log_target", False)
    rows = [heading]
    for same in zip(*parts, strict=True):
        if classes:
            shares = [mean(float(row[f"p({name})"]) for row in same) for name in classes]
            answer = classes[shares.index(max(shares))]
        else:
            column = "predicted prediction" if "predicted prediction" in same[0] else "prediction"
            values = [float(row[column]) for row in same]
            answer = repr(math.exp(mean(map(math.log, values))) if log else mean(values))
        rows.append([same[0].get(processor.get("id") or "name", same[0]["name"]), answer])
    return rows


def report(tests: list[dict[str, float]], simple: list[dict[str, Any]]) -> None:
    """A line for each metric: the mean over folds, their spread, and the simple models' means."""
    for metric in tests[0]:
        values = [test[metric] for test in tests]
        line = f"{metric} {mean(values):.4f} ± {stdev(values):.4f} over {len(values)} folds"
        for kind in ("chance", "baseline", "trees"):
            others = [
                fold[kind]["metrics"][metric] for fold in simple if metric in fold.get(kind, {}).get("metrics", {})
            ]
            line += f", {kind} {mean(others):.4f}" if others else ""
        print(line)
