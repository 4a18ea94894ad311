"""``needles.png``: how often a needle is found, by its depth in the text and by the length of the text.

Kamradt 2023, "Needle in a haystack".
"""

from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from matplotlib.figure import Figure
from torch import Tensor

from callbacks.pictures.figures import new_figure
from callbacks.pictures.picture import Rows, TestPicture

MOST = 24  # rows of texts up to 2^23 tokens


class NeedleMap(TestPicture):
    """Draws the answers of a test whose batches are ``(tokens, targets)`` (B, T), targets of answers only.

    The test step returns ``predicted`` (B, T). A needle is where the answer's token is first in its row. Lengths are
    rounded to powers of two.

    Args:
        depths: Number of equal parts of a text.
    """

    name = "needles"

    def __init__(self, depths: int = 8) -> None:
        self.depths = depths

    def collect(self, trainer: Trainer, outputs: Any, batch: Any) -> Rows:
        return needle_counts(batch[0], batch[1], outputs["predicted"], self.depths)

    def merge(self, kept: Rows, new: Rows) -> Rows:
        return {name: kept[name] + new[name] for name in kept}

    def join(self, ranks: list[Rows]) -> Rows:
        return {name: torch.stack([rank[name] for rank in ranks]).sum(0) for name in ranks[0]}

    def look(self, trainer: Trainer, pl_module: LightningModule, rows: Rows) -> Rows:
        return rows | {"trained": torch.tensor(float(pl_module.hparams.get("seq_len", 0)))}

    def draw(self, trainer: Trainer, found: Rows) -> Figure:
        return draw_needles(found["right"], found["asked"], float(found["trained"]))


def needle_counts(tokens: Tensor, targets: Tensor, predicted: Tensor, depths: int) -> Rows:
    """How many answers were asked for and right: ``asked`` and ``right`` (24, depths), in row n texts of 2^n tokens.

    Args:
        tokens, targets, predicted: (B, T); targets below 0 are no answers.
        depths: Number of equal parts of a text.
    """
    row, place = (targets >= 0).nonzero(as_tuple=True)
    answer = targets[row, place]
    needle = (tokens[row] == answer[:, None]).int().argmax(1)  # the first place where it is
    lengths = torch.where(targets >= 0, torch.arange(targets.shape[1], device=targets.device), 0).amax(1) + 1
    length = lengths[row].float()
    cell = length.log2().round().long() * depths + (depths * needle / length).long().clamp(max=depths - 1)
    right = (predicted[row, place] == answer).float()
    asked = torch.zeros(MOST * depths, device=targets.device).index_add(0, cell, torch.ones_like(right))
    found = torch.zeros(MOST * depths, device=targets.device).index_add(0, cell, right)
    return {"asked": asked.view(MOST, depths), "right": found.view(MOST, depths)}


def draw_needles(right: Tensor, asked: Tensor, trained: float) -> Figure:
    """A column for each length, a row for each depth; lengths above ``trained`` are marked with a star."""
    used = asked.sum(1).nonzero().flatten()
    rate = (right / asked).numpy()[used].T  # (depths, lengths); nan where nothing was asked for
    figure = new_figure(1.2 * len(used) + 2.5, 3.6)
    ax = figure.subplots()
    image = ax.imshow(rate, cmap="RdYlGn", vmin=0, vmax=1, aspect="auto")
    lengths = [2 ** int(n) for n in used]
    ax.set_xticks(range(len(used)), [f"{n:,}" + ("*" if trained and n > trained else "") for n in lengths])
    depths = len(rate)
    ax.set_yticks(range(depths), [f"{100 * (i + 0.5) / depths:.0f} %" for i in range(depths)])
    ax.set(xlabel="tokens of the text (* longer than in training)", ylabel="depth of the needle", title="needles found")
    for (i, k), value in [((i, k), rate[i, k]) for i in range(depths) for k in range(len(used))]:
        ax.text(k, i, "" if value != value else f"{value:.2f}", ha="center", va="center", fontsize="x-small")
    figure.colorbar(image, ax=ax)
    return figure
