"""Style transfer: a picture is changed until a network sees one picture's content and another's style in it.

Gatys, Ecker and Bethge 2016, "Image Style Transfer Using Convolutional Neural Networks". D2L 14.12.
Nothing is trained but the picture: its pixels are the only parameters. The network is VGG-19 up to ``conv5_1``.
Departs from the book: torchvision's ReLUs work in place, so that the features that the book collects of a convolution
are those after its ReLU, except in the last layer; here they are those before, in all layers. Pixels are kept in [0, 1]
after each step; the book cuts them off only to show them, so that the picture it shows is not the one of its losses.

    dive fit vision/style                                       two photographs, offline, random filters
    dive fit vision/style --data.content house.jpg --data.style painting.jpg --data.image_size 256 \
        --model.weights vgg19.pth                               your pictures, with ImageNet's filters
    dive fit vision/style --model.optimizer LBFGS --model.optimizer.lr 0.5 --trainer.max_steps 40

The numbers they reach are in RESULTS.md.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchmetrics import MeanMetric

from common.messages import UserError
from lit_models.cnn.vgg import LEAST, VGG
from lit_models.layers.precision import at_least_float32, full_precision
from lit_models.layers.pretrained import MEAN, STD, normalize
from lit_models.layers.sizes import refuse_small_image
from lit_models.tasks.task import Task
from lit_models.tasks.trains import trains

STYLE, CONTENT = (0, 5, 10, 19, 28), 25  # layers of VGG-19: conv1_1, conv2_1, ... conv5_1; conv4_2
LAYERS = (*STYLE[:-1], CONTENT, STYLE[-1])  # in the order of the network


def vgg_features(width: int) -> nn.Sequential:
    """VGG-19's layers up to conv5_1, fixed."""
    features = VGG(depth=19, width=width, pool_size=1, hidden_size=1).features[: LAYERS[-1] + 1]
    for layer in features:
        if isinstance(layer, nn.ReLU):
            layer.inplace = False  # it would overwrite the features that were taken
    return features.requires_grad_(False)


def features_of(features: nn.Sequential, x: Tensor) -> tuple[Tensor, ...]:
    """The outputs of the layers of ``LAYERS`` for normalized pictures (B, 3, S, S)."""
    found = []
    for k, layer in enumerate(features):
        x = layer(x)
        if k in LAYERS:
            found.append(x)
    return tuple(found)


class StyleNet(nn.Module):
    """VGG-19's convolutions, fixed, and a picture that is learned. (B, 3, S, S), normalized -> the features of six
    layers, each (B, C, H, W): conv1_1, conv2_1, conv3_1, conv4_1, conv4_2, conv5_1.

    Args:
        image_size: Height and width S of the picture in pixels, at least 32.
        width: Channels of the first block; the paper's is 64. Without ``weights`` the filters are random.
    """

    kind = "VGG-19"
    #: The sizes of torchvision's weights.
    PUBLISHED = {"width": 64}

    def __init__(self, image_size: int = 64, width: int = 64) -> None:
        super().__init__()
        refuse_small_image("VGG-19", image_size, LEAST)
        self.features = vgg_features(width)
        self.image = nn.Parameter(torch.zeros(1, 3, image_size, image_size))  # normalized

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return features_of(self.features, x)

    def from_published(self, found: dict[str, Tensor]) -> dict[str, Tensor]:
        """A file's layers up to the last that is looked at, and this network's picture."""
        return {name: self.image.detach() if name == "image" else found[name] for name in self.state_dict()}

    def picture(self) -> Tensor:
        """The picture (1, 3, S, S) in [0, 1]."""
        mean, std = (self.image.new_tensor(part).view(3, 1, 1) for part in (MEAN, STD))
        return (self.image.detach() * std + mean).clamp(0, 1)

    @torch.no_grad()
    def show(self, picture: Tensor) -> None:
        """Makes a picture (1, 3, S, S) in [0, 1] the learned one."""
        self.image.copy_(normalize(picture))

    @torch.no_grad()
    def cut_off(self) -> None:
        """Brings pixels that cannot be shown back into [0, 1]."""
        black, white = (normalize(self.image.new_full((1, 3, 1, 1), value)) for value in (0.0, 1.0))
        self.image.copy_(self.image.clamp(black, white))


def gram(features: Tensor) -> Tensor:
    """Which channels are active together, wherever: (B, C, H, W) -> (B, C, C), divided by C H W.

    Computed in single precision: in half precision the sums over H W pixels overflow, or keep three digits.
    """
    with full_precision(features):
        flat = at_least_float32(features).flatten(2)
        return flat @ flat.mT / flat[0].numel()


def content_loss(found: tuple[Tensor, ...], wanted: tuple[Tensor, ...]) -> Tensor:
    """The mean squared difference of the features of conv4_2."""
    place = LAYERS.index(CONTENT)
    return F.mse_loss(found[place], wanted[place])


