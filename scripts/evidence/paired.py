"""``dive paired [RECIPE...]``: which neighbors in the table of rankings differ, person by person.

    dive paired                              what is missing: results/recommender_ranks.csv and docs/recommender.md
    dive paired recommender/sasrec --seeds 0 1 2
    dive paired --render                     the tables only

Of each recipe and seed the rank of every person's last film is kept, of generated films also that by the generator's
own probabilities, the ceiling. All recipes of a table rank the same films for the same people. Two neighbors are
compared by the differences of a person's NDCG@10, means over the seeds that both have: a sign-flip permutation test
(Smucker et al. 2007) whose p-values are Holm's for the whole table, and a bootstrap interval of the mean difference
over people. Both are about these trained weights and other people: how much another training differs is not in them.
"""

import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import stats

from common.messages import RunError, UserError
from datamodules.ratings.baseline import ranks_by
from lit_models.functional.ranking import rank_targets, ranking_metrics, unseen
from scripts.evidence.pages import between, rewrite
from scripts.evidence.results_files import read_topic
from scripts.evidence.results_runs import dive
from scripts.evidence.rows_file import append_row, missing, read_unique
from scripts.front.option_parser import OptionParser
from scripts.front.recipes import CONFIGS, find_recipe

ROOT = CONFIGS.parent
ROWS = ROOT / "results" / "recommender_ranks.csv"
PAGE = ROOT / "docs" / "recommender.md"
KEY = ("recipe", "seed")
TOPIC, METRIC, CEILING = "recommender", "ndcg@10", "ceiling"
TABLES = ("generated", "movielens")
FEWEST = 3  # seeds of a pair whose p-value may be bold
DRAWS, ROWS_AT_ONCE = 9_999, 256  # permutations and bootstrap samples; people of a batch
LIMIT = (
    "The intervals and p-values are about these trained weights and other people: the seeds that both neighbors have "
    "are averaged, and how much another training would differ is not in them. A pair with fewer than "
    f"{FEWEST} common seeds is never bold."
)
Ranks = dict[tuple[str, int], np.ndarray]  # of recipe and seed


def table_of(recipe: str) -> str:
    """Whose people and films a recipe ranks."""
    return "movielens" if recipe.endswith("_movielens") else "generated"


def ranking_recipes() -> list[str]:
    """The recipes of the topic that have a measured NDCG."""
    found = read_topic(ROOT / "results", TOPIC)
    return [name for name, result in found.items() if f"test/{METRIC}" in result["metrics"]]


# -- measuring ------------------------------------------------------------------------------------------------------


def read_ranks(path: Path | None = None) -> Ranks:
    """The ranks that were measured."""
    rows = read_unique(path or ROWS, KEY)
    return {(row["recipe"], int(row["seed"])): np.array(row["ranks"].split(), dtype=np.int64) for row in rows}


def append(recipe: str, seed: int, ranks: Any) -> None:
    """A row at the end of the file."""
    row = {"recipe": recipe, "seed": seed, "ranks": " ".join(str(int(rank)) for rank in ranks)}
    append_row(ROWS, (*KEY, "ranks"), KEY, row)


def measure(recipes: list[str], seeds: list[int]) -> None:
    """Trains what is missing; each row is kept as soon as it is there."""
    for recipe, seed in missing(ROWS, KEY, [(recipe, seed) for seed in seeds for recipe in recipes]):
        with tempfile.TemporaryDirectory(prefix="dive-paired-") as folder:
            dive("fit", recipe, "--seed_everything", str(seed), runs=folder)
            (run,) = (path.parent for path in Path(folder).glob(f"{recipe}/*/config.yaml"))
            data, ranks = ranks_of(run)
        append(recipe, seed, ranks)
        print(f"{recipe} seed {seed}: {METRIC} {gains(np.array(ranks)).mean():.4f}", flush=True)
        if hasattr(data, "probabilities") and (CEILING, 0) not in read_ranks():
            append(CEILING, 0, ceiling_ranks(data))


@torch.inference_mode()
def ranks_of(run: Path) -> tuple[Any, list[int]]:
    """The data of a run, and the rank of each person's test item among all unseen ones, by its best weights.

    Raises:
        RunError: A person has several, or none.
    """
    from scripts.serve.models import load_run

    loaded = load_run(str(run))
    model, data = loaded.model.cpu(), loaded.data
    data.prepare_data()
    data.setup("test")
    rows, targets = data.splits["test"]
    if targets.shape[1] != 1:
        raise RunError(f"{run}: {targets.shape[1]} test items of a person, not one: split leave_one_out has one")
    found: list[int] = []
    for start in range(0, len(rows), ROWS_AT_ONCE):
        part = slice(start, start + ROWS_AT_ONCE)
        users, history, wanted = data.transform((rows[part], targets[part]))
        scores = model.scores(users, history)
        found += rank_targets(scores, wanted, unseen(history, model.num_items))[0][:, 0].tolist()
    return data, found


def ceiling_ranks(data: Any) -> list[int]:
    """The ranks by the generator's own probabilities."""
    rows, targets = data.splits["test"]
    found: list[int] = []
    for (user, start, end), wanted in zip(rows.tolist(), targets.numpy(), strict=True):
        before = data.sequence[start:end].long().numpy()
        left = np.ones(data.num_items, dtype=bool)
        left[before] = False
        found += ranks_by(data.probabilities(user, before, left), left, wanted).tolist()
    return found


