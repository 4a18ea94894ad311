"""A network made of all parts of the builder's guide: nested blocks, own layers, a buffer, tied weights.

D2L 6.1 to 6.5; the book's ``NestMLP`` and "chimera", with images to learn.
Departs from the book as its parts do: see ``blocks.py``, ``custom_layers.py`` and ``parameters.py``.

    dive fit builders/chimera                              5,000 real MNIST digits, offline
    dive fit builders/chimera --model.detached true        the book's MyLinear: its layers do not learn

The numbers they reach are in RESULTS.md.
"""

from torch import Tensor, nn

from lit_models.builders.blocks import FixedHidden, Parallel, Sequential
from lit_models.builders.custom_layers import Centered, Dense
from lit_models.builders.parameters import initialize
from lit_models.tasks.classifier import Classifier
from lit_models.tasks.trains import flat_size, trains


class Chimera(nn.Module):
    """(B, ...) -> (B, num_classes) logits.

    Args:
        num_features: Numbers in one sample once it is flattened.
        num_classes: Number of logits.
        width: Of the trunk, an even number.
        detached: See ``Dense``.
    """

    def __init__(self, num_features: int = 784, num_classes: int = 10, width: int = 64, detached: bool = False) -> None:
        super().__init__()
        shared = Dense(width, width, detached)  # used twice below: one tensor under two names
        narrow, half = width // 4, width // 2
        nested = Sequential(Dense(2 * width, narrow, detached), Dense(narrow, half, detached))
        self.blocks = Sequential(
            nn.Flatten(),
            Centered(),  # (B, num_features)
            Dense(num_features, 2 * width, detached),
            Parallel(nested, Dense(2 * width, half, detached)),  # (B, width)
            shared,
            shared,
            FixedHidden(width),
            nn.Linear(width, num_classes),
        )
        initialize(self, {nn.Linear: nn.init.xavier_uniform_})

    def forward(self, x: Tensor) -> Tensor:
        return self.blocks(x)


@trains(Chimera, num_features=flat_size)
class LitChimera(Classifier):
    """The chimera as a classifier of images."""
