"""``dive scaling``: the loss of a GPT by its parameters and tokens, a fitted law, and a larger GPT predicted by it.

    dive scaling                six sizes, three numbers of tokens: results/scaling.csv, page and picture
    dive scaling --seeds 0 1    a second seed
    dive scaling --render       table and picture of the rows that are there

Rows that are there are not trained again. When all small ones are there, the law is fitted
(``scripts/evidence/scaling_law.py``) and its prediction of the largest run is written to ``results/scaling.json``,
before that run is trained; a prediction that stands is not changed by later rows.

The networks read Python's documentation (``attention/gpt``), whose text is seen once, twice, four times: up to four
times repeated text is worth nearly what new text is (Muennighoff et al. 2023). The learning rate falls with the root
of the width.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from common.messages import UserError
from scripts.evidence.pages import between, rewrite
from scripts.evidence.results_runs import run_once
from scripts.evidence.rows_file import append_row, missing, read_unique, replace_text
from scripts.evidence.scaling_law import Law, Row, at_bound, bootstrap, fit_law, interval, run_interval
from scripts.front.option_parser import OptionParser
from scripts.front.recipes import CONFIGS, find_recipe

RECIPE = "attention/gpt"
ROWS = CONFIGS.parent / "results" / "scaling.csv"
PREDICTION = CONFIGS.parent / "results" / "scaling.json"
PAGE = CONFIGS.parent / "docs" / "courses.md"
PICTURE = CONFIGS.parent / "docs" / "pictures" / "scaling.png"
MARKS = ("<!--scaling-->\n", "<!--/scaling-->")
KEY = ("width", "epochs", "seed")
COLUMNS = (*KEY, "parameters", "tokens", "loss", "cpu_seconds")
WIDTHS, EPOCHS = (16, 24, 32, 48, 64, 96), (1, 2, 4)
LARGEST = (160, 6)  # of width and epochs
RATE, AT = 0.002, 128  # the recipe's learning rate, and the width it was chosen for
TIMES = 200  # of the bootstrap


def words(width: int, epochs: int) -> list[str]:
    """The arguments of a run."""
    rate = RATE * (AT / width) ** 0.5
    return [
        *("--model.hidden_size", str(width), "--trainer.max_epochs", str(epochs)),
        *("--model.optimizer.init_args.lr", f"{rate:.5f}", "--data.batch_size", "16"),
    ]


def run_row(width: int, epochs: int, seed: int) -> dict[str, Any]:
    """One training and its test."""
    record = run_once(find_recipe(RECIPE), seed, words(width, epochs))
    return {
        "width": width,
        "epochs": epochs,
        "seed": seed,
        "parameters": record["parameters"],
        "tokens": tokens_of(epochs),
        "loss": f"{record['metrics']['test/loss']:.4f}",
        "cpu_seconds": f"{record['cpu_seconds']:.1f}",
    }


def tokens_of(epochs: int) -> int:
    """The tokens that a number of epochs has."""
    from scripts.front.build import build

    data: Any = build([RECIPE])[2]
    data.setup("fit")
    return epochs * int(data.splits["train"][0].numel())


def parameters_of(width: int, epochs: int) -> int:
    """The parameters of the network of a run."""
    from scripts.front.build import build

    model = build([RECIPE, *words(width, epochs)])[1]
    return sum(p.numel() for p in model.parameters())


def read_rows() -> list[dict[str, float]]:
    """The rows that were measured."""
    return [{key: float(value) for key, value in row.items()} for row in read_unique(ROWS, KEY)]


def small_rows() -> list[Row]:
    """What the law is fitted to: all rows but those of the largest run."""
    return [(r["parameters"], r["tokens"], r["loss"]) for r in read_rows() if (r["width"], r["epochs"]) != LARGEST]


def measure(seeds: list[int]) -> None:
    """Trains what is missing, the small runs first; then predicts and trains the largest."""
    wanted = [(width, epochs, seed) for seed in seeds for epochs in EPOCHS for width in WIDTHS]
    for width, epochs, seed in missing(ROWS, KEY, wanted):
        append_row(ROWS, COLUMNS, KEY, row := run_row(width, epochs, seed))
        print(", ".join(f"{key} {value}" for key, value in row.items()), flush=True)
    if not PREDICTION.is_file():
        predict()
    for width, epochs, seed in missing(ROWS, KEY, [(*LARGEST, seeds[0])]):
        append_row(ROWS, COLUMNS, KEY, run_row(width, epochs, seed))


def predict() -> None:
    """Fits the law and writes what it says of the largest run, which has not been trained."""
    if any((row["width"], row["epochs"]) == LARGEST for row in read_rows()):
        raise UserError(f"{ROWS.name} has the largest run already: take its row out, a prediction comes first")
    rows = small_rows()
    law = fit_law(rows)
    parameters, tokens = parameters_of(*LARGEST), tokens_of(LARGEST[1])
    found = prediction(rows, law, parameters, tokens)
    replace_text(PREDICTION, json.dumps(found, indent=1) + "\n")
    print(f"predicted {found['predicted']:.3f} nats for {parameters:,} parameters after {tokens:,} tokens", flush=True)


def prediction(rows: list[Row], law: Law, parameters: int, tokens: int) -> dict[str, Any]:
    """What ``results/scaling.json`` holds: the law, its intervals, and how many of the bootstrap's fits hit a bound."""
    laws = bootstrap(rows, law, TIMES)
    hits = [name for one in laws for name in at_bound(one)]
    return {
        "rows": len(rows),
        "law": law._asdict(),
        "alpha": interval_of(laws, "alpha"),
        "beta": interval_of(laws, "beta"),
        "parameters": parameters,
        "tokens": tokens,
        "predicted": law.loss(parameters, tokens),
        "interval": interval(laws, parameters, tokens),
        "run_interval": run_interval(rows, law, laws, parameters, tokens),
        "at_bound": at_bound(law),
        "bootstrap_at_bound": {name: hits.count(name) / len(laws) for name in Law._fields if name in hits},
    }


