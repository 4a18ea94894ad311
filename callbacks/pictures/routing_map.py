"""``routing.png``: which experts serve which group of rows, by layer, and those of some texts in the first layer."""

from typing import Any

import torch
from lightning.pytorch import Trainer
from matplotlib.figure import Figure
from torch import Tensor

from callbacks.pictures.figures import new_figure
from callbacks.pictures.picture import Rows, TestPicture
from common.data_protocol import data_attribute


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
        return {"experts": outputs["experts"][:, :, 0], "real": batch[1] >= 0}

    def draw(self, trainer: Trainer, found: Rows) -> Figure:
        experts, rows = found["experts"], len(found["experts"])  # (N, T, layers)
        groups = data_attribute(trainer, "subsets", {}).get("test") or {"all": [True] * rows}
        number = int(experts.max()) + 1
        maps, names, lines = [], [], []
        for name, belongs in groups.items():
            chosen = torch.tensor(belongs[:rows])
            used = experts[chosen][found["real"][chosen]]  # (tokens, layers)
            maps.append(torch.stack([used[:, i].bincount(minlength=number) for i in range(used.shape[1])]).float())
            some = experts[chosen][: self.texts, :, 0]  # (texts, T)
            names += [name] * len(some)
            lines.append(some)
        return draw_routing(torch.stack(maps, 1), list(groups), names, torch.cat(lines))


def draw_routing(counts: Tensor, groups: list[str], names: list[str], lines: Tensor) -> Figure:
    """A map of fractions for each layer of counts (layers, G, E); below, the expert of each token (texts, T).

    The tokens themselves are not written: few fonts have the letters of all languages.
    """
    shares = counts / counts.sum(2, keepdim=True).clamp(min=1)
    layers, _, number = shares.shape
    figure = new_figure(max(7.0, 3.0 * layers), 2.8 + 0.25 * len(lines))
    top, bottom = figure.subfigures(2, 1, height_ratios=[2.2, 0.6 + 0.25 * len(lines)])  # type: ignore[misc]
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
    ax.imshow(lines.numpy(), cmap="tab10", vmin=0, vmax=10, aspect="auto", interpolation="nearest")
    ax.set_yticks(range(len(names)), names, fontsize="x-small")
    ax.set_xlabel("tokens of some texts, in the color of their expert in layer 1", fontsize="small")
    return figure
