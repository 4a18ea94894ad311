"""Fast style transfer: a network learns one style, and then gives it to any picture in one pass.

Johnson, Alahi and Fei-Fei 2016, "Perceptual Losses for Real-Time Style Transfer and Super-Resolution"; Ulyanov et al.
2016, "Instance Normalization". D2L 14.12, beyond the book.
The losses are those of ``lit_models/vision/style.py``, on the features of VGG-19, which is fixed; what is trained is
not a picture but the network that makes it. Departs from the paper: instance normalization in place of batch
normalization, as in its authors' later code; maps are enlarged by repeating cells before a convolution, not by a
transposed one, whose overlaps show as checks (Odena et al. 2016); VGG-19 as in Gatys, not VGG-16.

    dive fit vision/fast_style                    photographs and stripes, offline, random filters
    dive fit vision/fast_style --data.style painting.jpg --model.weights vgg19.pth --data.image_size 256
    dive predict vision/fast_style --data ImageFolder --data.root photos/        stylized/

A test also asks a classifier of textures, trained apart from all this, what it sees. The numbers are in RESULTS.md.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchmetrics import MeanMetric

from common.messages import UserError, note
from lit_models.layers.precision import at_least_float32
from lit_models.layers.pretrained import normalize
from lit_models.layers.sizes import refuse_small_image
from lit_models.tasks.task import Task
from lit_models.tasks.trains import trains
from lit_models.vision.style import LAYERS, STYLE, features_of, gram, roughness, vgg_features

JUDGE_RATE, JUDGE_BATCH, JUDGE_EPOCHS = 0.01, 32, 10  # of AdamW, for the classifier of textures


class InstanceNorm(nn.Module):
    """Each channel of each picture has mean 0 and deviation 1, then a learned gain and shift: contrast is not style.

    (B, C, H, W) -> (B, C, H, W).

    Args:
        channels: C.
        eps: Added to the variance.
    """

    def __init__(self, channels: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.weight, self.bias, self.eps = nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels)), eps

    def forward(self, x: Tensor) -> Tensor:
        mean = x.mean((2, 3), keepdim=True)
        variance = (x - mean).square().mean((2, 3), keepdim=True)
        return (x - mean) / (variance + self.eps).sqrt() * self.weight.view(-1, 1, 1) + self.bias.view(-1, 1, 1)


def convolution(in_channels: int, channels: int, size: int, stride: int = 1) -> nn.Sequential:
    """A convolution whose border is the mirrored picture: zeros would be a frame. A normalization follows."""
    return nn.Sequential(
        nn.Conv2d(in_channels, channels, size, stride, padding=size // 2, padding_mode="reflect", bias=False),
        InstanceNorm(channels),
    )


class Residual(nn.Module):
    """Two 3 x 3 convolutions whose result is added; no ReLU follows. (B, C, H, W) -> (B, C, H, W).

    Args:
        channels: C.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first, self.second = convolution(channels, channels, 3), convolution(channels, channels, 3)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(F.relu(self.first(x)))


class FastStyleNet(nn.Module):
    """The network that makes pictures, and the VGG-19 that judges them. (B, 3, S, S) in [0, 1] -> the same.

    Args:
        image_size: Height and width S of the pictures of training, at least 32.
        width: Channels of the first layer; the paper's is 32. Two more have twice and four times as many.
        blocks: Residual blocks at a quarter of the size; the paper's are 5.
        vgg_width: Channels of VGG-19's first block; the paper's is 64. Without ``weights`` the filters are random.
    """

    kind = "VGG-19"
    #: The sizes of torchvision's weights.
    PUBLISHED = {"vgg_width": 64}
    gathered_at_once, forward_methods = True, ("seen",)

    def __init__(self, image_size: int = 256, width: int = 32, blocks: int = 5, vgg_width: int = 64) -> None:
        super().__init__()
        refuse_small_image("VGG-19", image_size, 32)
        self.features = vgg_features(vgg_width)
        self.down = nn.ModuleList(
            [convolution(3, width, 9), convolution(width, 2 * width, 3, 2), convolution(2 * width, 4 * width, 3, 2)]
        )
        self.blocks = nn.Sequential(*(Residual(4 * width) for _ in range(blocks)))
        self.up = nn.ModuleList([convolution(4 * width, 2 * width, 3), convolution(2 * width, width, 3)])
        self.last = nn.Conv2d(width, 3, 9, padding=4, padding_mode="reflect")

    def forward(self, x: Tensor) -> Tensor:
        size = x.shape[-2:]
        h = 2 * x - 1
        for layer in self.down:
            h = F.relu(layer(h))
        h = self.blocks(h)
        for layer in self.up:
            h = F.relu(layer(F.interpolate(h, scale_factor=2.0)))
        return (self.last(h)[..., : size[0], : size[1]].tanh() + 1) / 2

    def seen(self, x: Tensor) -> tuple[Tensor, ...]:
        """The features of six layers of VGG-19 (``StyleNet``) for pictures (B, 3, S, S) in [0, 1]."""
        return tuple(at_least_float32(part) for part in features_of(self.features, normalize(x)))

    def from_published(self, found: dict[str, Tensor]) -> dict[str, Tensor]:
        """A file's layers up to the last that is looked at, and this network's own."""
        own = self.state_dict()
        return {name: found[name] if name.startswith("features.") else value for name, value in own.items()}


def style_difference(found: tuple[Tensor, ...], wanted: tuple[Tensor, ...]) -> Tensor:
    """The mean squared difference (B,) of the Gram matrices of pictures and of one style, summed over five layers."""
    places = [LAYERS.index(layer) for layer in STYLE]
    return torch.stack([(gram(found[k]) - gram(wanted[k])).square().mean((1, 2)) for k in places]).sum(0)


