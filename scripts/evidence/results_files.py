"""The measured results, as two CSV files per topic.

``results/<topic>.csv`` has a row for each seed of a recipe, with its cost and its metrics on the test split, and
one for its ablation, its chance, its baseline, its trees and its translation word by word, if it has them (``kind``).
``what`` describes it: the ablation's arguments, the name of the baseline. ``folds`` are the single folds' metrics.

``results/<topic>.digests.csv`` has a row for each recipe: what its numbers were measured with (commit, device,
versions, further arguments), the fingerprint of its sources, and its digest (``digest.py``). ``checked`` is the
fingerprint for which another digest was found, and ``differs`` says what was different.
"""

import csv
import io
import json
import shlex
from collections.abc import Iterable
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from scripts.evidence.digest import COLUMNS
from scripts.evidence.rows_file import locked, replace_text

TAKEN = {"seconds": float, "cpu_seconds": float, "epochs": int, "samples_per_second": float, "parameters": int}
FIRST = ("recipe", "kind", "seed", *TAKEN, "what")
BASELINES = ("chance", "baseline", "trees", "words")
VERSIONS = ("python", "torch", "lightning")
LEFT = "not measured yet: seeds "  # what `differs` says of a row that has not all of its seeds
ORIGIN = ("recipe", "extra", "commit", "device", *VERSIONS, "fingerprint", "checked", "differs", *COLUMNS)


def read_topic(folder: Path, topic: str) -> dict[str, dict[str, Any]]:
    """The results of a topic, by recipe; empty where nothing was measured."""
    rows = read_csv(folder / f"{topic}.csv")
    results = {}
    for origin in read_csv(folder / f"{topic}.digests.csv"):
        own = [row for row in rows if row["recipe"] == origin["recipe"]]
        runs = [run_of(row) for row in own if row["kind"] == "seed"]
        result: dict[str, Any] = {
            **{name: origin[name] for name in ("recipe", "commit", "device", "fingerprint", "checked", "differs")},
            "extra": shlex.split(origin["extra"]),
            "versions": {name: origin[name] for name in VERSIONS},
            "digest": {name: origin[name] for name in COLUMNS if origin.get(name)},
            "seeds": [run["seed"] for run in runs],
            "runs": runs,
            "metrics": {name: summary([run["metrics"][name] for run in runs]) for name in runs[0]["metrics"]},
        }
        for row in own:
            if row["kind"] == "ablation":
                result["ablation"] = {"arguments": row["what"], **run_of(row)}
            elif row["kind"] in BASELINES:
                result[row["kind"]] = {"what": row["what"], "metrics": metrics_of(row)}
        results[origin["recipe"]] = result
    return results


def update_topic(folder: Path, topic: str, result: dict[str, Any]) -> None:
    """Puts the result of one recipe in the place of its older one; what other processes write meanwhile stays."""
    with locked(folder):
        write_topic(folder, topic, read_topic(folder, topic) | {result["recipe"]: result})


def write_topic(folder: Path, topic: str, results: dict[str, dict[str, Any]]) -> None:
    """Writes both files of a topic, recipes by name; each is replaced atomically."""
    rows, origins = [], []
    for recipe, result in sorted(results.items()):
        rows += [row_of(recipe, "seed", run) for run in result["runs"]]
        if "ablation" in result:
            rows.append(row_of(recipe, "ablation", result["ablation"]) | {"what": result["ablation"]["arguments"]})
        for kind in (kind for kind in BASELINES if kind in result):
            rows.append(row_of(recipe, kind, result[kind]) | {"what": result[kind]["what"]})
        own = {name: result.get(name, "") for name in ("commit", "device", "fingerprint", "checked", "differs")}
        extra = {"recipe": recipe, "extra": shlex.join(result["extra"])}
        origins.append({**extra, **own, **result["versions"], **result["digest"]})
    metrics = dict.fromkeys(name for row in rows for name in row if name not in (*FIRST, "folds"))
    write_csv(folder / f"{topic}.csv", [*FIRST, *metrics, "folds"], rows)
    write_csv(folder / f"{topic}.digests.csv", ORIGIN, origins)


def summary(values: list[float]) -> dict[str, float | None]:
    """Mean and sample standard deviation; the latter needs two values."""
    return {"mean": mean(values), "std": stdev(values) if len(values) > 1 else None}


def seeds_left(result: dict[str, Any]) -> list[int]:
    """The seeds that an interrupted measurement did not come to."""
    differs: str = result["differs"]
    return [int(word) for word in differs.removeprefix(LEFT).split()] if differs.startswith(LEFT) else []


# -- rows -----------------------------------------------------------------------------------------------------------


def row_of(recipe: str, kind: str, run: dict[str, Any]) -> dict[str, Any]:
    """The row of a run, or of a result with only ``metrics``."""
    folds = run.get("folds")
    names = list(run["metrics"])
    return {
        **{"recipe": recipe, "kind": kind, "seed": run.get("seed")},
        **{name: run.get(name) for name in TAKEN},
        **run["metrics"],
        "folds": json.dumps({name: [fold[name] for fold in folds] for name in names}) if folds else None,
    }


def run_of(row: dict[str, str]) -> dict[str, Any]:
    """The inverse of ``row_of``."""
    run: dict[str, Any] = {"seed": int(row["seed"])}
    run |= {name: kind(row[name]) if row[name] else None for name, kind in TAKEN.items()}
    run["metrics"] = metrics_of(row)
    if row["folds"]:
        folds = json.loads(row["folds"])
        run["folds"] = [dict(zip(folds, values, strict=True)) for values in zip(*folds.values(), strict=True)]
    return run


def metrics_of(row: dict[str, str]) -> dict[str, float]:
    return {name: float(text) for name, text in row.items() if text and name not in (*FIRST, "folds")}


# -- files ----------------------------------------------------------------------------------------------------------


def read_csv(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def write_csv(path: Path, columns: Iterable[str], rows: list[dict[str, Any]]) -> None:
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, list(columns), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    replace_text(path, file.getvalue())
