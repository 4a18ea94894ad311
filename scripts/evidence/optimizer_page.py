"""The results of ``dive optimizers``: the best rate of each optimizer as a table, the whole grid as a picture."""

from pathlib import Path
from statistics import mean, stdev
from typing import Any

from common.messages import UserError
from scripts.evidence.optimizer_grid import KEY, NETWORKS, OPTIMIZERS, rates
from scripts.evidence.pages import between, rewrite
from scripts.evidence.pictures import small_png
from scripts.evidence.rows_file import read_unique
from scripts.front.recipes import CONFIGS

PAGE = CONFIGS.parent / "docs" / "optimization.md"
PICTURE = CONFIGS.parent / "docs" / "pictures" / "optimization_grid.png"
MARKS = ("<!--optimizers-->\n", "<!--/optimizers-->")


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The rows that are there; what was not reached is missing."""
    return [
        {name: value if name in KEY[:2] else float(value) for name, value in row.items() if value != ""}
        for row in read_unique(path, KEY)
    ]


def best_rate(rows: list[dict[str, Any]]) -> float | None:
    """The rate that reaches the loss for the most seeds, of these the one with the fewest steps."""
    found = {}
    for rate in {row["rate"] for row in rows}:
        steps = [row["steps"] for row in rows if row["rate"] == rate and "steps" in row]
        if steps:
            found[rate] = (-len(steps), mean(steps))
    return min(found, key=lambda rate: found[rate]) if found else None


def table(rows: list[dict[str, Any]]) -> str:
    """In Markdown: each optimizer with its best rate."""
    head = ["network", "optimizer", "best rate", "reached", "steps", "CPU-seconds", "ms/step"]
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for network, facts in NETWORKS.items():
        for name in OPTIMIZERS:
            own = [row for row in rows if (row["network"], row["optimizer"]) == (network, name)]
            rate = best_rate(own)
            if own and rate is None:
                least = min(row["loss"] for row in own)
                lines.append(
                    f"| {network} | {name} | - | no rate | over {facts.steps}; least loss {least:.2f} | - | - |"
                )
            if rate is None:
                continue
            seeds = [row for row in own if row["rate"] == rate]
            reached = [row for row in seeds if "steps" in row]
            counts, seconds = [row["steps"] for row in reached], [row["seconds"] for row in reached]
            edge = " (an end of the grid)" if rate in (min(rates(name)), max(rates(name))) else ""
            cells = [network, name, f"{rate:g}{edge}", f"{len(reached)} of {len(seeds)}"]
            cells += [spread(counts, ".0f"), spread(seconds, ".2f"), f"{1000 * sum(seconds) / sum(counts):.1f}"]
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def spread(values: list[float], form: str) -> str:
    """The mean with the standard deviation over seeds."""
    return f"{mean(values):{form}}" + (f" ± {stdev(values):{form}}" if len(values) > 1 else "")


def draw(rows: list[dict[str, Any]]) -> Any:
    """Steps to the loss over the rate, a line for each optimizer, a panel for each network; above: not reached."""
    from callbacks.pictures.figures import new_figure

    networks = [name for name in NETWORKS if any(row["network"] == name for row in rows)]
    figure = new_figure(6.5 * len(networks), 4.2)
    for axes, network in zip(figure.subplots(1, len(networks), squeeze=False)[0], networks, strict=True):
        most = NETWORKS[network].steps
        for number, name in enumerate(OPTIMIZERS):
            own = [row for row in rows if (row["network"], row["optimizer"]) == (network, name)]
            places = sorted({row["rate"] for row in own})
            heights = [mean(row.get("steps", 1.15 * most) for row in own if row["rate"] == rate) for rate in places]
            if places:
                color, dashes = f"C{number % 10}", "--" if number > 9 else "-"
                axes.plot(places, heights, dashes, marker="o", ms=3, lw=1, label=name, color=color)
        axes.axhline(1.15 * most, color="0.7", lw=0.8)
        axes.set(
            xscale="log", xlabel="learning rate", ylabel=f"steps to a loss of {NETWORKS[network].loss}", title=network
        )
        axes.grid(alpha=0.3)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside right center", fontsize="small")
    return figure


def render(file: Path) -> int:
    """Writes table and picture of a file's rows into the page; returns 0.

    Raises:
        UserError: No rows were measured, or the page lacks the marks.
    """
    rows = read_rows(file)
    if not rows:
        raise UserError(f"{file.name} has no rows: run `dive optimizers`")
    says = "steps to the loss over the learning rate, a line for each optimizer"
    picture = f"<!--picture results/optimizer_grid grid.png-->\n![{says}](pictures/{PICTURE.name})\n"
    rewrite(PAGE, lambda text: between(text, *MARKS, table(rows) + "\n" + picture, PAGE.name))
    draw(rows).savefig(PICTURE, dpi=80)
    PICTURE.write_bytes(small_png(PICTURE))
    print(table(rows), end="")
    return 0
