"""Two pictures for style transfer: one for the content, one for the style.

An epoch is a number of steps with the same two pictures.
"""

from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from common.messages import UserError
from datamodules.base import TensorDataModule
from datamodules.vision.image_files import decode, decode_open, reason_of

PHOTOGRAPHS = {"content": 0, "style": 1}  # scikit-learn's: a temple, a flower


class StylePair(TensorDataModule):
    """A batch is content (1, 3, S, S) and style (1, 3, S, S) in [0, 1]: the largest centered squares of the pictures.

    Args:
        content, style: Files; without them scikit-learn's two photographs.
        image_size: Height and width S in pixels.
        steps: Of an epoch.
        batch_size, eval_batch_size: Copies of the pictures in a batch: more than one tell the network nothing new.

    Raises:
        UserError: A file is missing or no picture; ``steps`` is less than 1.
    """

    links = ("image_size",)
    items = "steps"

    def __init__(
        self,
        content: str = "",
        style: str = "",
        image_size: int = 64,
        steps: int = 50,
        batch_size: int = 1,
        eval_batch_size: int = 1,
    ) -> None:
        super().__init__(batch_size, eval_batch_size)
        if steps < 1:
            raise UserError(f"data.steps is {steps}: give a whole number of at least 1")
        self.files = {"content": content, "style": style}
        self.image_size, self.steps = image_size, steps

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        pictures = [self.picture(name, file)[None] for name, file in self.files.items()]
        rows = {"train": self.steps * self.batch_size * (world := self._rank_and_world()[1])}
        rows |= dict.fromkeys(("val", "test", "predict"), world)  # each process looks at the same picture
        return {name: tuple(x.expand(count, -1, -1, -1) for x in pictures) for name, count in rows.items()}

    def picture(self, name: str, file: str) -> Tensor:
        """A picture (3, S, S) uint8."""
        if not file:
            from sklearn.datasets import load_sample_images

            photo = Image.fromarray(load_sample_images().images[PHOTOGRAPHS[name]])
            return torch.from_numpy(decode_open(photo, 3, self.image_size).copy())
        return read_picture(file, name, self.image_size)

    def transform(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return tuple(x * (1 / 255) for x in batch)


def read_picture(file: str, name: str, image_size: int) -> Tensor:
    """The largest centered square of a file as (3, S, S) uint8; ``name`` is the argument that it came with.

    Raises:
        UserError: There is no such file, or it is not a picture.
    """
    if not Path(file).is_file():
        raise UserError(f"no file {file}: give --data.{name} a picture")
    try:
        return torch.from_numpy(decode(file, 3, image_size).copy())
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise UserError(f"{file} cannot be read: {reason_of(error)}; give --data.{name} another picture") from None