def interval_of(laws: list[Law], name: str) -> tuple[float, float]:
    """The middle 95 % of one number of the laws."""
    import numpy as np

    low, high = np.quantile([getattr(law, name) for law in laws], (0.025, 0.975))
    return float(low), float(high)


def table() -> str:
    """The rows, the law and the prediction in Markdown."""
    rows = read_rows()
    lines = ["| parameters | tokens | loss in nats |", "|---|---|---|"]
    for row in sorted(rows, key=lambda r: (r["tokens"], r["parameters"], r["seed"])):
        lines.append(f"| {row['parameters']:,.0f} | {row['tokens']:,.0f} | {row['loss']:.3f} |")
    if not rows:
        lines.append("| not run | | |")
    text = "\n".join(lines) + "\n"
    if not PREDICTION.is_file():
        return text
    p = json.loads(PREDICTION.read_text())
    law = Law(**p["law"])
    text += "\n<!--picture results/scaling scaling.png-->\n"
    text += "![loss by parameters, with the law and the prediction](pictures/scaling.png)\n"
    formula = f"L = {law.e:.2f} + {law.a:.3g} / N^{law.alpha:.2f} + {law.b:.3g} / D^{law.beta:.2f}"
    text += (
        f"\n{formula}, fitted to {p['rows']} rows; "
        f"95 % of the bootstrap's exponents are from {p['alpha'][0]:.2f} to {p['alpha'][1]:.2f} and from "
        f"{p['beta'][0]:.2f} to {p['beta'][1]:.2f}.{bounds_sentence(p)}\n\n"
        f"Predicted for {p['parameters']:,} parameters and {p['tokens']:,} tokens before it was trained: "
        f"{p['predicted']:.3f} nats, "
        f"{p['run_interval'][0]:.3f} to {p['run_interval'][1]:.3f} for a single run "
        f"(the law's mean: {p['interval'][0]:.3f} to {p['interval'][1]:.3f}). "
    )
    largest = [row["loss"] for row in rows if (row["width"], row["epochs"]) == LARGEST]
    return text + (f"Measured: {largest[0]:.3f}.\n" if largest else "Measured: not yet.\n")


def bounds_sentence(p: dict[str, Any]) -> str:
    """What is said of the fits that ended at a bound; nothing where none did."""
    letters = {name: name.upper() if len(name) == 1 else name for name in Law._fields}
    of = ", ".join(f"{letters[name]} in {share:.0%}" for name, share in p["bootstrap_at_bound"].items())
    fitted = f" In the law above: {', '.join(letters[name] for name in p['at_bound'])}." if p["at_bound"] else ""
    text = " Where a number ends at a bound of the fit, the rows do not decide it; of the bootstrap's fits "
    return f"{text}{of}.{fitted}" if of or fitted else ""


def draw(path: Path | None = None) -> None:
    """The picture: losses by parameters, a curve of the law for each number of tokens, the largest run."""
    from callbacks.pictures.figures import new_figure
    from scripts.evidence.pictures import small_png

    path, rows = path or PICTURE, read_rows()
    figure = new_figure(7, 4.2)
    ax = figure.subplots()
    p = json.loads(PREDICTION.read_text()) if PREDICTION.is_file() else None
    for k, tokens in enumerate(sorted({row["tokens"] for row in rows})):
        own = [row for row in rows if row["tokens"] == tokens]
        ax.plot(
            [r["parameters"] for r in own], [r["loss"] for r in own], "o", color=f"C{k}", label=f"{tokens:,.0f} tokens"
        )
        if p:
            law = Law(**p["law"])
            most = max([r["parameters"] for r in rows] + [p["parameters"]])
            least = min(r["parameters"] for r in rows)
            line = [least * (most / least) ** (i / 40) for i in range(41)]
            ax.plot(line, [law.loss(n, tokens) for n in line], "-", color=f"C{k}", linewidth=1)
    if p:
        low, high = p["run_interval"]
        errors = [[max(0.0, p["predicted"] - low)], [max(0.0, high - p["predicted"])]]
        ax.errorbar(
            [p["parameters"]], [p["predicted"]], errors, fmt="x", color="black", label="predicted, 95 % of single runs"
        )
    ax.set(xscale="log", xlabel="parameters", ylabel="test loss in nats per token")
    ax.legend(fontsize="small")
    figure.savefig(path, dpi=110)
    path.write_bytes(small_png(path))


def render() -> None:
    """Writes the table into the page, between its marks, and the picture.

    Raises:
        UserError: The page lacks the marks.
    """
    rewrite(PAGE, lambda text: between(text, *MARKS, table(), PAGE.name))
    if read_rows():
        draw()


def main(argv: list[str]) -> int:
    """Measures and renders; returns 0."""
    parser = OptionParser(prog="dive scaling", description=(__doc__ or "").strip())
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], metavar="N", help="0; rows that are there stay")
    parser.add_argument("--render", action="store_true", help="table and picture of the rows that are there")
    options = parser.parse_args(argv)
    if not options.render:
        measure(options.seeds)
    render()
    return 0
