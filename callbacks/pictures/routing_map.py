"""``routing.png``: which experts serve which group of rows, by layer, and those of some texts in the first layer."""

from typing import Any

import torch
from lightning.pytorch import Trainer
from matplotlib.figure import Figure
from torch import Tensor

from callbacks.pictures.figures import new_figure
from callbacks.pictures.picture import Rows, TestPicture
from common.data_protocol import data_attribute

COLORS = ("tab:blue", "tab:orange", "tab:green", "tab:red", "tab:purple", "tab:brown", "tab:pink", "tab:olive")
LONGEST = 100  # characters of a line


class RoutingMap(TestPicture):
    """Collects ``outputs["experts"]`` (B, T, K, layers), the experts of each token, of test batches (tokens, targets).

    The groups are the datamodule's ``subsets`` of the test; without them all rows are one group.

    Args:
        texts: Rows of each group whose tokens are shown.
    """

    name = "routing"

    def __init__(self, texts: int = 2) -> None:
        self.texts = texts

    def collect(self, trainer: Trainer, outputs: Any, batch: Any) -> Rows:
        return {"experts": outputs["experts"][:, :, 0], "tokens": batch[0], "real": batch[1] >= 0}

    def draw(self, trainer: Trainer, found: Rows) -> Figure:
        experts, rows = found["experts"], len(found["tokens"])  # (N, T, layers)
        groups = data_attribute(trainer, "subsets", {}).get("test") or {"all": [True] * rows}
        tokenizer = data_attribute(trainer, "tokenizer")
        number = int(experts.max()) + 1
        maps, lines = [], []
        for name, belongs in groups.items():
            chosen = torch.tensor(belongs[:rows])
            used = experts[chosen][found["real"][chosen]]  # (tokens, layers)
            maps.append(torch.stack([used[:, i].bincount(minlength=number) for i in range(used.shape[1])]).float())
            for row in chosen.nonzero()[: self.texts, 0].tolist():
                words = [tokenizer.decode([i]) if tokenizer else str(i) for i in found["tokens"][row].tolist()]
                lines.append((name, list(zip(words, experts[row, :, 0].tolist(), strict=True))))
        return draw_routing(torch.stack(maps, 1), list(groups), lines)


def draw_routing(counts: Tensor, groups: list[str], lines: list[tuple[str, list[tuple[str, int]]]]) -> Figure:
    """A map of fractions for each layer of counts (layers, G, E); below, texts colored by expert."""
    shares = counts / counts.sum(2, keepdim=True).clamp(min=1)
    layers, _, number = shares.shape
    figure = new_figure(max(7.0, 3.0 * layers), 2.8 + 0.3 * len(lines))
    top, bottom = figure.subfigures(2, 1, height_ratios=[2.4, 0.4 + 0.3 * len(lines)])
    for layer, ax in enumerate(top.subplots(1, layers, squeeze=False)[0]):
        ax.imshow(shares[layer].numpy(), cmap="Blues", vmin=0, vmax=1, aspect="auto")
        ax.set_xticks(range(number), [f"expert {e + 1}" for e in range(number)], fontsize="x-small")
        ax.set_yticks(range(len(groups)), groups if layer == 0 else [], fontsize="small")
        ax.set_title(f"layer {layer + 1}: fraction of tokens", fontsize="small")
        for group in range(len(groups)):
            for expert in range(number):
                share = float(shares[layer, group, expert])
                color = "white" if share > 0.6 else "black"
                ax.text(expert, group, f"{share:.2f}", ha="center", va="center", fontsize="x-small", color=color)
    ax = bottom.subplots()
    ax.set_axis_off()
    ax.set(xlim=(-8, LONGEST), ylim=(len(lines), -1))
    for y, (name, words) in enumerate(lines):
        ax.text(-8, y, name, fontsize="small", va="center")
        x = 0
        for word, expert in words:
            shown = word.replace("\n", "¶").replace("$", r"\$")
            if x + len(shown) > LONGEST:
                break
            color = COLORS[expert % len(COLORS)]
            ax.text(x, y, shown, fontsize="x-small", family="monospace", va="center", color=color)
            x += len(shown)
    return figure
