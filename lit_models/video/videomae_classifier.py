"""A classifier of videos whose encoder a VideoMAE has trained without labels.

Tong et al. 2022, "VideoMAE: masked autoencoders are data-efficient learners for self-supervised video pre-training".
Not in D2L.
The decoder is left out; the classes are read from the mean over all patches. Names of layers are those of transformers'
``VideoMAEForVideoClassification``, whose weights load; so do those of a run of ``video/videomae``.

    dive fit video/videomae_classifier      digits that move, offline, from scratch
    dive fit video/videomae_classifier --model.positions axes --model.weights runs/video/videomae/RUN

The numbers it reaches are in RESULTS.md.
"""

from typing import ClassVar

from torch import Tensor, nn

from lit_models.layers.axis_positions import Positions
from lit_models.tasks.trains import trains
from lit_models.video.video_classifier import IMAGENET, VideoClassifier
from lit_models.video.videomae import Encoder, VideoMAE, initialize


class VideoMAEClassifier(nn.Module):
    """The encoder, the mean over patches, a dense layer. (B, in_channels, T, S, S) -> (B, num_classes) logits.

    Args:
        in_channels, num_classes, num_frames, image_size: Of the clips, T frames of S x S pixels.
        patch_size, tubelet_size: Pixels and frames of a patch.
        hidden_size, num_layers, num_heads, ffn_size: Of the encoder.
        positions: As of ``VideoMAE``.

    Raises:
        UserError: A size is not divisible.
    """

    #: The new head, and the decoder of a VideoMAE, which is not loaded.
    HEADS = ("fc_norm", "classifier", "encoder_to_decoder", "mask_token", "decoder", "videomae.layernorm")

    def __init__(
        self,
        in_channels: int = 3,
        num_classes: int = 400,
        num_frames: int = 16,
        image_size: int = 224,
        patch_size: int = 16,
        tubelet_size: int = 2,
        hidden_size: int = 768,
        num_layers: int = 12,
        num_heads: int = 12,
        ffn_size: int = 3072,
        positions: Positions = "sequence",
    ) -> None:
        super().__init__()
        clips, patch = (in_channels, num_frames, image_size), (patch_size, tubelet_size)
        self.videomae = Encoder(*clips, *patch, hidden_size, num_layers, num_heads, ffn_size, positions)
        self.fc_norm = nn.LayerNorm(hidden_size)
        self.classifier = nn.Linear(hidden_size, num_classes)
        initialize(self, positions)

    rename = staticmethod(VideoMAE.rename)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.fc_norm(self.videomae(x).mean(1)))


@trains(VideoMAEClassifier)
class LitVideoMAEClassifier(VideoClassifier):
    """The classifier trained, from scratch or from a VideoMAE's weights."""

    colors = IMAGENET

    #: Sizes found in a person's files are made multiples of these arguments.
    multiples: ClassVar[dict[str, str]] = {"image_size": "patch_size", "num_frames": "tubelet_size"}
