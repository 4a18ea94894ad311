"""A masked autoencoder: a vision transformer learns from pictures without labels, by filling in what is hidden.

He et al. 2022, "Masked autoencoders are scalable vision learners". Not in D2L; CS25. A fraction of the patches is
hidden: three quarters in the paper, half in the recipe, which has 16 patches. The encoder sees only the others, which
makes it cheap; a small decoder predicts the pixels of the hidden ones and is thrown away. The encoder's layers have
the names of ``attention/vit``, which loads the weights of such a run.
Departs from the paper: positions begin as its sines and are learned; pixels are normalized by patch only with
``norm_pixels``.

    dive fit multimodal/mae            5,000 real MNIST digits without their labels, offline
    dive fit attention/vit --data FewMNIST5k --data.num_train 100 --model.weights runs/multimodal/mae/TIME

The numbers they reach are in RESULTS.md.
"""

from functools import partial
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchmetrics import MeanMetric

from common.messages import UserError
from lit_models.attention.vit import ViT
from lit_models.layers.feed_forward import FeedForward
from lit_models.layers.multi_head import MultiHeadAttention
from lit_models.layers.positions import LearnedPositions, SinusoidalPositions
from lit_models.layers.precision import at_least_float32
from lit_models.layers.transformer_layer import TransformerLayer
from lit_models.multimodal.few_labels import few_rows, fine_tuned
from lit_models.tasks.task import Task
from lit_models.tasks.trains import trains

EPSILON = 1e-6


