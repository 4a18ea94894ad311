"""What the callbacks of ``dive predict`` share: which file is written, and the rows of all processes in their order.

A callback that writes predictions is a ``PredictionFiles``: the command gives it the file of ``--out``.
"""

import time
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from PIL import Image

from callbacks.ranks import gather
from common.data_protocol import data_attribute


class PredictionFiles(Callback):
    """Writes predictions and overwrites nothing: a second file of a run gets a name with the time.

    Args:
        out: The file to write, as ``dive predict --out FILE`` gives it; empty for ``predictions.csv`` in the run's
            folder.
    """

    def __init__(self, out: str = "") -> None:
        self.out = out

    def path(self, trainer: Trainer) -> Path:
        """The file to write."""
        if self.out:
            return Path(self.out)
        path = Path(trainer.default_root_dir) / "predictions.csv"
        if path.exists():
            path = path.with_name(f"predictions_{time.strftime('%Y-%m-%d_%H-%M-%S')}.csv")
        first, count = path, 2
        while path.exists():
            path, count = first.with_name(f"{first.stem}_{count}.csv"), count + 1
        return path


class RowPredictions(PredictionFiles):
    """Predictions of which each is about a row of the split: ``predict_step`` returns a list with an entry for each.

    Args:
        out: See ``PredictionFiles``.
    """

    def __init__(self, out: str = "") -> None:
        super().__init__(out)
        self.found: list[Any] = []

    def entry(self, output: Any) -> Any:
        """What is kept of a row's prediction, on the CPU."""
        return output

    def write(self, trainer: Trainer, file: Path, names: list[str], found: list[Any]) -> None:
        """Writes the entries of all rows, in the order of the split, with their names, in the main process."""
        raise NotImplementedError

    def on_predict_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        self.found += [self.entry(output) for output in outputs]

    def on_predict_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        found, self.found = self.found, []
        ranks = gather(trainer, found)  # each has every world-th row
        if trainer.is_global_zero and not trainer.fast_dev_run:  # type: ignore[attr-defined]
            count = sum(map(len, ranks))
            file = self.path(trainer)
            file.parent.mkdir(parents=True, exist_ok=True)
            names = data_attribute(trainer, "predict_names") or [str(i) for i in range(count)]
            self.write(trainer, file, names, [ranks[i % len(ranks)][i // len(ranks)] for i in range(count)])


class PicturePredictions(RowPredictions):
    """Predictions of pictures, which are drawn too.

    Beside the file are folders of pictures: ``marked`` beside ``predictions.csv``, else ``<name of the file>_marked``.
    """


def folder_beside(file: Path, name: str) -> Path:
    """The folder for the pictures that belong to a file of predictions."""
    return file.with_name(name if file.stem == "predictions" else f"{file.stem}_{name}")


def picture_of(trainer: Trainer, row: int) -> tuple[Image.Image, tuple[float, float, float, float]]:
    """A picture of the predict split and the part of it that the model saw: its file, or the tensor in memory."""
    from_file = data_attribute(trainer, "predict_picture")
    if from_file is not None:
        return from_file(row)
    x = data_attribute(trainer, "splits")["predict"][0][row]
    pixels = x.permute(1, 2, 0).numpy()
    image = Image.fromarray(pixels if pixels.shape[2] == 3 else pixels[..., 0]).convert("RGB")
    return image, (0.0, 0.0, *map(float, image.size))  # type: ignore[return-value]


def marked_path(folder: Path, name: str) -> Path:
    """Where the picture of a name goes: in the sub-folders that its name has, never outside of the folder."""
    parts = [part for part in Path(str(name)).parts if part not in ("/", "..", ".")]
    return folder.joinpath(*parts[:-1], f"{parts[-1]}.png")


def save(image: Image.Image, folder: Path, name: str) -> None:
    """Saves a picture under its name in a folder."""
    target = marked_path(folder, name)
    target.parent.mkdir(parents=True, exist_ok=True)
    image.save(target)
