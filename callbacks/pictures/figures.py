"""Where pictures go: a PNG in the run folder, and the loggers that can show images."""

from pathlib import Path

from lightning.pytorch import Trainer
from lightning.pytorch.loggers import TensorBoardLogger, WandbLogger
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure


def new_figure(width: float, height: float) -> Figure:
    """An off-screen figure, sizes in inches. Without pyplot, which keeps global state and may need a display."""
    figure = Figure(figsize=(width, height), layout="constrained", dpi=110)
    FigureCanvasAgg(figure)
    return figure


def show(trainer: Trainer, figure: Figure, name: str) -> Path:
    """Writes ``name``.png into the run folder and gives it to TensorBoard and W&B. Call it on rank 0 only."""
    path = Path(trainer.default_root_dir) / f"{name}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    for logger in trainer.loggers:
        if isinstance(logger, WandbLogger):
            logger.log_image(name, [str(path)], step=trainer.global_step)
        elif isinstance(logger, TensorBoardLogger):
            logger.experiment.add_figure(name, figure, trainer.global_step)
    return path
