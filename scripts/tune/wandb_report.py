"""The report of a search in Weights & Biases, where the trials' logger is on (``-c logger/wandb``).

The trials and refits are runs of a group, the study (``scripts/tune/trial.py``); the report is one more run of it, of
the type ``search``: the pictures, the table of the trials, and the best value as its summary. Everything works offline.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from common.messages import note
from scripts.front.runs import wandb_id


def logger_of(folder: Path) -> dict[str, Any] | None:
    """The arguments of the W&B logger of a study's trials; None where they have none."""
    for config in sorted((folder / "trials").glob("*/config.yaml")):
        loggers = (yaml.safe_load(config.read_text()).get("trainer") or {}).get("logger") or []
        for logger in loggers if isinstance(loggers, list) else [loggers]:
            if isinstance(logger, dict) and str(logger.get("class_path", "")).endswith("WandbLogger"):
                return dict(logger.get("init_args") or {})
        return None
    return None


def send(folder: Path, report: dict[str, Any], rows: Sequence[dict[str, Any]]) -> bool:
    """Sends the report of a study; a failure is said and ends nothing. Returns whether it was sent.

    Args:
        folder: Of the study, with the pictures.
        report: What ``report.json`` holds.
        rows: The trials.
    """
    logger = logger_of(folder)
    if logger is None:
        return False
    import wandb

    group = os.environ.get("WANDB_RUN_GROUP") or f"{folder.parents[1].name} {folder.name}"
    try:
        run = wandb.init(
            project=logger.get("project"),
            entity=logger.get("entity"),
            dir=str(folder),
            id=wandb_id(folder),
            name=f"{group}: report",
            group=group,
            job_type="search",
            resume="allow",
            config={key: value for key, value in report.items() if isinstance(value, str | int | float)},
        )
        pictures: dict[str, Any] = {path.stem: wandb.Image(str(path)) for path in sorted(folder.glob("*.png"))}
        columns: list[str | int] = list(rows[0]) if rows else []
        table = wandb.Table(columns=columns, data=[[str(row[str(key)]) for key in columns] for row in rows])
        run.log({**pictures, "trials": table})
        run.summary.update({"best": report.get("best", {}), "front": report.get("front", [])})
        run.finish()
    except (wandb.Error, OSError) as error:
        note(f"the report of the search did not reach W&B: {' '.join(str(error).split())[:200]}")
        return False
    return True
