"""Procedures over several trainings of one recipe: ensembles of four kinds, and training again with all rows.

Goodfellow et al. 7.11 (bagging), 7.8 (algorithms 7.2 and 7.3); Lakshminarayanan et al. 2017 (deep ensembles); Huang et
al. 2017 (snapshots). The verb is ``dive ensemble``; each training is a ``dive fit`` with a run folder of its own.
"""

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from callbacks.metrics_csv import read_metrics
from common.messages import UserError
from scripts.front.recipes import runs_name
from scripts.front.runs import RUN_DIR, new_folder, path_of, runs_root

KINDS = ("seeds", "bagging", "snapshots", "retrain", "continue")
Member = tuple[Path, Path]  # a run, and the checkpoint in it
CYCLES = "lit_models.optimization.schedules.Cycles"


def callback(name: str, **arguments: Any) -> list[str]:
    """Words that add a callback to a fit."""
    return ["--trainer.callbacks+", json.dumps({"class_path": f"callbacks.{name}", "init_args": arguments})]


def fit(recipe: str, run: Path, arguments: Sequence[str]) -> None:
    """``dive fit RECIPE ARGUMENTS`` in the folder ``run``.

    Raises:
        Failed: It ended with an error, which it has said.
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
    if code:
        raise Failed(code)


class Failed(Exception):
    """A command of a procedure failed; it has said why."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def several(kind: str, recipe: str, count: int, arguments: Sequence[str]) -> list[Member]:
    """Trains the members of an ensemble.

    Args:
        kind: ``seeds``: other weights and orders; ``bagging``: other rows, too; ``snapshots``: one run of cycles.
        recipe: The recipe.
        count: How many members.
        arguments: Of ``dive fit``.
    """
    if kind == "snapshots":
        run = new_folder(runs_root() / runs_name(recipe))
        schedule = ["--model.lr_scheduler", CYCLES, "--model.lr_scheduler.cycles", str(count)]
        words = [*schedule, "--model.lr_interval", "step", *callback("snapshots.Snapshots", cycles=count)]
        fit(recipe, run, [*arguments, *words])
        return [(run, path_of(run, f"snapshot-{k}")) for k in range(1, count + 1)]
    members = []
    for seed in range(count):
        run = new_folder(runs_root() / runs_name(recipe))
        rows = callback("split_rows.Bootstrap", seed=seed) if kind == "bagging" else []
        fit(recipe, run, [*arguments, "--seed_everything", str(seed), *rows])
        members.append((run, path_of(run, "best")))
    return members


def again(kind: str, recipe: str, arguments: Sequence[str]) -> list[Member]:
    """A run that its validation rows stopped, and a second one that is trained on them, too.

    Args:
        kind: ``retrain`` (algorithm 7.2): from new weights, for as many steps as the best weights had had. ``continue``
            (7.3): from the best weights, until the validation loss is not above the training loss that they had.
        recipe: The recipe.
        arguments: Of ``dive fit``; a recipe without early stopping runs to its end, and its best weights count.
    """
    import torch

    first = new_folder(runs_root() / runs_name(recipe))
    fit(recipe, first, arguments)
    best = path_of(first, "best")
    facts = torch.load(best, map_location="cpu", weights_only=True)
    step, epoch = int(facts["global_step"]), int(facts["epoch"])
    second = new_folder(runs_root() / runs_name(recipe))
    if kind == "retrain":
        fit(recipe, second, [*arguments, "--trainer.max_steps", str(step), *callback("split_rows.AllRows")])
    else:
        goal = train_loss(first, epoch)
        (second / "checkpoints").mkdir(parents=True)
        for name in ("config.yaml", "processor.json"):
            if (first / name).is_file():
                shutil.copy(first / name, second / name)
        shutil.copy(best, path_of(second, "last"))
        limit = json.loads((first / "run.json").read_text())["epochs"] + epoch + 1
        words = ["--run", str(second), "--resume", "--trainer.max_epochs", str(limit)]
        fit(recipe, second, [*words, *callback("split_rows.AllRows", below=goal)])
    return [(first, best), (second, path_of(second, "last"))]


