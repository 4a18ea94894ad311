"""Classification of images, by a network that may begin with published weights.

Batch: as ``Classifier``, x (B, C, H, W).
This class is one level deeper than other tasks, so that tables, sounds and texts do not depend on images.
"""

from typing import Any

from torch import Tensor, nn

from lit_models.layers.pretrained import normalize
from lit_models.tasks.classifier import Classifier


class ImageClassifier(Classifier):
    """A ``Classifier`` of images. With published ``weights`` x in [0, 1] is normalized as ImageNet is.

    Args:
        num_classes: Number of classes.
        in_channels: Channels of the image: 1 for gray, 3 for color.
        image_size: Height and width S of the image in pixels.
        freeze_features: Only the head is trained. The layers before it keep their initial or loaded weights and stay
            in evaluation mode: otherwise the running statistics of batch normalization would change even without
            gradients (as in D2L 14.14), and the layers would differ from those that were loaded.
        **task: See ``Classifier``.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int = 3,
        image_size: int = 224,
        freeze_features: bool = False,
        **task: Any,
    ) -> None:
        super().__init__(num_classes=num_classes, **task)
        self.freeze_features = freeze_features
        if freeze_features:
            for layer in feature_layers(self.net):
                layer.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> "ImageClassifier":
        """Training or evaluation mode; frozen layers stay in evaluation mode."""
        super().train(mode)
        if self.freeze_features:
            for layer in feature_layers(self.net):
                layer.eval()
        return self

    def normalized(self, x: Tensor) -> Tensor:
        """Images as the network takes them: normalized as its published weights need it, if it started from such."""
        return normalize(x) if self.weights_from == "published" else x

    def forward(self, *inputs: Tensor) -> Any:
        return self.net(*(self.normalized(x) for x in inputs))


def feature_layers(net: nn.Module) -> list[nn.Module]:
    """The layers before a network's head: ``feature_layers()`` if it has that method, else ``features``, else
    all children except those that ``HEADS`` names.
    """
    if hasattr(net, "feature_layers"):
        return [net.feature_layers()]  # type: ignore[operator]
    if isinstance(getattr(net, "features", None), nn.Module):
        return [net.features]  # type: ignore[list-item]
    heads = {name.partition(".")[0] for name in getattr(net, "HEADS", ("fc",))}
    return [child for name, child in net.named_children() if name not in heads]