@trains(FastStyleNet)
class LitFastStyle(Task):
    """A network trained by the losses of content, style and roughness of what it makes.

    Batch: ``(content, style)``, each (B, 3, S, S) in [0, 1]; all rows of ``style`` are the same picture.
    Logs ``train/loss``, ``val/loss``, ``test/content_loss``, ``test/style_loss``, ``test/style_drop`` (how many times
    smaller the style loss is than that of the content pictures), and, where the data has examples of textures
    (``source``) of which the style is one (``style_class``), ``test/named`` and ``test/content_named``: the fraction of
    the pictures made, and of the content pictures, that a classifier of textures calls by the style's name.

    Args:
        image_size: Height and width of the pictures in pixels.
        content_weight, style_weight, smoothness: Weights of the losses of content, style and roughness.
        **task: See ``Task``.
    """

    output_means = "The pictures in the style, (B, 3, S, S) in [0, 1]."

    def __init__(
        self,
        image_size: int = 256,
        content_weight: float = 1.0,
        style_weight: float = 1e4,
        smoothness: float = 1.0,
        **task: Any,
    ) -> None:
        super().__init__(**task)
        for name, value in (("content", content_weight), ("style", style_weight)):
            if value < 0:
                raise UserError(f"model.{name}_weight is {value}: give a number of at least 0")
        self.content_weight, self.style_weight, self.smoothness = content_weight, style_weight, smoothness
        self.example_input = torch.zeros(1, 3, image_size, image_size)
        self.judge: list[nn.Module] = []  # in a list: it is no part of the model
        names = ("val_loss", "test_content", "test_style", "test_start", "test_named", "test_content_named")
        self.val_loss, self.test_content, self.test_style, self.test_start, self.test_named, self.test_content_named = (
            MeanMetric() for _ in names
        )

    def losses(self, batch: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The total of a batch, its content and its style losses (B,), and the pictures that were made."""
        net: Any = self.net
        content, style = batch
        made = self(content)
        with torch.no_grad():
            shown, wanted = net.seen(content), net.seen(style[:1])
        found = net.seen(made)
        place = LAYERS.index(25)
        of_content = (found[place] - shown[place]).square().flatten(1).mean(1)
        of_style = style_difference(found, wanted)
        total = self.content_weight * of_content.mean() + self.style_weight * of_style.mean()
        return total + self.smoothness * roughness(normalize(made)), of_content, of_style, made

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        loss = self.losses(batch)[0]
        self.record_train_loss(loss, len(batch[0]))
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        self.val_loss.update(self.losses(batch)[0], len(batch[0]))

    def on_validation_epoch_end(self) -> None:
        self.log("val/loss", self.val_loss)

    def on_test_start(self) -> None:
        super().on_test_start()
        source = self.data_attribute("source")
        named = source is not None and self.data_attribute("style_class") is not None
        self.judge = []
        if named:
            images, labels = source()
            self.judge = [texture_judge(images, labels, self.device)]

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> dict[str, Tensor]:
        net: Any = self.net
        _, of_content, of_style, made = self.losses(batch)
        self.test_content.update(of_content)
        self.test_style.update(of_style)
        self.test_start.update(style_difference(net.seen(batch[0]), net.seen(batch[1][:1])))
        if self.judge:
            wanted = self.data_attribute("style_class")
            for metric, x in ((self.test_named, made), (self.test_content_named, batch[0])):
                metric.update((self.judge[0](x.float()).argmax(1) == wanted).float())
        return {"picture": made}

    def on_test_epoch_end(self) -> None:
        self.log("test/content_loss", self.test_content)
        self.log("test/style_loss", self.test_style)
        drop = self.test_start.compute() / self.test_style.compute().clamp(min=1e-12)
        self.log("test/style_drop", drop, sync_dist=True)  # equal on all ranks already
        if self.judge:
            self.log("test/named", self.test_named)
            self.log("test/content_named", self.test_content_named)

    def predict_step(self, batch: Any, batch_idx: int) -> list[Tensor]:
        """The pictures (3, S, S) in [0, 1] of a batch ``content`` or ``(content, ...)``."""
        return list(self(batch if isinstance(batch, Tensor) else batch[0]))


def texture_judge(images: Tensor, labels: Tensor, device: torch.device) -> nn.Module:
    """A small classifier of textures, trained from a fixed seed on examples that the style network never sees.

    Args:
        images: (N, 3, S, S) uint8.
        labels: Classes (N,).
        device: Where it is trained and used.
    """
    classes, layers, channels = int(labels.max()) + 1, [], 3
    with torch.random.fork_rng(), torch.enable_grad(), torch.inference_mode(False):
        torch.manual_seed(0)
        for width in (16, 32, 32):
            layers += [nn.Conv2d(channels, width, 5, 2, 2), nn.BatchNorm2d(width), nn.ReLU()]
            channels = width
        net = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes)).to(device)
        optimizer = torch.optim.AdamW(net.parameters(), lr=JUDGE_RATE, weight_decay=0.01)
        steps = JUDGE_EPOCHS * -(-len(images) // JUDGE_BATCH)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, JUDGE_RATE, total_steps=steps)
        right = 0
        for _ in range(JUDGE_EPOCHS):
            right = 0
            for rows in torch.randperm(len(images)).split(JUDGE_BATCH):
                x, y = (images[rows] / 255).to(device), labels[rows].to(device)
                logits = net(x)
                optimizer.zero_grad()
                F.cross_entropy(logits, y).backward()
                optimizer.step()
                schedule.step()
                right += int((logits.argmax(1) == y).sum())
    note(f"textures: {JUDGE_EPOCHS} epochs on {classes} classes, {right / len(images):.3f} right")
    return net.eval()