def place(positions: LearnedPositions, side: int) -> None:
    """Starts the positions of a class token and side^2 patches as the paper's: sines of the row, then of the column.

    Learned ones that begin with 0.02 are so much smaller than the patches that nothing is filled in for long.
    """
    table = SinusoidalPositions(positions.weight.shape[2] // 2, side).table[:side]  # (side, D / 2)
    plane = torch.cat([table.repeat_interleave(side, 0), table.repeat(side, 1)], 1)
    with torch.no_grad():
        positions.weight.copy_(torch.cat([torch.zeros_like(plane[:1]), plane])[None])


class Decoder(nn.Module):
    """Encoded class token and visible patches (B, 1 + V, D), hidden (B, N) -> pixels of all patches (B, N, P).

    Args:
        hidden_size: Features D of the encoder.
        length: Patches N.
        decoder_size, decoder_layers, decoder_heads: Features, depth, heads.
        outputs: Values P of a patch.
    """

    def __init__(
        self, hidden_size: int, length: int, decoder_size: int, decoder_layers: int, decoder_heads: int, outputs: int
    ) -> None:
        super().__init__()
        self.embed = nn.Linear(hidden_size, decoder_size)
        self.mask_token = nn.Parameter(0.02 * torch.randn(1, 1, decoder_size))
        self.positions = LearnedPositions(decoder_size, length + 1)
        self.layers = nn.Sequential()
        for _ in range(decoder_layers):
            attention = MultiHeadAttention(decoder_size, decoder_heads, bias=True)
            feed_forward = FeedForward(decoder_size, 4 * decoder_size, "gelu")
            self.layers.append(TransformerLayer(attention, feed_forward, lambda: nn.LayerNorm(decoder_size, EPSILON)))
        self.norm = nn.LayerNorm(decoder_size, EPSILON)
        self.pixels = nn.Linear(decoder_size, outputs)

    def forward(self, encoded: Tensor, hidden: Tensor) -> Tensor:
        seen = self.embed(encoded)
        patches = self.mask_token.expand(*hidden.shape, -1).to(seen.dtype)
        patches = patches.masked_scatter(~hidden[..., None], seen[:, 1:])
        tokens = self.layers(self.positions(torch.cat([seen[:, :1], patches], 1)))
        return self.pixels(self.norm(tokens[:, 1:]))


class MAE(nn.Module):
    """Images x (B, C, S, S) and which patches are hidden (B, N), equally many in each -> pixels (B, N, P).

    N = (S / patch_size)^2 patches of P = patch_size^2 C values, channels last in a patch.

    Args:
        in_channels, image_size, patch_size: Of the images and patches.
        hidden_size, num_layers, num_heads, ffn_size: Of the encoder, see ``ViT``.
        decoder_size, decoder_layers, decoder_heads: Of the decoder.

    Raises:
        ValueError: The patches do not divide the image.
    """

    HEADS = ("head", "decoder")

    def __init__(
        self,
        in_channels: int = 1,
        image_size: int = 28,
        patch_size: int = 7,
        hidden_size: int = 64,
        num_layers: int = 3,
        num_heads: int = 4,
        ffn_size: int = 128,
        decoder_size: int = 32,
        decoder_layers: int = 1,
        decoder_heads: int = 4,
    ) -> None:
        super().__init__()
        self.patch_size, self.length = patch_size, (image_size // patch_size) ** 2
        self.sizes = (image_size, patch_size, hidden_size, num_layers, num_heads, ffn_size)
        vit = ViT(in_channels, 2, *self.sizes)
        assert vit.positions is not None
        self.patches, self.class_token, self.positions = vit.patches, vit.class_token, vit.positions
        self.layers, self.norm = vit.layers, vit.norm
        decoder = (decoder_size, decoder_layers, decoder_heads)
        self.decoder = Decoder(hidden_size, self.length, *decoder, patch_size**2 * in_channels)
        for positions in (self.positions, self.decoder.positions):
            place(positions, image_size // patch_size)

    def encode(self, x: Tensor, hidden: Tensor | None = None) -> Tensor:
        """Features of the class token and the visible patches (B, 1 + V, D), of all without ``hidden``."""
        patches = self.patches(x).flatten(2).transpose(1, 2)
        tokens = self.positions(torch.cat([self.class_token.expand(x.shape[0], -1, -1), patches], 1))
        if hidden is not None:
            shown = torch.cat([torch.ones_like(hidden[:, :1]), ~hidden], 1)
            tokens = tokens[shown].view(len(x), -1, tokens.shape[2])
        return self.norm(self.layers(tokens))

    def forward(self, x: Tensor, hidden: Tensor) -> Tensor:
        return self.decoder(self.encode(x, hidden), hidden)

    def classifier(self, num_classes: int, pretrained: bool = True) -> ViT:
        """A vision transformer of the encoder's sizes, with its weights or as it is drawn."""
        net = ViT(self.patches.in_channels, num_classes, *self.sizes).to(self.class_token.device)
        if pretrained:
            found = {name: p for name, p in self.state_dict().items() if not name.startswith("decoder.")}
            net.load_state_dict(found, strict=False)  # all but the new head
        return net

    def pixels(self, x: Tensor) -> Tensor:
        """The pixels of each patch (B, N, P)."""
        p = self.patch_size
        return x.unflatten(3, (-1, p)).unflatten(2, (-1, p)).permute(0, 2, 4, 3, 5, 1).flatten(3).flatten(1, 2)

    def pictures(self, pixels: Tensor, channels: int) -> Tensor:
        """The pictures (B, C, S, S) of such patches."""
        side, p = int(self.length**0.5), self.patch_size
        parts = pixels.view(len(pixels), side, side, p, p, channels)
        return parts.permute(0, 5, 1, 3, 2, 4).reshape(len(pixels), channels, side * p, side * p)


def masks(count: int, length: int, fraction: float, generator: torch.Generator) -> Tensor:
    """Hidden patches (count, length): the same number in each, at least one hidden and one visible."""
    hidden = length - min(length - 1, max(1, int(length * (1 - fraction))))
    order = torch.rand(count, length, generator=generator, device=generator.device).argsort(1)
    return order < hidden


def masked_loss(predicted: Tensor, pixels: Tensor, hidden: Tensor, norm_pixels: bool = False) -> Tensor:
    """The mean squared error of the hidden patches.

    Args:
        predicted, pixels: (B, N, P).
        hidden: (B, N).
        norm_pixels: Each patch of the target has mean 0 and variance 1.
    """
    if norm_pixels:
        variance = pixels.var(-1, keepdim=True)
        pixels = (pixels - pixels.mean(-1, keepdim=True)) / (variance + EPSILON).sqrt()
    return F.mse_loss(predicted[hidden], pixels[hidden])


@trains(MAE)
class LitMAE(Task):
    """Trains to fill in what is hidden. Batch: images ``(x, ...)``; classes are looked at for the gain only.

    Logs ``train/loss``, ``val/loss``, ``test/loss``: the squared error of hidden pixels. At the end of a test vision
    transformers are trained on ``few`` labels, from the encoder and from scratch, with the same labels, batches and
    steps: ``test/acc_few``, ``test/acc_scratch``, the mean ``test/gain`` over ``draws`` drawings of the labels, and
    half of its paired interval (95 %, Student's t), ``test/gain_pm``.

    Args:
        mask_fraction: Fraction of the patches that are hidden.
        norm_pixels: The pixels to predict are normalized by patch.
        freeze_encoder: The encoder stays as it was drawn.
        few, draws: Training images with a label, and how often they are drawn; no draws leave this out.
        fine_steps, fine_rate: Steps and largest learning rate of the training on them.
        in_channels, image_size, patch_size: See ``MAE``.
        **task: See ``Task``.
    """

    #: Sizes found in a person's files are made multiples of these arguments.
    multiples: ClassVar[dict[str, str]] = {"image_size": "patch_size"}
    net: MAE
    output_means = "The pixels of each patch, channels last."

    def __init__(
        self,
        mask_fraction: float = 0.75,
        norm_pixels: bool = False,
        freeze_encoder: bool = False,
        few: int = 100,
        draws: int = 4,
        fine_steps: int = 80,
        fine_rate: float = 0.002,
        in_channels: int = 1,
        image_size: int = 28,
        patch_size: int = 7,
        **task: Any,
    ) -> None:
        super().__init__(**task)
        if not 0 < mask_fraction < 1:
            raise UserError(f"model.mask_fraction is {mask_fraction}: give a fraction above 0 and below 1")
        for name, number, least in (("few", few, 1), ("draws", draws, 0), ("fine_steps", fine_steps, 1)):
            if number < least:
                raise UserError(f"model.{name} is {number}: give a whole number of at least {least}")
        self.mask_fraction, self.norm_pixels = mask_fraction, norm_pixels
        self.few, self.draws, self.fine_steps, self.fine_rate = few, draws, fine_steps, fine_rate
        self.val_loss, self.test_loss = MeanMetric(), MeanMetric()
        if freeze_encoder:
            for name, parameter in self.net.named_parameters():
                parameter.requires_grad_(name.startswith("decoder"))
        hidden = masks(1, (image_size // patch_size) ** 2, mask_fraction, torch.Generator().manual_seed(0))
        self.example_input = (torch.zeros(1, in_channels, image_size, image_size), hidden)

    def filled(self, x: Tensor, seed: int) -> tuple[Tensor, Tensor, Tensor]:
        """The loss, the predicted pixels and which patches were hidden."""
        hidden = masks(len(x), self.net.length, self.mask_fraction, torch.Generator(x.device).manual_seed(seed))
        predicted = at_least_float32(self(x, hidden))
        return (
            masked_loss(predicted, self.net.pixels(x).to(predicted.dtype), hidden, self.norm_pixels),
            predicted,
            hidden,
        )

    def training_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> Tensor:
        loss = self.filled(batch[0], int(torch.randint(2**31, ())))[0]
        self.record_train_loss(loss, len(batch[0]))
        return loss

    def validation_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> None:
        self.val_loss.update(self.filled(batch[0], batch_idx)[0], len(batch[0]))

    def test_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> dict[str, Tensor]:
        x = batch[0]
        loss, predicted, hidden = self.filled(x, batch_idx)
        self.test_loss.update(loss, len(x))
        pixels = torch.where(hidden[..., None], predicted, self.net.pixels(x).to(predicted.dtype))
        return {"samples": self.net.pictures(pixels, x.shape[1]).clamp(0, 1)}

    def on_validation_epoch_end(self) -> None:
        self.log("val/loss", self.val_loss, prog_bar=True)

    def on_test_epoch_end(self) -> None:
        self.log("test/loss", self.test_loss)
        for name, value in self.gain().items():
            self.log(f"test/{name}", value, sync_dist=False)

    def gain(self) -> dict[str, float]:
        """What the encoder is worth with few labels; empty without images of a class each."""
        from scipy.stats import t

        splits, transform = self.data_attribute("splits", {}), self.data_attribute("transform")
        if not self.draws or "train" not in splits or len(splits["train"]) != 2 or splits["train"][1].ndim != 1:
            return {}
        found = []
        with torch.inference_mode(False), torch.enable_grad():
            (x, y), test = (tuple(z.to(self.device) for z in transform(splits[n])) for n in ("train", "test"))
            for draw in range(self.draws):
                rows = few_rows(y, self.few, torch.Generator().manual_seed(draw))
                few, settings = (x[rows], y[rows]), (self.fine_steps, self.fine_rate, draw)
                classes = int(y.max()) + 1
                starts = (partial(self.net.classifier, classes, pretrained) for pretrained in (True, False))
                found.append([fine_tuned(start, few, test, *settings) for start in starts])
        right = torch.tensor(found, dtype=torch.float64)
        gain = right[:, 0] - right[:, 1]
        half = float(t.ppf(0.975, len(gain) - 1) * gain.std() / len(gain) ** 0.5) if len(gain) > 1 else 0.0
        names = ("acc_few", "acc_scratch", "gain", "gain_pm")
        return dict(zip(names, (*right.mean(0).tolist(), float(gain.mean()), half), strict=True))

    def predict_step(self, batch: Any, batch_idx: int) -> dict[str, Tensor]:
        """Returns ``error`` (B,), the squared error of each image with the same mask: unusual ones have a high one."""
        x = batch if isinstance(batch, Tensor) else batch[0]
        return {"error": torch.stack([self.filled(image[None], 0)[0] for image in x])}