def refuse_other_tasks(kind: str, recipe: str, arguments: Sequence[str]) -> None:
    """Looks at what a recipe trains before anything is trained.

    Raises:
        UserError: It is neither a classifier nor a regressor.
    """
    from lit_models.tasks.classifier import Classifier
    from lit_models.tasks.regressor import Regressor
    from scripts.front.build import parse
    from scripts.front.classes import import_class

    name: str = parse([recipe, *arguments]).config.model.class_path
    if not issubclass(import_class(name), Classifier | Regressor):
        raise UserError(
            f"--kind {kind} is for classifiers and regressors: {name.rpartition('.')[2]} of {recipe} is neither; "
            f"`dive fit {recipe} --seed_everything 1` trains it from another seed"
        )


def train_loss(run: Path, epoch: int) -> float:
    """The training loss of an epoch, as it is in ``metrics.csv``.

    Raises:
        UserError: The recipe does not log one.
    """
    found = [
        row["train/loss"]
        for row in read_metrics(run / "metrics.csv")
        if row.get("epoch") == epoch and "train/loss" in row
    ]
    if not found:
        raise UserError(f"--kind continue needs train/loss, which {run.parent.name} does not log: take --kind retrain")
    return float(found[-1])


# -- measuring --------------------------------------------------------------------------------------------------------


def answers(member: Member) -> tuple[Any, Any, bool]:
    """What a member answers for each test row, the targets, and whether it is a classifier.

    Raises:
        UserError: It is neither a classifier nor a regressor.
    """
    import torch

    from lit_models.tasks.classifier import Classifier
    from lit_models.tasks.regressor import Regressor
    from scripts.front.restored import restore

    run, checkpoint = member
    model, data = restore(run, checkpoint)
    if data is None or not isinstance(model, Classifier | Regressor):
        raise UserError(
            f"{type(model).__name__} is neither a classifier nor a regressor: there is no mean of its answers"
        )
    data.prepare_data()
    data.setup("test")
    found, targets = [], []
    with torch.no_grad():
        for batch in data.test_dataloader():
            *x, y = data.on_after_batch_transfer(batch, 0)
            found.append(model(*x).float())
            targets.append(y)
    out, y = torch.cat(found), torch.cat(targets)
    classifier = isinstance(model, Classifier)
    return (out.softmax(1) if classifier else out.reshape(y.shape)), y, classifier


def measured(prediction: Any, y: Any, classifier: bool) -> dict[str, float]:
    """Accuracy, negative log-likelihood and calibration error of probabilities; the squared error of numbers."""
    from lit_models.functional.calibration import calibration_error

    if not classifier:
        return {"test/mse": float((prediction - y).square().mean())}
    p = prediction.gather(1, y[:, None]).clamp_min(1e-12)
    return {
        "test/acc": float((prediction.argmax(1) == y).float().mean()),
        "test/loss": float(-p.log().mean()),
        "test/ece": float(calibration_error(prediction, y)),
    }


def main(kind: str, recipe: str, count: int, arguments: Sequence[str]) -> int:
    """Trains, measures, prints, and writes ``ensemble.json``; returns the exit code."""
    import torch

    refuse_other_tasks(kind, recipe, arguments)
    try:
        members = several(kind, recipe, count, arguments) if kind in KINDS[:3] else again(kind, recipe, arguments)
    except Failed as error:
        return error.code
    found = [answers(member) for member in members]
    y, classifier = found[0][1:]
    tests = [measured(prediction, y, classifier) for prediction, *_ in found]
    summary: dict[str, Any] = {"recipe": recipe, "kind": kind, "members": [str(path) for _, path in members]}
    summary["tests"] = tests
    if kind in KINDS[:3]:
        summary["ensemble"] = measured(torch.stack([prediction for prediction, *_ in found]).mean(0), y, classifier)
        for name, value in summary["ensemble"].items():
            values = [test[name] for test in tests]
            spread = f"({min(values):.4f} to {max(values):.4f})"
            print(f"{name} {value:.4f}, its {len(tests)} members {mean(values):.4f} {spread}")
    else:
        for name, before in tests[0].items():
            print(f"{name} {tests[1][name]:.4f} with all rows, {before:.4f} without the validation rows")
    folder = new_folder(runs_root() / runs_name(recipe) / "ensemble")
    (folder / "ensemble.json").write_text(json.dumps(summary, indent=1) + "\n")
    print(f"  {folder / 'ensemble.json'}")
    return 0
