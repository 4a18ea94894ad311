"""A 2-D network on log-mel spectrograms: sound as an image of time and pitch.

Davis and Mermelstein 1980 for the features, Hershey et al. 2017, "CNN architectures for large-scale audio
classification", for the idea of image networks on them; Park et al. 2019 for SpecAugment. The spectrogram is part of
the network, computed from the batch of waveforms on the device, so that the data is the same for the 1-D and
the 2-D network. Departs from Hershey et al.: a small network of its own, the size of the data.

    dive fit audio/mel_cnn                           telephone keys in noise, offline
    dive fit audio/mel_cnn_spoken_digits             digits from a voice that is not in the training set
    dive fit audio/mel_cnn_spoken_digits_published   digits from known voices, the published split
    dive fit audio/mel_cnn --data AudioFolder --data.root FOLDER      your own sounds

The numbers they reach are in RESULTS.md; feature_maps.png shows a spectrogram and what the layers make of it.
"""

from collections.abc import Sequence

from torch import Tensor, nn

from common.messages import UserError
from lit_models.audio.spec_augment import SpecAugment
from lit_models.audio.spectrogram import LogMel
from lit_models.audio.windows import mean_over_windows
from lit_models.tasks.classifier import Classifier
from lit_models.tasks.trains import trains


class MelCNN(nn.Module):
    """Spectrogram, masks, convolutions with poolings, the mean over time, one dense layer. (B, T) -> logits.

    A sound at a later time is the same sound, one at a higher pitch is not: the mean is taken over time only.

    Args:
        num_classes: Number of logits.
        front: Makes (B, 1, M, frames) of (B, T).
        augment: What a spectrogram goes through in training.
        channels: Maps of each block: a 3 x 3 convolution, batch normalization, ReLU and 2 x 2 max pooling.
        dropout: Fraction of the averaged features that is dropped.
        pool_pitch: Takes the mean over pitch too, as networks for images do over both directions.

    Raises:
        ValueError: Fewer mel bands than the poolings need; the error names the least number.
    """

    def __init__(
        self,
        num_classes: int,
        front: LogMel,
        augment: nn.Module,
        channels: Sequence[int] = (16, 32, 64),
        dropout: float = 0.0,
        pool_pitch: bool = False,
    ) -> None:
        super().__init__()
        bands = len(front.filters) // 2 ** len(channels)
        if not bands:
            raise ValueError(
                f"n_mels is {len(front.filters)}: {len(channels)} poolings need at least {2 ** len(channels)}"
            )
        self.front = front
        self.augment = augment
        layers: list[nn.Module] = []
        for inputs, outputs in zip((1, *channels), channels, strict=False):
            layers += [nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)  # (B, channels[-1], bands, frames / 2^n)
        self.pool_pitch = pool_pitch
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(channels[-1] * (1 if pool_pitch else bands), num_classes)

    def forward(self, x: Tensor) -> Tensor:
        sound = self.front(x).to(self.head.weight.dtype)  # decibels need single precision, the network may have less
        maps = self.features(self.augment(sound))
        pooled = maps.mean((2, 3) if self.pool_pitch else 3).flatten(1)
        return self.head(self.dropout(pooled))


def mel_cnn(
    num_classes: int = 10,
    num_samples: int = 8000,
    sample_rate: int = 8000,
    n_fft: int = 256,
    hop: int = 80,
    n_mels: int = 40,
    num_masks: int = 2,
    most_mels: int = 8,
    most_frames: int = 20,
    channels: Sequence[int] = (16, 32, 64),
    dropout: float = 0.0,
    pool_pitch: bool = False,
) -> MelCNN:
    """A ``MelCNN`` for sounds (B, num_samples).

    Args:
        num_classes: Number of classes.
        num_samples: Length of the sounds.
        sample_rate: In Hz.
        n_fft, hop, n_mels: See ``LogMel``.
        num_masks, most_mels, most_frames: See ``SpecAugment``; no masks turn it off.
        channels, dropout, pool_pitch: See ``MelCNN``.

    Raises:
        UserError: The sounds are too short; the error names the least length.
    """
    least = max(n_fft // 2 + 1, hop * (2 ** len(channels) - 1))  # to mirror at the ends; for the poolings
    if num_samples < least:
        raise UserError(f"num_samples is {num_samples}: n_fft {n_fft} and hop {hop} need at least {least}")
    front, augment = LogMel(sample_rate, n_fft, hop, n_mels), SpecAugment(num_masks, most_mels, most_frames)
    return MelCNN(num_classes, front, augment, tuple(channels), dropout, pool_pitch)


@trains(mel_cnn)
class LitMelCNN(Classifier):
    """``MelCNN`` trained as a classifier of sounds x (B, num_samples), or of windows of sounds, (B, W, num_samples)."""

    def forward(self, *inputs: Tensor) -> Tensor:
        return mean_over_windows(self.net, *inputs)
