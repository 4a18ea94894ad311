"""A 2-D network on each frame, and an LSTM over the frames: the recurrent baseline.

Donahue et al. 2015, "Long-term recurrent convolutional networks". Not in D2L.
The frames become rows of one large batch for the convolutions; the LSTM then reads a vector for each frame. Motion is
seen by the LSTM only, so the vectors must keep where things are: they are not averaged over the frame.
Departs from the paper: the class is read from the last state instead of averaged over the frames; a small network.

    dive fit video/cnn_lstm     digits that move, offline

The numbers it reaches are in RESULTS.md.
"""

from torch import Tensor, nn

from common.messages import UserError
from lit_models.tasks.trains import trains
from lit_models.video.video_classifier import VideoClassifier

HALVINGS = 3


class CNNLSTM(nn.Module):
    """Three convolutions per frame, an LSTM over the frames. (B, in_channels, T, S, S) -> (B, num_classes) logits.

    Args:
        in_channels: Channels of a frame.
        num_classes: Number of logits.
        image_size: Height and width S in pixels, at least 8.
        width: Channels of the first convolution; each later one has twice as many and half the size.
        hidden_size: Units of the LSTM.

    Raises:
        UserError: The frames are too small.
    """

    HEADS = ("head",)

    def __init__(
        self,
        in_channels: int = 3,
        num_classes: int = 101,
        image_size: int = 112,
        width: int = 16,
        hidden_size: int = 128,
    ) -> None:
        super().__init__()
        if image_size < 2**HALVINGS:
            raise UserError(f"data.image_size is {image_size}: {HALVINGS} halvings need at least {2**HALVINGS} pixels")
        self.frames = nn.Sequential()
        channels, side = in_channels, image_size
        for k in range(HALVINGS):
            layers = nn.Conv2d(channels, width << k, 3, 2, 1, bias=False), nn.BatchNorm2d(width << k), nn.ReLU(True)
            self.frames.extend(layers)
            channels, side = width << k, -(-side // 2)
        self.lstm = nn.LSTM(channels * side * side, hidden_size, batch_first=True)
        self.head = nn.Linear(hidden_size, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        b, _, t = x.shape[:3]
        frames = x.transpose(1, 2).flatten(0, 1)  # (B T, C, S, S): the frames of a clip stand together
        vectors = self.frames(frames).flatten(1).view(b, t, -1)  # (B, T, C' S' S')
        states, _ = self.lstm(vectors)  # (B, T, hidden_size)
        return self.head(states[:, -1])


@trains(CNNLSTM)
class LitCNNLSTM(VideoClassifier):
    """A network on each frame and an LSTM, trained as a classifier."""
