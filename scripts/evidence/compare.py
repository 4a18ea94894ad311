"""``dive compare [TASK...]``: the generations of RWKV beside an LSTM and a GPT of as many parameters, as a table.

    dive compare                    all tasks: results/rwkv_networks.csv and docs/rwkv.md
    dive compare recall --seeds 0 1 2
    dive compare --render           the tables only

All networks of a task have the same data, steps and batches, and as many parameters, within 2 %. On recall, parity and
sums the learning rate is that of the recipe, which was chosen for RWKV-7; on texts each network has its own, ``RATES``.
A row is one training; rows that are there are not trained again.
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
COLUMNS = (*KEY, "parameters", "val", "test", "cpu_seconds")
#: Learning rates on texts: the best one, by the validation loss of seed 0 on `manual`, of .002, .004 and so on doubled
#: until it no longer helps.
RATES = {"RWKV-7": 0.004, "RWKV-6": 0.004, "RWKV-5.2": 0.008, "RWKV-4": 0.008, "LSTM": 0.064, "GPT": 0.004}

PLAIN = "--model.negative_eigenvalues false"  # only version 7 may have them
LSTM = "--model lit_models.rnn.lstm.LitLSTM --model.embed_size 64 --model.num_layers 1"
GPT = "--model lit_models.attention.gpt.LitGPT --model.variant llama --model.tied false"
#: What replaces the recipes' RWKV-7. The inner sizes make up for what the versions have more or less of.
NETWORKS = {
    "RWKV-7": PLAIN,
    "RWKV-7, negative eigenvalues": "--model.negative_eigenvalues true",
    "RWKV-6": f"--model.version 6 {PLAIN} --model.ffn_size 120 --model.ranks '{{mix: 8, decay: 16}}'",
    "RWKV-5.2": f"--model.version 5 {PLAIN} --model.ffn_size 176",
    "RWKV-4": f"--model.version 4 {PLAIN} --model.ffn_size 212",
    "LSTM": f"{LSTM} --model.hidden_size 124",
    "GPT": f"{GPT} --model.ffn_size 168",
}


def text_networks(hidden_size: int) -> dict[str, str]:
    """The networks for texts, each with its learning rate; ``hidden_size`` is the LSTM's."""
    networks = {
        "RWKV-7": "",
        "RWKV-6": "--model.version 6 --model.ffn_size 145 --model.ranks '{mix: 16, decay: 16}'",
        "RWKV-5.2": "--model.version 5 --model.ffn_size 242",
        "RWKV-4": "--model.version 4 --model.ffn_size 292",
        "LSTM": f"{LSTM} --model.hidden_size {hidden_size} --model.carry_state true",
        "GPT": f"{GPT} --model.num_heads 3 --model.ffn_size 230 --model.carry_state false",
    }
    return {name: f"{words} --model.optimizer.init_args.lr {RATES[name]}" for name, words in networks.items()}


class Task(NamedTuple):
    """A recipe with further arguments, its networks, the two metrics of the table, and what they are called there."""

    recipe: str
    arguments: str
    networks: dict[str, str]
    val: str
    test: str
    metric: str = "acc"


BEYOND = ("within the trained length", "from there to 4 times the length")
LONGER = "--data.seq_len 128 --data.batch_size 8"  # as many tokens of a step as the recipe has
BITS = ("validation, bits a character", "test, bits a character", "bits_per_character")
TASKS = {
    "recall": Task("rwkv/recall", "", NETWORKS, "validation", "test"),
    "parity": Task("rwkv/state_tracking", "", NETWORKS, *BEYOND),
    "sums": Task("rwkv/state_tracking", "--data.modulus 5", NETWORKS, *BEYOND),
    "manual": Task("rwkv/rwkv", LONGER, text_networks(192), *BITS),
    "time_machine": Task(
        "rwkv/rwkv",
        f"--data TimeMachine --data.vocab_size 28 --data.train_windows 0 {LONGER} --trainer.max_epochs 6",
        text_networks(196),
        *BITS,
    ),
    "names": Task("rwkv/names", "", text_networks(196), *BITS),
}


def read_rows() -> list[dict[str, str]]:
    """The rows that were measured."""
    return read_unique(ROWS, KEY)


def measure(tasks: list[str], seeds: list[int]) -> None:
    """Trains what is missing; each row is kept as soon as it is there."""
    wanted = [(task, network, seed) for seed in seeds for task in tasks for network in TASKS[task].networks]
    for task, network, seed in missing(ROWS, KEY, wanted):
        append_row(ROWS, COLUMNS, KEY, row := run_row(task, network, seed))
        print(", ".join(f"{key} {value}" for key, value in row.items()), flush=True)


def run_row(task: str, network: str, seed: int) -> dict[str, Any]:
    """One training and its test."""
    own = TASKS[task]
    record = run_once(find_recipe(own.recipe), seed, shlex.split(f"{own.networks[network]} {own.arguments}"))
    measures = {part: f"{record['metrics'][f'{part}/{own.metric}']:.4f}" for part in ("val", "test")}
    facts = {"parameters": record["parameters"], **measures, "cpu_seconds": f"{record['cpu_seconds']:.1f}"}
    return {"task": task, "network": network, "seed": seed, **facts}


def table(task: str, rows: list[dict[str, str]]) -> str:
    """A task's table in Markdown: means over the seeds that were measured."""
    lines = [
        f"| network | parameters | seeds | {TASKS[task].val} | {TASKS[task].test} | CPU-seconds |",
        "|---|---|---|---|---|---|",
    ]
    for network in TASKS[task].networks:
        own = [row for row in rows if (row["task"], row["network"]) == (task, network)]
        if not own:
            lines.append(f"| {network} | | not run | | | |")
            continue
        val, test, seconds = (mean(float(row[key]) for row in own) for key in ("val", "test", "cpu_seconds"))
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
