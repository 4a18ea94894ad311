"""One run, one folder: ``runs/<topic>/<recipe>/<time>/``.

The process that the user starts makes the folder before any other process exists and passes it on in ``DIVE_RUN_DIR``.
Under a launcher that starts all processes by itself (torchrun, srun) the folder is named after the job, so that all
agree on it, and a job that is requeued or restarted resumes its run.
"""

import json
import os
import secrets
import time
from dataclasses import dataclass
from pathlib import Path

import yaml

from common.messages import UserError, note

RUN_DIR = "DIVE_RUN_DIR"


def runs_root() -> Path:
    """``$DIVE_RUNS``, by default ``runs`` in the working directory."""
    return Path(os.environ.get("DIVE_RUNS") or "runs")


def launcher_name() -> str | None:
    """A name that all processes of a job started by SLURM or torchrun share; None without such a launcher."""
    env = os.environ
    job = env.get("SLURM_ARRAY_JOB_ID") or env.get("SLURM_JOB_ID")
    if job and env.get("SLURM_PROCID") and env.get("SLURM_JOB_NAME") not in ("bash", "interactive"):
        task = env.get("SLURM_ARRAY_TASK_ID")
        return f"slurm-{job}" + (f"_{task}" if task else "")
    if "TORCHELASTIC_RUN_ID" in env:
        if env["TORCHELASTIC_RUN_ID"] == "none":
            raise UserError("torchrun needs --rdzv_id NAME, or --standalone: the run's folder is named after it")
        return f"torchrun-{env['TORCHELASTIC_RUN_ID']}"
    return None


def begun_run(recipe: str) -> Path | None:
    """The run that a launcher's job began before it was requeued or restarted; None if it has not saved anything."""
    name = None if os.environ.get(RUN_DIR) else launcher_name()
    folder = runs_root() / recipe / (name or "")
    known = name and (folder / "config.yaml").is_file() and path_of(folder, "last").exists()
    return folder if known else None


def new_run(recipe: str) -> Path:
    """Makes and returns a new folder for a run of ``recipe``; two runs of one second get two folders."""
    if os.environ.get(RUN_DIR):
        return Path(os.environ[RUN_DIR])
    parent = runs_root() / recipe
    try:
        parent.mkdir(parents=True, exist_ok=True)
        if name := launcher_name():
            (parent / name).mkdir(exist_ok=True)
            return parent / name
        return new_folder(parent)
    except OSError as error:
        raise UserError(
            f"cannot make a run folder in {parent}: {error.strerror} (DIVE_RUNS sets another place)"
        ) from None


def new_folder(parent: Path) -> Path:
    """Makes a folder of the present second in ``parent``; two of one second get two names."""
    parent.mkdir(parents=True, exist_ok=True)
    stamp = time.strftime("%Y-%m-%d_%H-%M-%S")
    for k in range(1000):
        folder = parent / (f"{stamp}_{k:03d}" if k else stamp)
        try:
            folder.mkdir()
            return folder
        except FileExistsError:
            continue
    raise UserError(f"a thousand runs began in one second in {parent}")


def newest_run(recipe: str, checkpoint: str | None = None) -> Path:
    """The newest run folder of ``recipe``; with ``checkpoint`` (``best`` or ``last``) the newest that has one to use in
    its place (``checkpoint_of``). Where that is not the newest of all, a note says so.

    Raises:
        UserError: There is none.
    """
    folders = runs_of(recipe)
    if not folders:
        raise UserError(f"no run of {recipe} in {runs_root()}: start one with `dive fit {recipe}`")
    if checkpoint is None:
        return folders[-1]
    having = [p for p in folders if any(path_of(p, name).exists() for name in {checkpoint, "last"})]
    if not having:
        raise UserError(
            f"{folders[-1]} has no {checkpoint}.ckpt (it ended before its first save): "
            f"start again with `dive fit {recipe}`"
        )
    if having[-1] != folders[-1]:
        note(f"{folders[-1]}, the newest run, has saved nothing: this is about {having[-1]}")
    return having[-1]


def runs_of(recipe: str) -> list[Path]:
    """The run folders of a recipe, the newest last."""
    folders = [p for p in (runs_root() / recipe).glob("*") if (p / "config.yaml").is_file()]
    return sorted(folders, key=lambda p: ((p / "config.yaml").stat().st_mtime_ns, p.name))


@dataclass(frozen=True)
class RunData:
    """What a run was trained on, from its config: the class of the datamodule, and the file or folder it read."""

    class_path: str
    source: str = ""

    def __str__(self) -> str:
        return " ".join(filter(None, (self.class_path.rpartition(".")[2] or "data of its own", self.source)))


def data_of(run: Path) -> RunData:
    data = (yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8")) or {}).get("data") or {}
    given = data.get("init_args") or {}
    return RunData(data.get("class_path", ""), str(given.get("root") or given.get("path") or ""))


def say_which(run: Path, recipe: str, data: str | None) -> None:
    """Prints which of several runs of a recipe is used. Data given by name that is not the run's is refused.

    Args:
        run: The run that is used because it is the newest.
        recipe: Whose runs there may be others of.
        data: The class of the data that was given on the command line.

    Raises:
        UserError: The run was trained on data of another class.
    """
    from scripts.front.data_options import looks_at  # which imports this module

    runs = [other for other in runs_of(recipe) if any(path_of(other, name).exists() for name in ("best", "last"))]
    trained = data_of(run)
    if data and trained.class_path and data != trained.class_path and not looks_at(trained.class_path, data):
        kind = data.rpartition(".")[2]
        others = [other for other in reversed(runs) if data_of(other).class_path == data]
        raise UserError(
            f"{run}, the newest run, was trained on {trained} and not on {kind}: "
            + (
                f"{others[0]} was, give --run {others[0]}"
                if others
                else f"no run of {recipe} was, `dive fit` makes one"
            )
            + f" (or --run {run}, to use this one on {kind})"
        )
    if len(runs) > 1:
        note(f"this is about {run}, the newest of {len(runs)} runs, trained on {trained}; --run DIR names another")


def checkpoint_of(run: Path, which: str) -> Path:
    """The file of the checkpoint ``best`` or ``last`` of a run folder: of a run that was never validated, which has no
    best one, the last, and a note says so.
    """
    if which == "best" and not path_of(run, "best").exists() and path_of(run, "last").exists():
        note(f"{run} was never validated and has no best.ckpt: last.ckpt is used")
        return path_of(run, "last")
    return path_of(run, which)


def path_of(run: Path, which: str) -> Path:
    return run / "checkpoints" / f"{which}.ckpt"


def run_of(checkpoint: Path) -> Path | None:
    """The run folder that a checkpoint lies in; None where it lies elsewhere."""
    folder = checkpoint.resolve().parent.parent
    return folder if (folder / "config.yaml").is_file() else None


def wandb_id(run: Path) -> str:
    """The id under which W&B knows a run, the same after each resume: kept in ``wandb.json``. A sweep gives its own."""
    file = run / "wandb.json"
    try:
        with open(file, "x") as new:  # the first process of the run makes it
            json.dump({"id": os.environ.get("WANDB_RUN_ID") or secrets.token_hex(4)}, new)
    except FileExistsError:
        pass
    return str(json.loads(file.read_text())["id"])
