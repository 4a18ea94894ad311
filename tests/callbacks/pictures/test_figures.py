"""Pictures land in the run folder and in TensorBoard."""

from pathlib import Path

from lightning.pytorch import Trainer
from lightning.pytorch.loggers import TensorBoardLogger
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from callbacks.pictures.figures import new_figure, show


def test_a_figure_is_a_png_and_a_tensorboard_image(tmp_path: Path) -> None:
    logger = TensorBoardLogger(str(tmp_path), name="", version="tensorboard")
    trainer = Trainer(default_root_dir=tmp_path, logger=logger, accelerator="cpu")
    figure = new_figure(2, 2)
    figure.subplots().plot([0, 1])
    path = show(trainer, figure, "line")
    logger.experiment.flush()
    assert path == tmp_path / "line.png" and path.read_bytes()[:4] == b"\x89PNG"
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert events.Tags()["images"] == ["line"]
