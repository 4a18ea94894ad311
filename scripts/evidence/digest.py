"""The digest of a recipe: what its code does in the first steps, by which a row of results outlives a refactoring.

The recipe is built as ``dive fit`` builds it, at seed 0, on one thread of the CPU, on its first fold where it has
folds. A real Trainer takes ``STEPS`` optimizer steps with the recipe's own precision, clipping, accumulation and
callbacks, then a batch of validation and one of test. Losses, metrics, weights, optimizer, learning rates and sizes
are written down with seven significant digits. The same is done with the ablation's arguments, and what came out
otherwise is written down too. Checkpoints, pictures and loggers are left out, and nothing is downloaded.

A digest is a dictionary of short texts, the columns of ``results/<topic>.digests.csv``. ``difference`` compares two.
"""

import json
import os
import re
import shlex
import tempfile
import warnings
from pathlib import Path
from typing import Any

from common.messages import RunError, UserError
from scripts.evidence.folds import fold_arguments
from scripts.front.forked import FORKS
from scripts.front.recipes import Recipe
from scripts.front.working_directory import add_working_directory

STEPS = 5  # of the optimizer: enough for momentum, clipping and augmentation to show
RATES = 8  # places of the whole run where the learning rate is written down
EVALUATED = 32  # rows of an evaluation batch at most: an untrained translator generates to the longest length
LONGEST_SCHEDULE = 200_000  # steps that a schedule is followed for: a few seconds
COLUMNS = (
    *("settings", "callbacks", "rows", "data", "parameters", "optimizer", "rates", "steps", "start"),
    *("losses", "weights", "val", "test", "ablation"),
)
#: Relative tolerances. What the steps lead to depends a little on the CPU, which adds up in an order of its own; the
#: rest does not.
LOOSE, STRICT = 2e-4, 2e-6
LOOSELY = ("losses", "weights", "val", "test", "ablation")
#: Settings of the trainer that decide a number, besides callbacks.
SETTINGS = (
    *("max_epochs", "min_epochs", "max_steps", "min_steps", "precision", "gradient_clip_val"),
    *("gradient_clip_algorithm", "accumulate_grad_batches", "limit_train_batches", "limit_val_batches"),
    *("limit_test_batches", "overfit_batches", "check_val_every_n_epoch", "val_check_interval"),
)
#: Entries of an optimizer's groups that say how a step is computed and not which, or what stands elsewhere.
HOW = ("params", "initial_lr", "foreach", "fused", "capturable", "differentiable")


def digest(recipe: Recipe, extra: list[str]) -> dict[str, str]:
    """The digest of a recipe with further arguments, taken in a process of its own.

    Raises:
        UserError: The recipe cannot be built here: its public files are not there, or an argument is wrong.
        RunError: It was built, and a step or an evaluation failed.
    """
    add_working_directory()  # the new process has this one's search path
    with tempfile.TemporaryDirectory(prefix="dive-digest-") as folder:
        process = FORKS.Process(target=_enter, args=(recipe, extra, folder))
        process.start()
        process.join()
        answer = Path(folder) / "answer.json"
        found = json.loads(answer.read_text()) if answer.is_file() else {"failure": f"exit code {process.exitcode}"}
    if "refused" in found:
        raise UserError(found["refused"])
    if "failure" in found:
        raise RunError(found["failure"])
    return dict(found)


def _enter(recipe: Recipe, extra: list[str], folder: str) -> None:
    """What the new process does: writes ``answer.json`` into ``folder``."""
    os.chdir(folder)
    silent = os.open("output", os.O_WRONLY | os.O_CREAT)
    os.dup2(silent, 1)
    os.dup2(silent, 2)
    try:
        answer = take(recipe, extra)
    except BaseException as error:  # SystemExit too: the parent reads the answer, not the exit code
        text = " ".join(str(error).split())
        refused = getattr(error, "exit_code", None) == UserError.exit_code
        answer = {"refused": text} if refused else {"failure": f"{type(error).__name__}: {text}"}
    Path(folder, "answer.json").write_text(json.dumps(answer))


def take(recipe: Recipe, extra: list[str]) -> dict[str, str]:
    """The digest, computed in this process, which it leaves with one thread and without downloads."""
    import pooch
    import torch

    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    pooch.retrieve = refuse_download
    words = ["--config", str(recipe.path), *fold_arguments(recipe)[0], *extra]
    found = first_steps(words)
    ablation = shlex.split(recipe.header.get("ablation", ""))
    if ablation:  # its arguments may get other names: what they do stands here
        other = first_steps([*words, *ablation])
        found["ablation"] = "; ".join(f"{k}: {text}" for k, text in other.items() if text != found[k])
    if "folds" in recipe.header:
        found["settings"] += f" folds={recipe.header['folds']}"
    return {name: found.get(name) or "none" for name in COLUMNS}


def refuse_download(*_: Any, **__: Any) -> None:
    raise UserError("its public files are not here")


def first_steps(words: list[str]) -> dict[str, str]:
    """Builds what ``dive fit WORDS`` would train, takes the first steps and evaluates."""
    from scripts.evidence.digest_run import Run

    return Run([*words, "--seed_everything", "0"]).found


# -- comparing --------------------------------------------------------------------------------------------------------


def difference(old: dict[str, str], new: dict[str, str]) -> str:
    """The first entry in which two digests differ, with both values; empty where they agree within the tolerances.

    What ``old`` does not have was not written down when it was taken, and is not compared.
    """
    for column in (column for column in COLUMNS if column in old):
        tolerance = LOOSE if column in LOOSELY else STRICT
        before, after = old[column].split(), new.get(column, "").split()
        for k in range(max(len(before), len(after))):
            was, now = (part[k] if k < len(part) else "nothing" for part in (before, after))
            if not same_word(was, now, tolerance):
                return f"{column}, word {k + 1}: {was} was measured, now {now}"
    return ""


def same_word(old: str, new: str, tolerance: float) -> bool:
    """Whether two words are equal up to ``tolerance`` of the number that they are or end with (``name=number``).

    Whole numbers are counts: they are equal or not.
    """
    if old == new:
        return True
    a, b = (re.fullmatch(r"(.*=)?([-+]?[\d.]+(?:e[-+]?\d+)?)", word) for word in (old, new))
    if not a or not b or a[1] != b[1] or (a[2].isdigit() and b[2].isdigit()):
        return False
    x, y = float(a[2]), float(b[2])
    return abs(x - y) <= tolerance * max(abs(x), abs(y))
