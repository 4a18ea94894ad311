"""One run of a recipe for ``dive results``: fit and test in processes of their own, in a temporary runs folder."""

import json
import shlex
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from common.messages import RunError, UserError
from scripts.front import forked
from scripts.front.recipes import CONFIGS, Recipe
from scripts.front.runs import RUN_DIR


def run_once(recipe: Recipe, seed: int, arguments: list[str]) -> dict[str, Any]:
    """Fits and tests a recipe in processes of their own; returns its ``run.json``.

    Raises:
        RunError: A process ended with another exit code than 0.
    """
    with tempfile.TemporaryDirectory(prefix="dive-results-") as folder:
        dive("fit", recipe.name, "--seed_everything", str(seed), *arguments, runs=folder)
        (run,) = (path.parent for path in Path(folder).glob(f"{recipe.name}/*/config.yaml"))
        dive("test", recipe.name, "--run", str(run), runs=folder)
        return json.loads((run / "run.json").read_text())


def dive(*words: str, runs: str) -> None:
    """One ``dive`` command in a process of its own."""
    code, output = forked.run(list(words), {"DIVE_RUNS": runs, RUN_DIR: None})
    if code:
        last = (output.strip() or "no output").splitlines()[-1]
        raise RunError(f"`dive {shlex.join(words)}` ended with exit code {code}: {last}")


def seed_row(seed: int, record: dict[str, Any]) -> dict[str, Any]:
    """What is kept of one run."""
    tests = {name: value for name, value in record["metrics"].items() if name.startswith("test/")}
    kept = {key: record[key] for key in ("seconds", "cpu_seconds", "epochs", "samples_per_second", "parameters")}
    return {"seed": seed, **kept, "metrics": tests}


def ablation_arguments(recipe: Recipe) -> list[str]:
    """The words of the header's ``ablation:``; none without it.

    Raises:
        UserError: They are not Lightning arguments.
    """
    words = shlex.split(recipe.header.get("ablation", ""))
    if words and not words[0].startswith("-"):
        raise UserError(f"{recipe.path}: ablation is {words[0]!r}, no arguments such as --model.dropout 0")
    return words


def simple_baselines(argv: list[str]) -> dict[str, Any]:
    """``chance`` and ``baseline`` of a recipe's data, computed here, after the runs, which need the memory."""
    from scripts.front.baselines import baselines
    from scripts.front.build import build

    return baselines(build(argv)[2])


def head_commit() -> str:
    """The commit that is checked out; empty outside of a repository."""
    done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=CONFIGS.parent, capture_output=True, text=True)
    return done.stdout.strip()
