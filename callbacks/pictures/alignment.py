"""``alignment.png``: which source words a translator looks at while it generates each word."""

from typing import Any

import numpy as np
from lightning.pytorch import LightningModule, Trainer
from matplotlib.figure import Figure

from callbacks.pictures.figures import new_figure
from callbacks.pictures.picture import Rows, TestPicture
from common.data_protocol import data_attribute


class Alignment(TestPicture):
    """Draws attention weights after the test, for models with ``alignment(source, source_length)``, which returns the
    ids they generate (B, T) and the weights (B, T, S). The datamodule names tokens (``source_tokens``,
    ``target_tokens``).

    Args:
        num_texts: How many of the first test sources are drawn.
        end_id: The token that ends a text.
    """

    name = "alignment"

    def __init__(self, num_texts: int = 6, end_id: int = 2) -> None:
        self.max_rows, self.end_id = num_texts, end_id

    def collect(self, trainer: Trainer, outputs: Any, batch: Any) -> Rows:
        return {"source": batch[0], "length": batch[1]}

    def look(self, trainer: Trainer, pl_module: LightningModule, rows: Rows) -> Rows:
        given = (rows[name].to(pl_module.device) for name in ("source", "length"))
        ids, weights = pl_module.alignment(*given)  # type: ignore[operator]
        return rows | {"ids": ids.cpu(), "weights": weights.float().cpu()}

    def draw(self, trainer: Trainer, found: Rows) -> Figure:
        source_tokens, target_tokens = (data_attribute(trainer, f"{side}_tokens") for side in ("source", "target"))
        pictures = []
        for row, length in enumerate(found["length"].tolist()):
            ids = found["ids"][row].tolist()
            end = ids.index(self.end_id) + 1 if self.end_id in ids else len(ids)
            words = source_tokens(found["source"][row, :length].tolist()), target_tokens(ids[:end])
            pictures.append((*words, found["weights"][row, :end, :length].numpy()))
        return draw_alignment(pictures)


def draw_alignment(pictures: list[tuple[list[str], list[str], np.ndarray]]) -> Figure:
    """One panel of weights per text: source words across, generated words down; darker is larger."""
    columns = min(3, len(pictures))
    rows = -(-len(pictures) // columns)
    figure = new_figure(4.5 * columns, 4 * rows)
    grid = figure.subplots(rows, columns, squeeze=False)
    for cell in grid.flat:
        cell.axis("off")
    for cell, (source, target, weights) in zip(grid.flat, pictures, strict=False):
        cell.axis("on")
        cell.imshow(weights, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        cell.set_xticks(range(len(source)), [plain(word) for word in source], rotation=60, ha="right", fontsize="small")
        cell.set_yticks(range(len(target)), [plain(word) for word in target], fontsize="small")
    return figure


def plain(word: str) -> str:
    """A token as an axis label: a space becomes visible, and dollar signs are escaped (matplotlib's formulas)."""
    return word.replace("$", r"\$").replace("\n", "\\n") if word.strip() else repr(word)
