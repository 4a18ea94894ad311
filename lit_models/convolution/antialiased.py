"""A network whose output changes little when its image moves by a pixel: it blurs before each stride.

Zhang 2019, "Making convolutional networks shift-invariant again"; according to Goodfellow et al. 9.3, pooling makes a
representation invariant to small translations; with a stride of two this holds for half of them only.
Departs from the paper: a small network for small images, batch normalization, no padding of the data by its crops.

    dive fit convolution/antialiased                         test/shift_change with blurred pooling
    dive fit convolution/antialiased --model.pooling max     and with plain max pooling

The numbers they reach are in RESULTS.md.
"""

from typing import Any, Literal

from torch import Tensor, nn
from torchmetrics import MeanMetric

from lit_models.convolution.pooling import MaxBlurPool2d
from lit_models.tasks.image_classifier import ImageClassifier
from lit_models.tasks.trains import trains

SHIFTS = ((1, 0), (0, 1), (1, 1))  # pixels down and to the right


class AntialiasedNet(nn.Module):
    """Three convolutions with two poolings between them, then the mean of each map. (B, in_channels, S, S) -> logits.

    Args:
        in_channels, num_classes: As of the data.
        pooling: ``blur`` is ``MaxBlurPool2d``, ``max`` is ``nn.MaxPool2d``, both 2 x 2 with stride 2.
        blur_size: Side of the blurring kernel.
        width: Maps of the first layer, doubled by each one after it.
    """

    def __init__(
        self,
        in_channels: int = 1,
        num_classes: int = 10,
        pooling: Literal["blur", "max"] = "blur",
        blur_size: int = 3,
        width: int = 16,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for k, channels in enumerate((in_channels, width, 2 * width)):
            outputs = width * 2**k
            layers += [nn.Conv2d(channels, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
            if k < 2:
                layers.append(MaxBlurPool2d(blur_size) if pooling == "blur" else nn.MaxPool2d(2))  # (B, C, S/2, S/2)
        self.features = nn.Sequential(*layers)  # (B, 4 width, S/4, S/4)
        self.head = nn.Linear(4 * width, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x).mean((2, 3)))


@trains(AntialiasedNet)
class LitAntialiased(ImageClassifier):
    """``AntialiasedNet`` trained as a classifier, tested on images and on the same images moved by one pixel.

    Logs besides the classifier's metrics ``test/shift_change``, the root mean square change of the logits as a fraction
    of their root mean square, and ``test/consistency``, the fraction of predictions that stay, over three shifts.
    """

    def __init__(self, **task: Any) -> None:
        super().__init__(**task)
        self.test_change, self.test_size, self.test_same = MeanMetric(), MeanMetric(), MeanMetric()

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> dict[str, Tensor]:
        outputs = super().test_step(batch, batch_idx)
        logits = outputs["logits"]
        self.test_size.update(logits.square().mean(1))
        for shift in SHIFTS:
            moved = self(batch[0].roll(shift, (2, 3))).float()
            self.test_change.update((moved - logits).square().mean(1))
            self.test_same.update((moved.argmax(1) == logits.argmax(1)).float())
        return outputs

    def on_test_epoch_end(self) -> None:
        super().on_test_epoch_end()
        self.log("test/shift_change", (self.test_change.compute() / self.test_size.compute()).sqrt())
        self.log("test/consistency", self.test_same)
