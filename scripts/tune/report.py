"""The report of a search: trials.csv, pictures, and one HTML page that needs no network."""

import base64
import csv
import html
import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from callbacks.run_record import write_json
from scripts.tune import pareto
from scripts.tune.pictures import all_pictures, best_of, last_value
from scripts.tune.space import Space, words_of

CAPTIONS = {
    "incumbent": "The best value so far over time.",
    "rungs": "Each trial's learning curve, up to where it paused, was stopped or ended; the best one in red.",
    "pareto": "What the best value costs: no trial is better than one of the front in both.",
    "parallel": "Each line is a trial; the color is the value at the last epoch it reached.",
    "importance": "How much of the differences between the trials each parameter explains (PED-ANOVA).",
}
STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}"
    "img{max-width:100%;height:auto}table{border-collapse:collapse;font-size:14px}td,th{padding:.2rem .6rem;"
    "border-bottom:1px solid #ddd;text-align:left}div{overflow-x:auto}code{background:#f2f2f2;padding:0 .2rem;"
    "overflow-wrap:anywhere}"
    "@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}code{background:#2a2a2a}img{background:#fff}}"
)


def state_of(trial: FrozenTrial, space: Space) -> str:
    """What has become of a trial, in a word."""
    if trial.state == TrialState.FAIL:
        return "failed"
    if trial.state == TrialState.PRUNED:
        return "stopped"
    if trial.state == TrialState.COMPLETE:
        return "complete"
    return "paused" if "released" in trial.user_attrs else "running"


def rows_of(trials: Sequence[FrozenTrial], space: Space) -> list[dict[str, Any]]:
    """One row a trial, the best value first, failed ones last."""
    found = []
    for trial in sorted(trials, key=lambda t: t.user_attrs["draw"]):
        curve = trial.intermediate_values
        found.append(
            {
                "trial": trial.user_attrs["draw"],
                "state": state_of(trial, space),
                "epochs": max(curve, default=0),
                space.metric: last_value(trial) if curve else "",
                **({space.second: trial.user_attrs.get("second", "")} if space.second else {}),
                **{key: trial.params.get(key, "") for key in space.parameters},
                "run": trial.user_attrs.get("run", ""),
                "error": trial.user_attrs.get("error", ""),
            }
        )
    return found


def counts_of(trials: Sequence[FrozenTrial], space: Space) -> str:
    """How many trials are complete, paused, stopped, running and failed, in a line."""
    states = [state_of(trial, space) for trial in trials]
    parts = [f"{states.count(name)} {name}" for name in ("complete", "paused", "stopped", "running", "failed")]
    return f"{len(trials)} trials: " + ", ".join(part for part in parts if not part.startswith("0 "))


def write_report(
    folder: Path, space: Space, trials: Sequence[FrozenTrial], facts: dict[str, Any], begun: float
) -> dict[str, Any]:
    """Writes the report of a search into its folder; returns what ``report.json`` holds.

    Args:
        folder: Of the study.
        space: Its space.
        trials: All trials.
        facts: What else the page says: recipe, sampler, scheduler, tests of the refitted best.
        begun: When the search began, in seconds since 1970.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows = rows_of(trials, space)
    if rows:
        with open(folder / "trials.csv", "w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    best = best_of(space, trials)
    report = facts | {
        "trials": counts_of(trials, space),
        "epochs": sum(max(t.intermediate_values, default=0) for t in trials),
        "metric": space.metric,
    }
    if best is not None:
        words = [*shlex.split(str(facts.get("arguments", ""))), "--trainer.max_epochs", str(space.max_epochs)]
        command = shlex.join(["dive", "fit", str(facts.get("recipe", "")), *words, *words_of(best.params)])
        report |= {
            "best": {
                "trial": best.user_attrs["draw"],
                "value": last_value(best),
                "epochs": max(best.intermediate_values),
                "parameters": best.params,
                "command": command,
            }
        }
    if space.second:
        report |= {"second": space.second, "front": pareto.rows_of(space, trials)}
    write_json(folder / "report.json", report)
    pictures = {}
    for name, figure in all_pictures(space, trials, begun).items():
        figure.savefig(folder / f"{name}.png")
        pictures[name] = (folder / f"{name}.png").read_bytes()
    (folder / "report.html").write_text(page(report, rows, pictures), encoding="utf-8")
    return report


def page(report: dict[str, Any], rows: Sequence[dict[str, Any]], pictures: dict[str, bytes]) -> str:
    """The report as one HTML page; the pictures are inside of it."""
    title = html.escape(f"Search of {report.get('recipe', '')}")
    parts = [
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{title}</title><style>{STYLE}</style><h1>{title}</h1>"
    ]
    facts = {k: v for k, v in report.items() if k not in ("best", "tests", "recipe", "front") and v != ""}
    parts.append(f"<p>{html.escape('; '.join(f'{k} {v}' for k, v in facts.items()))}.</p>")
    if best := report.get("best"):
        parts.append(
            f"<p>Best: trial {best['trial']}, {html.escape(report['metric'])} {best['value']:.4f} after "
            f"{best['epochs']} epochs.<br><code>{html.escape(best['command'])}</code></p>"
        )
    for test in report.get("tests", []):
        numbers = "  ".join(f"{k} {v:.4f}" for k, v in test.items() if k.startswith("test/"))
        parts.append(f"<p>Refitted with seed {test['seed']} and tested: {html.escape(numbers)}</p>")
    if report.get("front"):
        parts += ["<h2>Pareto front</h2>", *html_table(report["front"])]
    for name, content in pictures.items():
        data = base64.b64encode(content).decode()
        text = html.escape(CAPTIONS[name])
        parts.append(f'<h2>{name}</h2><p>{text}</p><img alt="{text}" src="data:image/png;base64,{data}">')
    if rows:
        parts += ["<h2>trials</h2>", *html_table(rows)]
    return "\n".join(parts) + "\n</html>\n"


def html_table(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Rows as lines of HTML."""
    head = "".join(f"<th>{html.escape(key)}</th>" for key in rows[0])
    lines = [f"<div><table><tr>{head}</tr>"]
    for row in rows:
        cells = "".join(f"<td>{html.escape(short(value))}</td>" for value in row.values())
        lines.append(f"<tr>{cells}</tr>")
    return [*lines, "</table></div>"]


def short(value: Any) -> str:
    """A cell: numbers with four significant figures."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def read_report(folder: Path) -> dict[str, Any]:
    """The report of a study's folder; empty where there is none yet."""
    path = folder / "report.json"
    return dict(json.loads(path.read_text())) if path.is_file() else {}
