"""``sampling_steps.png``: how good pictures are that the samplers make in few steps and in many.

The test of a model with a method ``quality(x, y, sampler, steps)``, a distance of generated pictures of classes y (B,)
from real ones x, which is small where they are alike; none of a model whose ``measured`` is false for its data. It
samples for each point of each curve, five minutes in all, and is therefore in no recipe:

    dive test diffusion/digits --trainer.callbacks+=callbacks.pictures.sampling_steps.SamplingSteps
"""

from collections.abc import Sequence
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from matplotlib.figure import Figure

from callbacks.pictures.figures import new_figure
from callbacks.pictures.picture import Rows, TestPicture

Curves = dict[str, list[float]]


class SamplingSteps(TestPicture):
    """A curve for each sampler.

    Args:
        samplers: Their names. Euler's method is ``ddim``.
        steps: Numbers of steps. More than the model has noise levels are left out.
        max_rows: Pictures of the test split that are compared, and as many generated ones.
    """

    name = "sampling_steps"

    def __init__(
        self,
        samplers: Sequence[str] = ("ancestral", "ddim", "heun", "dpm"),
        steps: Sequence[int] = (5, 10, 25, 50, 100, 250),
        max_rows: int = 100,
    ) -> None:
        self.samplers, self.steps, self.max_rows = list(samplers), list(steps), max_rows

    def collect(self, trainer: Trainer, outputs: Any, batch: Any) -> Rows | None:
        x, y, *_ = batch
        return {"x": x, "y": y}

    def look(self, trainer: Trainer, pl_module: LightningModule, rows: Rows) -> dict[str, Any] | None:
        model: Any = pl_module
        if not hasattr(model, "quality") or not getattr(model, "measured", True):
            return None
        x, y = (rows[name].to(pl_module.device) for name in ("x", "y"))
        steps = [count for count in self.steps if count <= model.schedule.total]
        curves = {name: [float(model.quality(x, y, name, count)) for count in steps] for name in self.samplers}
        return {"steps": steps, "curves": curves}

    def draw(self, trainer: Trainer, found: dict[str, Any]) -> Figure:
        figure = new_figure(6, 4)
        ax = figure.subplots()
        for name, curve in found["curves"].items():
            ax.plot(found["steps"], curve, "o-", markersize=4, label=name)
        ax.set(xscale="log", yscale="log", xlabel="steps", ylabel="distance from real pictures")
        ax.set_xticks(found["steps"], [str(count) for count in found["steps"]])
        ax.xaxis.minorticks_off()
        ax.legend()
        return figure
