"""``count_agreement.png``: counts against the truth, class by class, as Bland and Altman draw two ways to measure.

Bland and Altman 1986, "Statistical methods for assessing agreement between two methods of clinical measurement".
"""

from typing import Any

import torch
from lightning.pytorch import Trainer
from matplotlib.figure import Figure
from torch import Tensor

from callbacks.pictures.figures import new_figure
from callbacks.pictures.picture import Rows, TestPicture
from common.data_protocol import data_attribute


class CountAgreement(TestPicture):
    """Collects ``outputs["counts"]`` and ``["true_counts"]`` (B, K) of the test batches.

    A point is a picture: across the mean of both counts, upwards what was found minus the truth. The line is the bias,
    the band its limits of agreement, 1.96 standard deviations: 95 of 100 differences are in it if they are normal.
    """

    name = "count_agreement"

    def collect(self, trainer: Trainer, outputs: Any, batch: Any) -> Rows | None:
        if not isinstance(outputs, dict) or "true_counts" not in outputs:
            return None
        return {"found": outputs["counts"], "true": outputs["true_counts"]}

    def draw(self, trainer: Trainer, found: Rows) -> Figure:
        return draw_agreement(found["found"], found["true"], data_attribute(trainer, "class_names"))


def draw_agreement(found: Tensor, true: Tensor, names: list[str] | None) -> Figure:
    """A panel for each class of counts (N, K)."""
    classes = true.shape[1]
    figure = new_figure(3.6 * classes, 3.4)
    spread = torch.rand(len(true), 2, generator=torch.Generator().manual_seed(0)).sub(0.5).mul(0.3)  # of equal points
    for k, axes in enumerate(figure.subplots(1, classes, squeeze=False)[0]):
        difference, mean = (found - true)[:, k].double(), (found + true)[:, k].double() / 2
        bias, deviation = float(difference.mean()), float(difference.std()) if len(true) > 1 else 0.0
        axes.axhspan(bias - 1.96 * deviation, bias + 1.96 * deviation, color="C0", alpha=0.12)
        axes.axhline(0, color="0.7", linewidth=0.8)
        axes.axhline(bias, color="C0")
        axes.plot((mean + spread[:, 0]).numpy(), (difference + spread[:, 1]).numpy(), ".", color="C1", alpha=0.5)
        title = f"{names[k] if names and k < len(names) else k}: bias {bias:+.2f}, limits ± {1.96 * deviation:.2f}"
        axes.set(xlabel="mean of found and true", ylabel="found - true", title=title)
    return figure
