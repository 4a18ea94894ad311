"""``alignment.png``: which source words a translator looks at while it writes each word."""

from typing import Any

import numpy as np
from lightning.pytorch import Callback, LightningModule, Trainer
from matplotlib.figure import Figure

from callbacks.pictures.figures import new_figure, show


class Alignment(Callback):
    """Draws attention weights after the test, for models with ``alignment(source, source_length)``, which returns the
    ids they write (B, T) and the weights (B, T, S). The datamodule names tokens (``source_tokens``, ``target_tokens``).

    Args:
        num_texts: How many of the first test sources are drawn.
        end_id: The token that ends a text.
    """

    def __init__(self, num_texts: int = 6, end_id: int = 2) -> None:
        self.num_texts, self.end_id = num_texts, end_id
        self.first: tuple[Any, Any] | None = None

    def on_test_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        if batch_idx == 0:
            self.first = batch[0][: self.num_texts], batch[1][: self.num_texts]

    def on_test_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        first, self.first = self.first, None
        if first is None or not trainer.is_global_zero or trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        source, length = first
        ids, weights = pl_module.alignment(source, length)  # type: ignore[operator]
        data: Any = getattr(trainer, "datamodule", None)
        pictures = []
        for row in range(len(source)):
            written = ids[row].tolist()
            end = written.index(self.end_id) + 1 if self.end_id in written else len(written)
            words = data.source_tokens(source[row, : length[row]].tolist()), data.target_tokens(written[:end])
            pictures.append((words[0], words[1], weights[row, :end, : length[row]].float().cpu().numpy()))
        show(trainer, draw_alignment(pictures), "alignment")


def draw_alignment(pictures: list[tuple[list[str], list[str], np.ndarray]]) -> Figure:
    """One square of weights for each text: source words across, written words down, dark is much."""
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
    """A token as a label: a space is shown, and signs that matplotlib reads as formulas are not."""
    return word.replace("$", r"\$").replace("\n", "\\n") if word.strip() else repr(word)