def style_loss(found: tuple[Tensor, ...], wanted: tuple[Tensor, ...]) -> Tensor:
    """The mean squared difference of the Gram matrices, summed over the five layers of the style."""
    places = [LAYERS.index(layer) for layer in STYLE]
    return torch.stack([F.mse_loss(gram(found[k]), gram(wanted[k])) for k in places]).sum()


def roughness(image: Tensor) -> Tensor:
    """Half the mean absolute differences of neighbors: the book's total variation."""
    return 0.5 * ((image[..., 1:, :] - image[..., :-1, :]).abs().mean() + image.diff(dim=-1).abs().mean())


@trains(StyleNet)
class LitStyle(Task):
    """A picture that is trained by the three losses of the book.

    Batch: ``(content, style)``, each (B, 3, S, S) in [0, 1]; all rows are the same two pictures.
    Logs ``train/loss``, ``val/loss``, ``test/content_loss``, ``test/style_loss`` and ``test/style_drop``: how many
    times smaller the style loss is than that of the content picture, with which the training begins.

    Args:
        image_size: Height and width S of the picture in pixels.
        content_weight, style_weight, smoothness: Weights of the losses of content, style and roughness; the book's are
            1, 10,000 and 10.
        **task: See ``Task``.
    """

    output_means = "Features of conv1_1, conv2_1, conv3_1, conv4_1, conv4_2 and conv5_1, each (B, C, H, W)."

    def __init__(
        self,
        image_size: int = 64,
        content_weight: float = 1.0,
        style_weight: float = 1e4,
        smoothness: float = 10.0,
        **task: Any,
    ) -> None:
        super().__init__(**task)
        for name, value in (("content", content_weight), ("style", style_weight)):
            if value < 0:
                raise UserError(f"model.{name}_weight is {value}: give a number of at least 0")
        self.content_weight, self.style_weight, self.smoothness = content_weight, style_weight, smoothness
        self.begins = True  # with the content picture, unless a checkpoint was loaded
        self.wanted: tuple[tuple[Tensor, ...], tuple[Tensor, ...]] | None = None  # features of content and style
        self.val_loss, self.test_content, self.test_style, self.test_start = (MeanMetric() for _ in range(4))
        self.example_input = torch.zeros(1, 3, image_size, image_size)

    def features(self, x: Tensor) -> tuple[Tensor, ...]:
        return tuple(at_least_float32(part) for part in self(x))

    def targets(self, batch: tuple[Tensor, Tensor]) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """The features of the content and of the style, which stay the same for the whole run."""
        if self.wanted is None:
            with torch.no_grad():
                content, style = (self.features(normalize(x[:1])) for x in batch)
                self.wanted = content, style
        return self.wanted

    def total(self, image: Tensor, batch: tuple[Tensor, Tensor]) -> Tensor:
        """The weighted loss of a normalized picture (1, 3, S, S)."""
        found, (content, style) = self.features(image), self.targets(batch)
        loss = self.content_weight * content_loss(found, content) + self.style_weight * style_loss(found, style)
        return loss + self.smoothness * roughness(image)

    def on_fit_start(self) -> None:
        super().on_fit_start()
        self.wanted = None

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_load_checkpoint(checkpoint)
        self.begins = False

    def on_train_batch_start(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """A run begins with the content picture."""
        if self.begins:
            self.begins = False
            net: Any = self.net
            net.show(batch[0][:1])

    def on_train_batch_end(self, *_: Any) -> None:
        net: Any = self.net
        net.cut_off()

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        net: Any = self.net
        loss = self.total(net.image, batch)
        self.record_train_loss(loss, 1)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        net: Any = self.net
        self.val_loss.update(self.total(net.image, batch))

    def on_validation_epoch_end(self) -> None:
        self.log("val/loss", self.val_loss)

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> dict[str, Tensor]:
        net: Any = self.net
        picture = net.picture()
        found, (content, style) = self.features(normalize(picture)), self.targets(batch)
        self.test_content.update(content_loss(found, content))
        self.test_style.update(style_loss(found, style))
        self.test_start.update(style_loss(content, style))
        return {"picture": picture.expand(len(batch[0]), -1, -1, -1)}

    def on_test_start(self) -> None:
        super().on_test_start()
        self.wanted = None

    on_predict_start = on_test_start

    def on_test_epoch_end(self) -> None:
        drop = self.test_start.compute() / self.test_style.compute().clamp(min=1e-12)
        self.log("test/content_loss", self.test_content)
        self.log("test/style_loss", self.test_style)
        self.log("test/style_drop", drop, sync_dist=True)  # equal on all ranks already

    def predict_step(self, batch: Any, batch_idx: int) -> list[Tensor]:
        """The picture (3, S, S) in [0, 1], once for each row of a batch ``content`` or ``(content, ...)``."""
        net: Any = self.net
        return list(net.picture().expand(len(batch if isinstance(batch, Tensor) else batch[0]), -1, -1, -1))
