"""What sharing weights is worth: the same small network with shared, tiled and unshared convolutions.

Goodfellow et al. 9.2 (sparse interactions, parameter sharing, equivariance) and 9.5 (unshared, tiled). All three do the
same number of multiply-adds on the same receptive fields. They differ in how many kernels there are: one, four, or one
for each position. Each position's kernel has seen digits where they stood in training; a shared one has seen them
everywhere. So all three read digits where they always were, and the shared one alone reads them four pixels further as
well.

    dive fit convolution/sharing                             shared
    dive fit convolution/sharing --model.sharing tiled       four kernels in turn
    dive fit convolution/sharing --model.sharing unshared    a kernel for each position

The numbers they reach are in RESULTS.md.
"""

from typing import Any, Literal

from torch import Tensor, nn
from torchmetrics.classification import MulticlassAccuracy

from lit_models.convolution.tiled import TiledConv2d
from lit_models.convolution.unshared import UnsharedConv2d
from lit_models.tasks.image_classifier import ImageClassifier
from lit_models.tasks.trains import trains

MOVES = ((4, 0), (-4, 0), (0, 4), (0, -4))  # pixels down and to the right: as far as MNIST's empty margin
Sharing = Literal["shared", "tiled", "unshared"]


class SharingNet(nn.Module):
    """Three convolutions, the mean over positions, one dense layer. (B, in_channels, S, S) -> (B, num_classes) logits.

    Args:
        in_channels, num_classes, image_size: As of the data.
        sharing: How positions share kernels.
        width: Maps of the first layer, doubled by each one after it.
        tiles: Kernels that take turns in each direction, where tiled.
    """

    def __init__(
        self,
        in_channels: int = 1,
        num_classes: int = 10,
        image_size: int = 28,
        sharing: Sharing = "shared",
        width: int = 8,
        tiles: int = 2,
    ) -> None:
        super().__init__()

        def layer(inputs: int, outputs: int, side: int, size: int, stride: int) -> nn.Module:
            if sharing == "unshared":
                return UnsharedConv2d(inputs, outputs, side, size, stride, size // 2)
            if sharing == "tiled":
                return TiledConv2d(inputs, outputs, size, stride, size // 2, tiles)
            return nn.Conv2d(inputs, outputs, size, stride, size // 2)

        half, quarter = -(-image_size // 2), -(-image_size // 4)
        self.features = nn.Sequential(
            layer(in_channels, width, image_size, size=5, stride=2),  # (B, width, S/2, S/2)
            nn.ReLU(),
            layer(width, 2 * width, half, size=5, stride=2),  # (B, 2 width, S/4, S/4)
            nn.ReLU(),
            layer(2 * width, 4 * width, quarter, size=3, stride=1),  # (B, 4 width, S/4, S/4)
            nn.ReLU(),
        )
        self.head = nn.Linear(4 * width, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x).mean((2, 3)))


@trains(SharingNet)
class LitSharing(ImageClassifier):
    """``SharingNet`` trained as a classifier and tested on moved images too: ``test/moved_acc``, over four moves."""

    def __init__(self, num_classes: int, **task: Any) -> None:
        super().__init__(num_classes, **task)
        self.test_moved_acc = MulticlassAccuracy(num_classes, average="micro")

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> dict[str, Tensor]:
        x, y = batch
        for move in MOVES:
            self.test_moved_acc.update(self(x.roll(move, (2, 3))), y)
        return super().test_step(batch, batch_idx)

    def on_test_epoch_end(self) -> None:
        super().on_test_epoch_end()
        self.log("test/moved_acc", self.test_moved_acc)
