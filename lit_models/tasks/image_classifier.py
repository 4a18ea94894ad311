"""Classification of images, by a network that may begin with published weights.

Batch: as ``Classifier``, x (B, C, H, W).
This class is one level deeper than other tasks, so that tables, sounds and texts do not depend on images.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from common.messages import UserError
from lit_models.layers.pretrained import normalize
from lit_models.tasks.classifier import Classifier


class ImageClassifier(Classifier):
    """A ``Classifier`` of images. With published ``weights`` x in [0, 1] is normalized as ImageNet is.

    Args:
        num_classes: Number of classes.
        in_channels: Channels of the image: 1 for gray, 3 for color.
        image_size: Height and width S of the image in pixels.
        freeze_features: Only the head is trained. All else keeps its initial or loaded weights, and the layers stay in
            evaluation mode: otherwise the running statistics of batch normalization would change even without
            gradients (as in D2L 14.14), and the layers would differ from those that were loaded.
        views: Of each image in tests and predictions, whose probabilities are averaged: 1 is the image itself, 2 adds
            its mirror image, 4 to 10 also both of them moved by an eighth of the side, in up to four directions.
        **task: See ``Classifier``.

    Raises:
        UserError: ``views`` is another number, or ``freeze_features`` freezes nothing or leaves nothing to train.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int = 3,
        image_size: int = 224,
        freeze_features: bool = False,
        views: int = 1,
        **task: Any,
    ) -> None:
        super().__init__(num_classes=num_classes, **task)
        if views not in (1, 2, 4, 6, 8, 10):
            raise UserError(f"model.views is {views}: give 1, 2, 4, 6, 8 or 10")
        self.views = views
        self.freeze_features = freeze_features
        if freeze_features:
            freeze(self.net)

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

    def averaged(self, x: Tensor) -> Tensor:
        """The mean probabilities (B, num_classes) of the views of images."""
        return torch.stack([self(view).float().softmax(1) for view in views_of(x, self.views)]).mean(0)

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> dict[str, Tensor]:
        if self.views == 1:
            return super().test_step(batch, batch_idx)
        x, y = batch
        logits = self.averaged(x).clamp(min=torch.finfo(torch.float32).tiny).log()  # whose softmax is the mean
        self.test_loss.update(F.cross_entropy(logits, y), len(x))
        self.test_acc.update(logits, y if y.ndim == 1 else y.argmax(1))
        return {"logits": logits}

    def predict_step(self, batch: Any, batch_idx: int) -> dict[str, Tensor]:
        if self.views == 1:
            return super().predict_step(batch, batch_idx)
        probabilities = self.averaged(batch if isinstance(batch, Tensor) else batch[0])
        return {"label": probabilities.argmax(1), "probabilities": probabilities}


def views_of(x: Tensor, count: int) -> list[Tensor]:
    """Images (B, C, H, W) and ``count`` - 1 changed copies: mirrored, and moved, with the edge's pixels behind them."""
    rows, columns = x.shape[-2] // 8, x.shape[-1] // 8
    padded = F.pad(x, (columns, columns, rows, rows), mode="replicate")
    places = [(rows, columns), (0, 0), (2 * rows, 2 * columns), (0, 2 * columns), (2 * rows, 0)]
    moved = [padded[..., top : top + x.shape[-2], left : left + x.shape[-1]] for top, left in places]
    return [view for part in moved for view in (part, part.flip(-1))][:count]


def feature_layers(net: nn.Module) -> list[nn.Module]:
    """The layers before a network's head: ``feature_layers()`` if it has that method, else ``features``, else
    all children except those that ``HEADS`` names whole (``classifier``, not ``classifier.6``).
    """
    if hasattr(net, "feature_layers"):
        return [net.feature_layers()]  # type: ignore[operator]
    if isinstance(getattr(net, "features", None), nn.Module):
        return [net.features]  # type: ignore[list-item]
    return [child for name, child in net.named_children() if name not in heads_of(net)]


def heads_of(net: nn.Module) -> tuple[str, ...]:
    """The names of a network's layers that depend on the number of classes."""
    return getattr(net, "HEADS", ("fc",))


def freeze(net: nn.Module) -> list[nn.Module]:
    """Freezes a network's own parameters (a class token) and the layers before its head, which are put in evaluation
    mode and returned.

    Raises:
        UserError: There are none, or nothing else to train.
    """
    layers = feature_layers(net)
    own = [p for name, p in net.named_parameters(recurse=False) if name not in heads_of(net)]
    if not layers and not own:
        raise UserError(
            f"model.freeze_features finds nothing of {type(net).__name__} to freeze: it has no layers before its head; "
            "leave it out"
        )
    for layer in layers:
        layer.requires_grad_(False).eval()
    for parameter in own:
        parameter.requires_grad_(False)
    if not any(p.requires_grad for p in net.parameters()):
        raise UserError(
            f"model.freeze_features leaves nothing of {type(net).__name__} to train: it has no head apart from its "
            "features; leave it out"
        )
    return layers
