"""``places.png``: the perplexity of a language model by the place of the token in the test's windows."""

from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from matplotlib.figure import Figure
from torch import Tensor

from callbacks.pictures.figures import new_figure
from callbacks.pictures.picture import Rows, TestPicture


class LossByPlace(TestPicture):
    """Draws exp of the mean loss of places; the test step returns ``losses`` (B, T), 0 where a target is padding.

    A vertical line is at the model's ``seq_len``, the number of tokens of a text in training.

    Args:
        places: How many neighboring places share a point.
    """

    name = "places"

    def __init__(self, places: int = 32) -> None:
        self.places = places

    def collect(self, trainer: Trainer, outputs: Any, batch: Any) -> Rows:
        real = batch[1] >= 0
        return {"loss": outputs["losses"].double().sum(0), "count": real.double().sum(0)}

    def merge(self, kept: Rows, new: Rows) -> Rows:
        return {name: kept[name] + new[name] for name in kept}

    def join(self, ranks: list[Rows]) -> Rows:
        return {name: torch.stack([rank[name] for rank in ranks]).sum(0) for name in ranks[0]}

    def look(self, trainer: Trainer, pl_module: LightningModule, rows: Rows) -> Rows:
        return rows | {"trained": torch.tensor(float(pl_module.hparams.get("seq_len", 0)))}

    def draw(self, trainer: Trainer, found: Rows) -> Figure:
        ends, perplexity = by_place(found["loss"], found["count"], self.places)
        figure = new_figure(6.4, 3.6)
        ax = figure.subplots()
        ax.plot(ends.tolist(), perplexity.tolist(), ".-")
        if trained := float(found["trained"]):
            ax.axvline(trained, color="gray", linestyle="--", label=f"trained at {trained:,.0f} tokens")
            ax.legend()
        ax.set(xlabel="place in the window", ylabel="perplexity", title="perplexity by place")
        ax.grid(alpha=0.3)
        return figure


def by_place(loss: Tensor, count: Tensor, places: int) -> tuple[Tensor, Tensor]:
    """The last place of each group, counted from 1, and the perplexity of the group, from sums (T,) of both.

    Groups without a token are left out.
    """
    groups = torch.arange(len(loss)) // places
    total, number = (torch.zeros(int(groups[-1]) + 1).double().index_add(0, groups, t.double()) for t in (loss, count))
    ends = ((torch.arange(len(total)) + 1) * places).clamp(max=len(loss))
    return ends[number > 0], (total / number)[number > 0].exp()
