"""Classification of images, by a network that may begin with published weights.

Batch: as ``Classifier``, x (B, C, H, W).
One level deeper than other tasks: tables, sounds and texts then know nothing of torchvision's files.
"""

from typing import Any

from torch import Tensor

from lit_models.layers.pretrained import load_weights, normalize
from lit_models.tasks.classifier import Classifier


class ImageClassifier(Classifier):
    """A ``Classifier`` whose ``self.net`` has torchvision's parameter names (``lit_models/layers/pretrained.py``).

    Args:
        num_classes: Number of classes.
        weights: A file of a torchvision classifier's weights, or their published name, to start from. x in [0, 1] is
            then normalised as ImageNet is. They are read when a run begins that loads no checkpoint: afterwards the
            file is not needed.
        **task: See ``Classifier``.
    """

    def __init__(self, num_classes: int, weights: str = "", **task: Any) -> None:
        super().__init__(num_classes=num_classes, **task)
        self.weights, self.weights_wanted = weights, bool(weights)

    def forward(self, *inputs: Tensor) -> Any:
        return self.net(*(normalize(x) for x in inputs)) if self.weights else self.net(*inputs)

    def on_fit_start(self) -> None:
        if self.weights_wanted:
            self.weights_wanted = False
            load_weights(self.net, self.weights)

    on_validation_start = on_test_start = on_predict_start = on_fit_start

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_load_checkpoint(checkpoint)
        self.weights_wanted = False