# -- comparing ------------------------------------------------------------------------------------------------------


def gains(ranks: np.ndarray) -> np.ndarray:
    """NDCG@10 (N,) of ranks (N,)."""
    return ranking_metrics(torch.from_numpy(ranks)[:, None], (10,))[METRIC].numpy()


def compared(one: np.ndarray, other: np.ndarray, draws: int = DRAWS) -> tuple[float, float, float, float]:
    """The mean difference of two models' values (N,) of the same people, its 95 % interval, and the p-value of none.

    The p-value is that of a two-sided sign-flip test; equal values everywhere have 1.
    """
    difference = one - other
    if not difference.any():
        return 0.0, 0.0, 0.0, 1.0
    how: dict[str, Any] = {"vectorized": True, "n_resamples": draws, "batch": 500}
    test = stats.permutation_test((difference,), np.mean, permutation_type="samples", rng=0, **how)
    low, high = stats.bootstrap((difference,), np.mean, method="percentile", rng=0, **how).confidence_interval
    return float(difference.mean()), float(low), float(high), float(test.pvalue)


def holm(values: list[float]) -> list[float]:
    """p-values that hold for all of them together (Holm 1979), in the same order."""
    adjusted, largest = [0.0] * len(values), 0.0
    for place, k in enumerate(sorted(range(len(values)), key=lambda k: values[k])):
        largest = max(largest, min(1.0, (len(values) - place) * values[k]))
        adjusted[k] = largest
    return adjusted


def table(name: str, ranks: Ranks, draws: int = DRAWS) -> str:
    """A table in Markdown: the best first, each with what it is above the next one.

    Raises:
        UserError: Two recipes rank different numbers of people.
    """
    own = {key: gains(value) for key, value in ranks.items() if key[0] != CEILING and table_of(key[0]) == name}
    if not own:
        return f"Not run: `dive paired` with recipes of {name}.\n"
    if len({len(value) for value in own.values()}) > 1:
        raise UserError(f"{ROWS}: the recipes of {name} have different numbers of people: measure them again")
    seeds = {recipe: [seed for one, seed in own if one == recipe] for recipe, _ in own}
    mean = {recipe: np.mean([own[recipe, seed] for seed in found], 0) for recipe, found in seeds.items()}
    order = sorted(mean, key=lambda recipe: -mean[recipe].mean())

    def mean_over(recipe: str, common: list[int]) -> np.ndarray:
        return np.array(np.mean([own[recipe, seed] for seed in common], 0))

    both = [sorted(set(seeds[a]) & set(seeds[b])) for a, b in pairwise(order)]
    pairs = [
        compared(mean_over(a, common), mean_over(b, common), draws) if common else None
        for (a, b), common in zip(pairwise(order), both, strict=True)
    ]
    adjusted = iter(holm([pair[3] for pair in pairs if pair]))
    best = gains(ranks[CEILING, 0]).mean() if name == "generated" and (CEILING, 0) in ranks else None
    head = ["recipe", "seeds", "NDCG@10", *(["of the ceiling"] if best else [])]
    head += ["above the next (95 % interval)", "common seeds", "p"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for k, recipe in enumerate(order):
        share = [f"{mean[recipe].mean() / best:.0%}"] if best else []
        above = ["", "", ""]
        if k < len(pairs):
            above = ["-", "0", "-"]
            if found := pairs[k]:
                text = f"{found[0]:.4f} ({found[1]:.4f} to {found[2]:.4f})"
                above = [text, str(len(both[k])), shown(next(adjusted), len(both[k]))]
        cells = [f"`{recipe}`", str(len(seeds[recipe])), f"{mean[recipe].mean():.4f}", *share, *above]
        lines.append("| " + " | ".join(cells) + " |")
    if best:
        lines.append(f"| the ceiling: the generator's probabilities | | {best:.4f} | 100% | | | |")
    return "\n".join(lines) + f"\n\n{LIMIT}\n"


def shown(value: float, seeds: int) -> str:
    """A p-value: bold where it is below 0.05 over at least ``FEWEST`` seeds."""
    text = "< 0.001" if value < 0.001 else f"{value:.3f}"
    return f"**{text}**" if value < 0.05 and seeds >= FEWEST else text


def render(page: Path | None = None) -> None:
    """Writes the tables into the page, between their marks.

    Raises:
        UserError: The page lacks them.
    """
    page = page or PAGE
    ranks = read_ranks()
    tables = {f"<!--paired {name}-->\n": table(name, ranks) for name in TABLES}

    def filled(text: str) -> str:
        for first, new in tables.items():
            text = between(text, first, "<!--/paired-->", new, page.name)
        return text

    rewrite(page, filled)


def main(argv: list[str]) -> int:
    """Measures what is missing and renders."""
    parser = OptionParser(prog="dive paired", description="Compare neighbors in the table of rankings.")
    parser.add_argument("recipes", nargs="*", metavar="RECIPE", help="all offline rankings without names")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0], help="default: 0")
    parser.add_argument("--render", action="store_true", help="write the tables only")
    options = parser.parse_args(argv)
    known, recipes = ranking_recipes(), [find_recipe(name).name for name in options.recipes]
    for name in recipes:
        if name not in known:
            raise UserError(f"{name} is not a measured ranking: take one of {', '.join(known)}")
    if not options.render:
        measure(recipes or [name for name in known if find_recipe(name).offline], options.seeds)
    render()
    return 0
