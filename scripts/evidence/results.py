"""``dive results``: the project's numbers, measured and never typed.

    dive results RECIPE... [--seeds 0 1 2] [--extra ARGUMENTS]   measure: results/<topic>.csv and RESULTS.md
    dive results --refresh    compare the first steps of the recipes whose config or code changed with those measured
    dive results --stale      measure again what takes other steps now; the ablation only, where only that does
    dive results --list       fresh, unchecked, stale or not run, for each recipe
    dive results --digest RECIPE [--extra ARGUMENTS]   what the first steps do, in numbers
    dive results --render     RESULTS.md only
    dive results --check N    rerun N cheap fresh rows, chosen by the commit, and compare; exit code 1 when one is off

A recipe runs as it stands: fit and test in a process of their own for each seed, then once with its ``ablation:``
arguments, in a temporary runs folder. Chance and baseline are computed on its data (``scripts/front/baselines.py``).

A row is fresh if its sources are those that it was measured with (``fingerprint.py``), except for comments, or if
their first steps are the same (``digest.py``): a refactoring needs a ``--refresh``, some seconds per recipe.
"""

import argparse
import hashlib
import shlex
import sys
from typing import Any

from common.messages import RunError, UserError, note
from scripts.evidence.digest import difference, digest
from scripts.evidence.fingerprint import fingerprint
from scripts.evidence.folds import fold_arguments, mean_baselines, mean_row
from scripts.evidence.pages import fill_pages
from scripts.evidence.plan_table import write_plan
from scripts.evidence.results_files import BASELINES, LEFT, read_topic, seeds_left, summary, update_topic
from scripts.evidence.results_page import complaints, metric_of, number, render, training_seconds
from scripts.evidence.results_picture import draw_topic
from scripts.evidence.results_runs import ablation_arguments, head_commit, run_once, seed_row, simple_baselines
from scripts.evidence.rows_file import locked, replace_text
from scripts.front.option_parser import OptionParser
from scripts.front.recipes import CONFIGS, Recipe, all_recipes, find_recipe

ROOT = CONFIGS.parent
RESULTS = ROOT / "results"
PAGE = ROOT / "RESULTS.md"
PICTURES = ("cnn",)  # topics whose networks are compared in docs/pictures/<topic>_networks.png
CHEAP_SECONDS = 60.0  # of training: what --check may rerun
FLOOR = 0.01  # of the mean: what other hardware may change beyond four standard deviations
INCOMPLETE = "ablation, not measured yet"  # what `differs` says of a row that has its seeds; --stale adds the rest


# -- files ----------------------------------------------------------------------------------------------------------


def load(recipe: Recipe) -> dict[str, Any] | None:
    """The stored result of a recipe; None where it was not run."""
    return read_topic(RESULTS, recipe.topic).get(recipe.name)


def store(recipe: Recipe, result: dict[str, Any]) -> None:
    update_topic(RESULTS, recipe.topic, {"recipe": recipe.name} | result)


def status(recipe: Recipe) -> str:
    """``fresh``; ``unchecked``: sources changed; ``stale``: and what they do changed too; or ``not run``."""
    result = load(recipe)
    if result is None:
        return "not run"
    now = fingerprint(recipe, ROOT)
    return {result["checked"]: "stale", result["fingerprint"]: "fresh"}.get(now, "unchecked")


def write_numbers() -> dict[str, dict[str, Any] | None]:
    """Writes the measured numbers into README.md and docs/*.md; returns all results."""
    results = {recipe.name: load(recipe) for recipe in all_recipes()}
    write_plan(PAGE.with_name("README.md"), results)
    fill_pages(results, PAGE.parent)
    return results


def write_page() -> None:
    """RESULTS.md, the pictures of the topics, and the numbers in the other pages; one process at a time."""
    with locked(RESULTS):
        results = write_numbers()
        rows = [(recipe, results[recipe.name], status(recipe)) for recipe in all_recipes()]
        replace_text(PAGE, render(rows))
        for topic in PICTURES:
            draw_topic([(recipe.name, result) for recipe, result, _ in rows if recipe.topic == topic], topic)


# -- freshness ------------------------------------------------------------------------------------------------------


