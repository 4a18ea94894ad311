"""C3D: convolutions of 3 x 3 x 3 from the first layer to the last, which see motion and shape together.

Tran et al. 2015, "Learning spatiotemporal features with 3D convolutional networks". Not in D2L.
The first pooling keeps the frames, so that motion is not averaged away before it was looked at; the last one pads a
frame of 7 x 7 to 8 x 8. For 101 classes at 16 frames of 112 pixels it has 78,409,573 parameters.
Departs from the paper: ``batch_norm`` adds normalization, without which a narrow network learns slowly.

    dive fit video/c3d     digits that move, offline, narrow

The numbers it reaches are in RESULTS.md.
"""

from torch import Tensor, nn

from common.messages import UserError
from lit_models.tasks.trains import trains
from lit_models.video.video_classifier import VideoClassifier

#: Convolutions of each stage, as multiples of the width.
STAGES = ((1,), (2,), (4, 4), (8, 8), (8, 8))


class C3D(nn.Module):
    """Stages of convolutions and poolings, three dense layers. (B, in_channels, T, S, S) -> (B, num_classes) logits.

    Args:
        in_channels: Channels of a frame.
        num_classes: Number of logits.
        num_frames: Frames T of a clip.
        image_size: Height and width S in pixels.
        width: Channels of the first stage. The paper's is 64.
        stages: How many of the five stages there are: each but the first halves the frames, each halves the size.
        hidden_size: Units of the two hidden dense layers. The paper's is 4,096.
        dropout: After each of them.
        batch_norm: Normalization after each convolution.

    Raises:
        UserError: The clip is too small for the poolings.
    """

    HEADS = ("fc8",)

    def __init__(
        self,
        in_channels: int = 3,
        num_classes: int = 101,
        num_frames: int = 16,
        image_size: int = 112,
        width: int = 64,
        stages: int = 5,
        hidden_size: int = 4096,
        dropout: float = 0.5,
        batch_norm: bool = False,
    ) -> None:
        super().__init__()
        self.features = nn.Sequential()
        channels, frames, side = in_channels, num_frames, image_size
        for k, counts in enumerate(STAGES[:stages]):
            for times in counts:
                self.features.append(nn.Conv3d(channels, times * width, 3, padding=1))
                channels = times * width
                if batch_norm:
                    self.features.append(nn.BatchNorm3d(channels))
                self.features.append(nn.ReLU(inplace=True))
            pad = int(k == len(STAGES) - 1)
            self.features.append(nn.MaxPool3d((1 if k == 0 else 2, 2, 2), padding=(0, pad, pad)))
            frames, side = frames // (1 if k == 0 else 2), (side + 2 * pad) // 2
        if frames < 1 or side < 1:
            raise UserError(
                f"{stages} stages need {2 ** (stages - 1)} frames of {2**stages} pixels: data.num_frames is "
                f"{num_frames}, data.image_size {image_size}; give more, or fewer --model.stages"
            )
        self.fc6 = nn.Linear(channels * frames * side * side, hidden_size)
        self.fc7 = nn.Linear(hidden_size, hidden_size)
        self.fc8 = nn.Linear(hidden_size, num_classes)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        x = self.features(x).flatten(1)  # (B, C' T' S' S')
        x = self.dropout(self.fc6(x).relu())
        return self.fc8(self.dropout(self.fc7(x).relu()))


@trains(C3D)
class LitC3D(VideoClassifier):
    """C3D trained as a classifier."""
