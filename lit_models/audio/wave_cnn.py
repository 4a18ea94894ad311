"""A 1-D network on the waveform: its first layer learns its own filter bank.

Dai, Dai, Qu, Li and Das 2017, "Very deep convolutional neural networks for raw waveforms": M3, M5, M11 and M18, a long
first kernel (80 samples, 10 ms at 8 kHz) with stride 4, then kernels of 3 and poolings of 4, no dense layers but the
last. Departs from the paper: the classifier is linear on the mean over time, as in M5 to M18 there, and ``width``
scales the channels. The long kernel keeps 80 samples at every rate, as the paper's.

    dive fit audio/wave_cnn                           telephone keys in noise, offline
    dive fit audio/wave_cnn_spoken_digits             digits from a voice that is not in the training set
    dive fit audio/wave_cnn_spoken_digits_published   digits from known voices, the published split

The numbers they reach are in RESULTS.md; kernels.png shows which frequencies the first layer has learned.
"""

from typing import Any, Literal

from torch import Tensor, nn

from common.messages import UserError
from lit_models.audio.windows import mean_over_windows
from lit_models.tasks.classifier import Classifier
from lit_models.tasks.trains import trains

Depth = Literal["m3", "m5", "m11", "m18"]
PLANS: dict[str, tuple[tuple[int, int], ...]] = {  # channels and layers of each group; the first is the long kernel
    "m3": ((256, 1), (256, 1)),
    "m5": ((128, 1), (128, 1), (256, 1), (512, 1)),
    "m11": ((64, 1), (64, 2), (128, 2), (256, 3), (512, 2)),
    "m18": ((64, 1), (64, 4), (128, 4), (256, 4), (512, 4)),
}
POOLED_GROUPS = 4  # the first four groups end with a pooling, a fifth does not


class WaveCNN(nn.Module):
    """Convolutions over time, the mean over what is left of it, one dense layer. (B, T) -> (B, num_classes) logits.

    Args:
        num_classes: Number of logits.
        depth: Which network of the paper; the number counts the layers with weights.
        width: Scales the channels of all layers.
        dropout: Fraction of the averaged features that is dropped before the dense layer; the paper has none.
    """

    def __init__(self, num_classes: int = 10, depth: Depth = "m5", width: float = 1.0, dropout: float = 0.0) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 1
        for group, (maps, count) in enumerate(PLANS[depth]):
            maps = max(1, round(width * maps))
            for _ in range(count):
                size, stride, padding = (3, 1, 1) if layers else (80, 4, 38)
                layers += [
                    nn.Conv1d(channels, maps, size, stride, padding, bias=False),
                    nn.BatchNorm1d(maps),
                    nn.ReLU(),
                ]
                channels = maps
            if group < POOLED_GROUPS:
                layers.append(nn.MaxPool1d(4))
        self.features = nn.Sequential(*layers)  # (B, 1, T) -> (B, channels, T / 4^(1 + poolings))
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(channels, num_classes)

    @staticmethod
    def least(depth: Depth) -> int:
        """The shortest sound, in samples, of which the poolings leave something."""
        return 4 ** (1 + min(POOLED_GROUPS, len(PLANS[depth])))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.dropout(self.features(x[:, None]).mean(2)))


def long_enough(depth: Depth = "m5", num_samples: int = 8000) -> Depth:
    """The depth, where sounds are long enough for it.

    Args:
        depth: See ``WaveCNN``.
        num_samples: Length of the sounds.

    Raises:
        UserError: The sounds are too short; the error names the least length.
    """
    if num_samples < WaveCNN.least(depth):
        raise UserError(f"num_samples is {num_samples}: {depth} needs at least {WaveCNN.least(depth)}")
    return depth


@trains(WaveCNN, depth=long_enough)
class LitWaveCNN(Classifier):
    """``WaveCNN`` trained as a classifier of sounds x (B, num_samples), or of windows of sounds, (B, W, num_samples).

    Args:
        freeze_filters: The first layer keeps its initial weights, to measure the benefit of a learned filter bank.
        **task: See ``Classifier``.
    """

    def __init__(self, freeze_filters: bool = False, **task: Any) -> None:
        super().__init__(**task)
        first: Any = self.net.features[0]  # type: ignore[index]
        first.requires_grad_(not freeze_filters)

    def forward(self, *inputs: Tensor) -> Tensor:
        return mean_over_windows(self.net, *inputs)