def refresh(recipe: Recipe) -> str:
    """Computes the digest of an unchecked recipe and stores whether it is that of its row; returns the finding."""
    result = load(recipe)
    assert result is not None
    now, words = fingerprint(recipe, ROOT), ablation_arguments(recipe)
    result["digest"] = {name: text for name, text in result["digest"].items() if words or name != "ablation"}
    try:
        taken = digest(recipe, result["extra"])
        differs = difference(result["digest"], taken) if result["digest"] else "nothing was kept to compare with"
    except UserError as error:
        return f"still unchecked: {error}"
    except RunError as error:
        taken, differs = {}, str(error)
    if not differs and words and "ablation" not in result:
        differs = INCOMPLETE
    if differs:
        store(recipe, result | {"checked": now, "differs": differs})
        return f"stale: {differs}"
    if words:  # the same steps, perhaps with arguments that were renamed
        result["ablation"]["arguments"] = shlex.join(words)
    else:
        result.pop("ablation", None)
    # The digest stays the one of the measured runs, so that small differences cannot add up.
    store(recipe, result | {"fingerprint": now, "checked": "", "differs": "", "digest": taken | result["digest"]})
    return "fresh"


# -- measuring ------------------------------------------------------------------------------------------------------


def run_folds(recipe: Recipe, seed: int, arguments: list[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The row of one seed, over all folds if the header has some, and the last run's ``run.json``."""
    records = [run_once(recipe, seed, [*fold, *arguments]) for fold in fold_arguments(recipe)]
    return mean_row([seed_row(seed, record) for record in records]), records[-1]


def measure(recipe: Recipe, seeds: list[int], extra: list[str]) -> dict[str, Any]:
    """Runs all seeds of a recipe and stores them; then adds its ablation and its baselines.

    Raises:
        RunError: A run failed. The seeds before it stand, as after an interruption, and the row is stale; but no row of
            more seeds is replaced.
    """
    ablation_arguments(recipe)  # an error in the header is said before the runs
    before, old = fingerprint(recipe, ROOT), load(recipe) or {"runs": [], "differs": ""}
    runs: list[dict[str, Any]] = []
    if seeds_left(old) and (old["checked"], old["extra"], [*old["seeds"], *seeds_left(old)]) == (before, extra, seeds):
        runs = old["runs"]  # the same command was interrupted
    result: dict[str, Any] = {}
    failure: RunError | None = None
    for seed in seeds[len(runs) :]:
        try:
            row, record = run_folds(recipe, seed, extra)
        except RunError as error:
            if len(runs) <= len(old["runs"]):
                raise
            failure = RunError(f"seed {seed}: {error}")
            result["differs"] = str(failure)
            break
        runs.append(row)
        print(f"{recipe.name} seed {seed}: {facts(runs[-1])}", flush=True)
        left = " ".join(map(str, seeds[len(runs) :]))
        result = {
            "recipe": recipe.name,
            "extra": extra,
            **{"fingerprint": "", "checked": before, "digest": {}},
            "differs": f"{LEFT}{left}" if left else INCOMPLETE,
            **{name: record[name] for name in ("commit", "versions", "device")},
            "seeds": seeds[: len(runs)],
            "runs": [*runs],
            "metrics": {name: summary([run["metrics"][name] for run in runs]) for name in runs[0]["metrics"]},
        }
        if len(runs) > len(old["runs"]):
            store(recipe, result)  # an interruption keeps it, also of the digest
    try:
        result["digest"] = digest(recipe, extra)
    except (UserError, RunError) as error:
        note(f"{recipe.name}: {error}; the row has no digest and is stale when a source changes")
    store(recipe, result)
    if failure:
        raise failure
    return complete(recipe, result, before)


def measure_ablation(recipe: Recipe) -> dict[str, Any]:
    """Runs the ablation only: for a row whose own steps are those that were measured."""
    result, now = load(recipe), fingerprint(recipe, ROOT)
    assert result is not None
    kept = {name: text for name, text in result["digest"].items() if name != "ablation"}
    result["digest"] = digest(recipe, result["extra"]) | kept
    return complete(recipe, result, now)


def complete(recipe: Recipe, result: dict[str, Any], now: str) -> dict[str, Any]:
    """Runs the ablation, computes the baselines that a result lacks, and stores it as fresh.

    A result whose recipe has no ablation any more loses it.
    """
    extra, words = result["extra"], ablation_arguments(recipe)
    result.pop("ablation", None)
    if words:
        ablated = run_folds(recipe, 0, [*extra, *words])[0]
        print(f"{recipe.name} ablation: {facts(ablated)}", flush=True)
        result["ablation"] = {"arguments": shlex.join(words), **ablated}
    if not any(kind in result for kind in BASELINES):
        result |= mean_baselines([simple_baselines([recipe.name, *fold, *extra]) for fold in fold_arguments(recipe)])
    result |= {"fingerprint": now, "checked": "", "differs": ""}
    store(recipe, result)
    return result


def facts(run: dict[str, Any]) -> str:
    return ", ".join([*(f"{k} {number(v)}" for k, v in run["metrics"].items()), f"{training_seconds(run):.0f} s"])


# -- checking -------------------------------------------------------------------------------------------------------


def pick(count: int, commit: str) -> list[Recipe]:
    """``count`` fresh rows of offline recipes with short training; the choice depends on the commit."""
    cheap = []
    for recipe in all_recipes():
        result = load(recipe)
        if result is None or not recipe.offline or len(result["runs"]) < 2 or result["extra"]:
            continue
        if max(training_seconds(run) for run in result["runs"]) <= CHEAP_SECONDS and status(recipe) == "fresh":
            cheap.append(recipe)
    return sorted(cheap, key=lambda r: hashlib.sha256(f"{commit} {r.name}".encode()).digest())[:count]


def check(recipe: Recipe) -> bool:
    """Whether another run of a recipe agrees with its stored runs; prints both."""
    result = load(recipe)
    assert result is not None
    metric, seed = metric_of(recipe, result), result["seeds"][0]
    was = result["metrics"][metric]
    value = run_folds(recipe, seed, [])[0]["metrics"][metric]
    allowed = 4 * was["std"] + FLOOR * abs(was["mean"])
    near = abs(value - was["mean"]) <= allowed  # false for NaN
    print(
        f"{'ok  ' if near else 'FAIL'}  {recipe.name} seed {seed}: {metric} {number(value)}, "
        f"recorded {number(was['mean'])} ± {number(was['std'])}, allowed {number(allowed)} from it",
        flush=True,
    )
    return near


# -- command --------------------------------------------------------------------------------------------------------


def main(argv: list[str]) -> int:
    """Measures, renders, lists or checks; returns 1 if a check fails."""
    parser = OptionParser(prog="dive results", description="Measure the recipes.")
    parser.add_argument("recipes", nargs="*", metavar="RECIPE")
    parser.add_argument("--seeds", nargs="+", type=int, help="default: 0 1 2, or a stale row's own")
    parser.add_argument("--extra", nargs=argparse.REMAINDER, default=[], help="Lightning arguments, shown in the row")
    parser.add_argument("--refresh", action="store_true", help="compare the first steps where sources changed")
    parser.add_argument("--stale", action="store_true", help="measure all stale rows again")
    parser.add_argument("--list", action="store_true", help="fresh, unchecked, stale or not run")
    parser.add_argument("--digest", metavar="RECIPE", help="print what the first steps of a recipe do")
    parser.add_argument("--render", action="store_true", help="write RESULTS.md only")
    parser.add_argument("--check", type=int, metavar="N", help="rerun N cheap fresh rows and compare")
    options = parser.parse_args(argv)
    whole = [options.refresh, options.stale, options.list, options.render, options.check is not None]
    if sum(map(bool, [options.recipes, options.digest, *whole])) != 1:
        raise UserError("dive results needs one of: RECIPE..., --refresh, --stale, --list, --digest, --render, --check")

    if options.list:
        for recipe in all_recipes():
            state = status(recipe)
            differs = f": {(load(recipe) or {})['differs']}" if state == "stale" else ""
            print(f"{state:<9} {recipe.name}{differs}")
        return 0
    if options.digest:
        for name, text in digest(find_recipe(options.digest), options.extra).items():
            print(f"{name:<10} {text}")
        return 0
    if options.refresh:
        for recipe in [recipe for recipe in all_recipes() if status(recipe) == "unchecked"]:
            print(f"{recipe.name}: {refresh(recipe)}", flush=True)
    if options.refresh or options.render:
        write_page()
        return 0
    if options.check is not None:
        chosen = pick(options.check, head_commit())
        print(
            f"{len(chosen)} of {options.check} rows to check" + ("" if chosen else ": none is fresh, offline and cheap")
        )
        verdicts = [check(recipe) for recipe in chosen]  # all of them, also after one is off
        return 0 if all(verdicts) else 1

    states = {r.name: status(r) for r in all_recipes()} if options.stale else {}
    if waiting := list(states.values()).count("unchecked"):
        note(f"{waiting} rows are unchecked: see `dive results --refresh`")
    names = [name for name, state in states.items() if state == "stale"] or options.recipes
    failures: list[str] = []
    write_numbers()  # a marker that is wrong is said before the runs
    for recipe in [find_recipe(name) for name in names]:
        old = (load(recipe) if options.stale else None) or {"seeds": [0, 1, 2], "extra": [], "differs": ""}
        try:
            if old["differs"].startswith("ablation, "):  # the last column compared: all others agree
                result = measure_ablation(recipe)
            else:
                seeds = options.seeds or [*old["seeds"], *seeds_left(old)]
                result = measure(recipe, seeds, options.extra or old["extra"])
            failures += complaints(recipe, result)
        except RunError as error:  # the other recipes are measured all the same
            failures.append(f"{recipe.name}: {error}")
        write_page()  # after each, so that an interruption keeps the finished rows
    for line in failures:
        print(line, file=sys.stderr)
    return 1 if failures else 0
