"""``ctc_alignment.png``: the spectrogram of a sound, and below it the probability of each character in each frame."""

from typing import Any

import numpy as np
from lightning.pytorch import LightningModule, Trainer
from matplotlib.figure import Figure

from callbacks.pictures.figures import new_figure
from callbacks.pictures.picture import Rows, TestPicture
from common.data_protocol import data_attribute


class CTCAlignment(TestPicture):
    """Draws the first test sounds after the test, for models with ``alignment(sounds, lengths)``, which returns log-mel
    frames (B, frames, n_mels) and probabilities (B, steps, K + 1) whose label 0 is the blank.

    Args:
        num_sounds: How many are drawn.
    """

    name = "ctc_alignment"

    def __init__(self, num_sounds: int = 2) -> None:
        self.max_rows = num_sounds

    def collect(self, trainer: Trainer, outputs: Any, batch: Any) -> Rows:
        return {"sounds": batch[0], "lengths": batch[1], "targets": batch[2]}

    def look(self, trainer: Trainer, pl_module: LightningModule, rows: Rows) -> Rows:
        sounds = rows["sounds"][:, : int(rows["lengths"].max())]  # a batch is as long as its longest sound
        given = (part.to(pl_module.device) for part in (sounds, rows["lengths"]))
        spectrogram, p = pl_module.alignment(*given)  # type: ignore[operator]
        found = {"lengths": rows["lengths"], "targets": rows["targets"]}
        return found | {"spectrogram": spectrogram.float().cpu(), "probabilities": p.float().cpu()}

    def draw(self, trainer: Trainer, found: Rows) -> Figure:
        names = data_attribute(trainer, "class_names") or list(map(str, range(1, found["probabilities"].shape[2])))
        panels = []
        for row, samples in enumerate(found["lengths"].tolist()):
            seconds = samples / data_attribute(trainer, "sample_rate", 8000)
            text = "".join(names[label - 1] for label in found["targets"][row].tolist() if label)
            panels.append((text, seconds, found["spectrogram"][row].numpy(), found["probabilities"][row].numpy()))
        return draw_ctc(panels, names)


def draw_ctc(panels: list[tuple[str, float, np.ndarray, np.ndarray]], names: list[str]) -> Figure:
    """Beside each other, for each sound: its log-mel frames above, the probabilities below.

    Args:
        panels: The true text, seconds, log-mel frames (frames, n_mels), probabilities (steps, K + 1) of each sound;
            both arrays are as long as the longest sound, and the rest is not shown.
        names: Of the K characters.
    """
    figure = new_figure(6.5 * len(panels), 5.5)
    grid = figure.subplots(2, len(panels), squeeze=False, sharex="col", height_ratios=(1, 1.2))
    most = max(seconds for _, seconds, _, _ in panels)
    for (above, below), (text, seconds, spectrogram, p) in zip(grid.T, panels, strict=True):
        extent = (0, most, 0, spectrogram.shape[1])
        own = spectrogram[: max(1, round(seconds / most * len(spectrogram)) - 1)]  # the shades of the sound itself
        shades = {"vmin": own.min(), "vmax": own.max(), "cmap": "magma"}
        above.imshow(spectrogram.T, origin="lower", aspect="auto", extent=extent, **shades)
        above.set(title=text.replace("$", r"\$"), ylabel="mel band", xlim=(0, seconds))
        times = (np.arange(len(p)) + 0.5) * most / len(p)
        below.plot(times, p[:, 0], color="lightgray", label="blank")
        for n, name in enumerate(names, 1):
            if p[times < seconds, n].max(initial=0) > 0.2:
                (line,) = below.plot(times, p[:, n])
                for peak in peaks(p[times < seconds, n]):
                    below.text(
                        times[peak],
                        min(1.0, p[peak, n]) + 0.02,
                        name.replace("$", r"\$"),
                        ha="center",
                        color=line.get_color(),
                    )
        below.set(xlabel="seconds", ylabel="probability", ylim=(0, 1.15))
    return figure


def peaks(p: np.ndarray, least: float = 0.2) -> list[int]:
    """The place of the largest value of each stretch above ``least``."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], (p > least).astype(int), [0]])))
    return [int(a + p[a:b].argmax()) for a, b in zip(edges[::2], edges[1::2], strict=True)]
