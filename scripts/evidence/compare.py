"""``dive compare [TASK...]``: the generations of RWKV beside an LSTM and a GPT of as many parameters, as a table.

    dive compare                    recall, parity and modular sums: results/rwkv_networks.csv and docs/rwkv.md
    dive compare recall --seeds 0 1 2
    dive compare --render           the tables only

All networks of a task have the same data, steps, batches and learning rate (that of the recipe, which was chosen for
RWKV-7), and as many parameters, within 2 %. A row is one training; rows that are there are not trained again.
"""

import argparse
import shlex
from pathlib import Path
from statistics import mean
from typing import Any, NamedTuple

from common.messages import UserError, did_you_mean
from scripts.evidence.pages import between, rewrite
from scripts.evidence.results_runs import run_once
from scripts.evidence.rows_file import append_row, missing, read_unique
from scripts.front.option_parser import OptionParser
from scripts.front.recipes import CONFIGS, find_recipe

ROWS = CONFIGS.parent / "results" / "rwkv_networks.csv"
PAGE = CONFIGS.parent / "docs" / "rwkv.md"
KEY = ("task", "network", "seed")
COLUMNS = (*KEY, "parameters", "val/acc", "test/acc", "cpu_seconds")


class Task(NamedTuple):
    """A recipe with further arguments, and what its two accuracies are called in the table."""

    recipe: str
    arguments: str
    val: str
    test: str


BEYOND = ("within the trained length", "from there to 4 times the length")
TASKS = {
    "recall": Task("rwkv/recall", "", "validation", "test"),
    "parity": Task("rwkv/state_tracking", "", *BEYOND),
    "sums": Task("rwkv/state_tracking", "--data.modulus 5", *BEYOND),
}
PLAIN = "--model.negative_eigenvalues false"  # only version 7 may have them
#: What replaces the recipes' RWKV-7. The inner sizes make up for what the versions have more or less of.
NETWORKS = {
    "RWKV-7": "--model.negative_eigenvalues false",
    "RWKV-7, negative eigenvalues": "--model.negative_eigenvalues true",
    "RWKV-6": f"--model.version 6 {PLAIN} --model.ffn_size 120 --model.ranks '{{mix: 8, decay: 16}}'",
    "RWKV-5.2": f"--model.version 5 {PLAIN} --model.ffn_size 176",
    "RWKV-4": f"--model.version 4 {PLAIN} --model.ffn_size 212",
    "LSTM": "--model lit_models.rnn.lstm.LitLSTM --model.embed_size 64 --model.hidden_size 124 --model.num_layers 1",
    "GPT": "--model lit_models.attention.gpt.LitGPT --model.variant llama --model.tied false --model.ffn_size 168",
}


def read_rows() -> list[dict[str, str]]:
    """The rows that were measured."""
    return read_unique(ROWS, KEY)


def measure(tasks: list[str], seeds: list[int]) -> None:
    """Trains what is missing; each row is kept as soon as it is there."""
    wanted = [(task, network, seed) for seed in seeds for task in tasks for network in NETWORKS]
    for task, network, seed in missing(ROWS, KEY, wanted):
        append_row(ROWS, COLUMNS, KEY, row := run_row(task, network, seed))
        print(", ".join(f"{key} {value}" for key, value in row.items()), flush=True)


def run_row(task: str, network: str, seed: int) -> dict[str, Any]:
    """One training and its test."""
    words = shlex.split(f"{NETWORKS[network]} {TASKS[task].arguments}")
    record = run_once(find_recipe(TASKS[task].recipe), seed, words)
    accuracies = {name: f"{record['metrics'][name]:.4f}" for name in ("val/acc", "test/acc")}
    facts = {"parameters": record["parameters"], **accuracies, "cpu_seconds": f"{record['cpu_seconds']:.1f}"}
    return {"task": task, "network": network, "seed": seed, **facts}


def table(task: str, rows: list[dict[str, str]]) -> str:
    """A task's table in Markdown: means over the seeds that were measured."""
    lines = [
        f"| network | parameters | seeds | {TASKS[task].val} | {TASKS[task].test} | CPU-seconds |",
        "|---|---|---|---|---|---|",
    ]
    for network in NETWORKS:
        own = [row for row in rows if (row["task"], row["network"]) == (task, network)]
        if not own:
            lines.append(f"| {network} | | not run | | | |")
            continue
        val, test, seconds = (mean(float(row[key]) for row in own) for key in ("val/acc", "test/acc", "cpu_seconds"))
        seeds = ", ".join(row["seed"] for row in own)
        lines.append(
            f"| {network} | {int(own[0]['parameters']):,} | {seeds} | {val:.3f} | {test:.3f} | {seconds:.0f} |"
        )
    return "\n".join(lines) + "\n"


def render(page: Path = PAGE) -> None:
    """Writes each task's table into the page, between its marks.

    Raises:
        UserError: The page lacks them.
    """
    rows = read_rows()

    def filled(text: str) -> str:
        for task in TASKS:
            text = between(text, f"<!--networks {task}-->\n", "<!--/networks-->", table(task, rows), page.name)
        return text

    rewrite(page, filled)


def main(argv: list[str]) -> int:
    """Measures and renders; returns 0."""
    parser = OptionParser(prog="dive compare", description=(__doc__ or "").strip())
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("tasks", nargs="*", metavar="TASK", help=f"{', '.join(TASKS)}; all without names")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], metavar="N", help="0; rows that are there stay")
    parser.add_argument("--render", action="store_true", help="the tables of the rows that are there")
    options = parser.parse_args(argv)
    for task in options.tasks:
        if task not in TASKS:
            raise UserError(f"no task {task!r}{did_you_mean(task, TASKS) or ': ' + ', '.join(TASKS)}")
    if not options.render:
        measure(options.tasks or list(TASKS), options.seeds)
    render()
    return 0
