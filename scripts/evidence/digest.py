"""The digest of a recipe: what its code does in the first steps. It keeps a row of results valid after a refactoring.

The recipe is built as ``dive fit`` builds it, at seed 0, on one thread of the CPU, on its first fold where it has
folds. A real Trainer takes ``STEPS`` optimizer steps with the recipe's own precision, clipping, accumulation and
callbacks, then a batch of validation and one of test. Losses, metrics, weights, optimizer, learning rates and sizes
are recorded with seven significant digits. The same is done with the ablation's arguments, and the values that
differ are recorded too. Checkpoints, pictures and loggers are left out, and nothing is downloaded.

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
RATES = 8  # places of the whole run where the learning rate is recorded
EVALUATED = 32  # rows of an evaluation batch at most: an untrained translator generates to the longest length
LONGEST_SCHEDULE = 200_000  # steps that a schedule is followed for: a few seconds
COLUMNS = (
    *("settings", "callbacks", "rows", "data", "parameters", "optimizer", "rates", "steps", "start"),
    *("losses", "weights", "val", "test", "ablation"),
)
#: Relative tolerances. Another CPU sums in another order, and each step increases the difference. Measured over
#: all recipes with and without a CPU's vector instructions (ATEN_CPU_CAPABILITY=default, ONEDNN_MAX_CPU_ISA=SSE41), the
#: largest differences of the five losses were 6e-6, 9e-5, 4e-4, 3e-3 and 8e-3, of the weights' norm after them 1e-5,
#: of a metric 3e-3; what is known before the first step was the same.
LOSSES = (2e-5, 2e-4, 1e-3, 5e-3, 2e-2)
TOLERANCES = {"weights": 1e-4, "val": 1e-2, "test": 1e-2}
STRICT = 2e-6  # of the rest: seven digits are recorded
FLIPS = 2  # rows of an evaluation batch that may be classified differently on another CPU, of ``EVALUATED``
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
        result = Path(folder) / "result.json"
        found = json.loads(result.read_text()) if result.is_file() else {"failure": f"exit code {process.exitcode}"}
    if "refused" in found:
        raise UserError(found["refused"])
    if "failure" in found:
        raise RunError(found["failure"])
    return dict(found)


def _enter(recipe: Recipe, extra: list[str], folder: str) -> None:
    """The function of the new process: saves ``result.json`` in ``folder``."""
    os.chdir(folder)
    silent = os.open("output", os.O_WRONLY | os.O_CREAT)
    os.dup2(silent, 1)
    os.dup2(silent, 2)
    try:
        result = take(recipe, extra)
    except BaseException as error:  # SystemExit too: the parent reads the file, not the exit code
        text = " ".join(str(error).split())
        refused = getattr(error, "exit_code", None) == UserError.exit_code
        result = {"refused": text} if refused else {"failure": f"{type(error).__name__}: {text}"}
    Path(folder, "result.json").write_text(json.dumps(result))


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
        found["ablation"] = " | ".join(f"{k}: {text}" for k, text in other.items() if text != found[k])
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

    Entries that ``old`` does not have were not recorded when it was taken, and are not compared.
    """
    for column in (column for column in COLUMNS if column in old):
        if found := text_difference(column, old[column], new.get(column, "nothing")):
            return found
    return ""


def text_difference(column: str, old: str, new: str) -> str:
    """``difference`` of one column's texts."""
    if column == "ablation" and ": " in old and ": " in new:
        parts = [dict(part.split(": ", 1) for part in text.split(" | ")) for text in (old, new)]
        found = [text_difference(name, *(part.get(name, "nothing") for part in parts)) for name in parts[0] | parts[1]]
        return next((f"ablation, {text}" for text in found if text), "")
    before, after = old.split(), new.split()
    if column in ("val", "test"):  # a metric that is logged since then was not recorded, and is not compared
        known = {word.partition("=")[0] for word in before}
        after = [word for word in after if word.partition("=")[0] in known]
    for k in range(max(len(before), len(after))):
        was, now = (part[k] if k < len(part) else "nothing" for part in (before, after))
        tolerance = LOSSES[min(k, len(LOSSES) - 1)] if column == "losses" else TOLERANCES.get(column, STRICT)
        if not same_word(was, now, tolerance, FLIPS if column in ("val", "test") else 0):
            return f"{column}, word {k + 1}: {was} was measured, now {now}"
    return ""


def same_word(old: str, new: str, tolerance: float, flips: int = 0) -> bool:
    """Whether two words are equal up to ``tolerance`` of the number that they are or end with (``name=number``).

    Whole numbers are counts: they are equal or not. Fractions of ``EVALUATED`` rows may differ by ``flips`` rows.
    """
    if old == new:
        return True
    a, b = (re.fullmatch(r"(.*=)?([-+]?[\d.]+(?:e[-+]?\d+)?)", word) for word in (old, new))
    if not a or not b or a[1] != b[1]:
        return False
    x, y = float(a[2]), float(b[2])
    if flips and all((EVALUATED * v).is_integer() for v in (x, y)):
        return abs(x - y) <= flips / EVALUATED
    if a[2].isdigit() and b[2].isdigit():
        return False
    return abs(x - y) <= tolerance * max(abs(x), abs(y))
