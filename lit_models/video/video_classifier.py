"""Classification of videos, whose prediction is the mean over several clips of a video.

Batch: ``(x, y)``, x (B, C, T, H, W): T frames, which the networks here take after the channels (BCTHW). Where a video
is seen through K clips, x is (B, K, C, T, H, W).
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from lit_models.tasks.classifier import Classifier
from lit_models.tasks.image_classifier import freeze

Colors = tuple[tuple[float, float, float], tuple[float, float, float]]
#: Means and standard deviations of red, green and blue in [0, 1] that published weights were trained with.
KINETICS: Colors = ((0.43216, 0.394666, 0.37645), (0.22803, 0.22145, 0.216989))  # torchvision's
IMAGENET: Colors = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def normalize(x: Tensor, means: Sequence[float], deviations: Sequence[float]) -> Tensor:
    """Clips (B, 3 or 1, T, H, W) in [0, 1] as published weights take them; gray by the means over the colors."""
    mean, std = x.new_tensor(means).view(3, 1, 1, 1), x.new_tensor(deviations).view(3, 1, 1, 1)
    return (x - mean) / std if x.shape[1] == 3 else (x - mean.mean()) / std.mean()


class VideoClassifier(Classifier):
    """A ``Classifier`` of videos. With published ``weights`` x in [0, 1] is normalized by ``colors``.

    Args:
        num_classes: Number of classes.
        in_channels: Channels of a frame.
        num_frames: Frames T of a clip.
        image_size: Height and width of a frame in pixels.
        freeze_features: Only the head is trained; the layers before it stay in evaluation mode.
        **task: See ``Classifier``.

    Raises:
        UserError: ``freeze_features`` freezes nothing or leaves nothing to train.
    """

    colors: Colors = KINETICS

    def __init__(
        self,
        num_classes: int,
        in_channels: int = 3,
        num_frames: int = 16,
        image_size: int = 112,
        freeze_features: bool = False,
        **task: Any,
    ) -> None:
        super().__init__(num_classes=num_classes, **task)
        self.example_input = torch.zeros(1, in_channels, num_frames, image_size, image_size)
        self.frozen = freeze(self.net) if freeze_features else []

    def train(self, mode: bool = True) -> "VideoClassifier":
        """Training or evaluation mode; frozen layers stay in evaluation mode."""
        super().train(mode)
        for layer in self.frozen:
            layer.eval()
        return self

    def clip_logits(self, x: Tensor) -> Tensor:
        """Logits (B, num_classes) of single clips (B, C, T, H, W)."""
        return self.net(normalize(x, *self.colors) if self.weights_from == "published" else x)

    def forward(self, *inputs: Tensor) -> Any:
        """Logits (B, num_classes); of K clips each, the logarithm of their mean probabilities."""
        (x,) = inputs
        return self.clip_logits(x) if x.ndim == 5 else mean_of_clips(self.each_clip(x))

    def each_clip(self, x: Tensor) -> Tensor:
        """Logits (B, K, num_classes) of the clips of videos (B, K, C, T, H, W)."""
        return self.clip_logits(x.flatten(0, 1)).unflatten(0, x.shape[:2])

    def predict_step(self, batch: Any, batch_idx: int) -> dict[str, Tensor]:
        """Returns ``label`` (B,), ``probabilities`` (B, num_classes) and, of several clips, ``clips`` (B, K,
        num_classes), the probabilities of each.
        """
        x = batch if isinstance(batch, Tensor) else batch[0]
        if x.ndim == 5:
            return super().predict_step(x, batch_idx)
        clips = self.each_clip(x).float().softmax(2)
        probabilities = clips.mean(1)
        return {"label": probabilities.argmax(1), "probabilities": probabilities, "clips": clips}


def mean_of_clips(logits: Tensor) -> Tensor:
    """The logarithm of the mean over clips of the probabilities: (B, K, num_classes) -> (B, num_classes)."""
    return logits.float().log_softmax(2).logsumexp(1) - math.log(logits.shape[1])
