"""VideoMAE: a network learns video without labels, by predicting the patches that are hidden.

Tong et al. 2022, "VideoMAE: masked autoencoders are data-efficient learners for self-supervised video pre-training".
Not in D2L. A patch spans some frames (a tubelet). The same places are hidden in all frames (tubes): otherwise a hidden
patch could be copied from a neighboring frame. The paper hides nine tenths of the places, the recipe half. The encoder
sees only the visible patches, which makes it cheap; a small decoder predicts the pixels of the hidden ones, each patch
normalized by its own mean and standard deviation (not in the recipe). Names of layers are those of transformers'
``VideoMAEForPreTraining``, whose weights load.

Attention must first find out which patches are near each other. With ``positions: axes`` it knows at the start, and a
small network learns in a minute; with the paper's positions its loss stays near that of zeros for as long.

    dive fit video/videomae     digits that move, offline, without their classes; then video/videomae_classifier
"""

from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchmetrics import MeanMetric

from common.messages import UserError
from lit_models.layers.axis_positions import Positions, positions_of
from lit_models.layers.precision import at_least_float32
from lit_models.tasks.task import Task
from lit_models.tasks.trains import trains
from lit_models.video.video_classifier import IMAGENET, normalize

EPSILON = 1e-12


class Attention(nn.Module):
    """(B, N, D) attends to itself -> (B, N, D). The keys have no bias: it would add the same to all scores of a query.

    Args:
        hidden_size: Features D.
        num_heads: Heads.
    """

    def __init__(self, hidden_size: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        dense = {name: nn.Linear(hidden_size, hidden_size, bias=name != "key") for name in ("query", "key", "value")}
        self.attention = nn.ModuleDict(dense)
        self.output = nn.ModuleDict({"dense": nn.Linear(hidden_size, hidden_size)})

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (
            self.attention[name](x).unflatten(2, (self.num_heads, -1)).transpose(1, 2)
            for name in ("query", "key", "value")
        )
        return self.output["dense"](F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


class Layer(nn.Module):
    """Attention and two dense layers, normalized before, in residual connections. (B, N, D) -> the same.

    Args:
        hidden_size, num_heads, ffn_size: Features D, heads, inner features.
    """

    def __init__(self, hidden_size: int, num_heads: int, ffn_size: int) -> None:
        super().__init__()
        self.attention = Attention(hidden_size, num_heads)
        self.intermediate = nn.ModuleDict({"dense": nn.Linear(hidden_size, ffn_size)})
        self.output = nn.ModuleDict({"dense": nn.Linear(ffn_size, hidden_size)})
        self.layernorm_before = nn.LayerNorm(hidden_size, EPSILON)
        self.layernorm_after = nn.LayerNorm(hidden_size, EPSILON)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.layernorm_before(x))
        return x + self.output["dense"](F.gelu(self.intermediate["dense"](self.layernorm_after(x))))


class Encoder(nn.Module):
    """Clips x (B, C, T, S, S) -> features (B, N, D) of their N = T / tubelet_size (S / patch_size)^2 patches.

    Args:
        in_channels, num_frames, image_size: Of the clips.
        patch_size, tubelet_size: Pixels and frames of a patch.
        hidden_size, num_layers, num_heads, ffn_size: Features D, depth, heads, inner features.
        positions: ``sequence``, the paper's, or ``axes``.

    Raises:
        UserError: A size is not divisible.
    """

    def __init__(
        self,
        in_channels: int,
        num_frames: int,
        image_size: int,
        patch_size: int,
        tubelet_size: int,
        hidden_size: int,
        num_layers: int,
        num_heads: int,
        ffn_size: int,
        positions: Positions = "sequence",
    ) -> None:
        super().__init__()
        for name, size, part, of in (
            ("data.image_size", image_size, "patch_size", patch_size),
            ("data.num_frames", num_frames, "tubelet_size", tubelet_size),
        ):
            if size % of:
                near = max(1, round(size / of)) * of
                raise UserError(f"{name} {size} is not a multiple of model.{part} {of}: give --{name} {near}")
        kernel = (tubelet_size, patch_size, patch_size)
        projection = nn.Conv3d(in_channels, hidden_size, kernel, kernel)
        self.embeddings = nn.ModuleDict({"patch_embeddings": nn.ModuleDict({"projection": projection})})
        layers = [Layer(hidden_size, num_heads, ffn_size) for _ in range(num_layers)]
        self.encoder = nn.ModuleDict({"layer": nn.ModuleList(layers)})
        self.positions = positions_of(positions, hidden_size, num_frames // tubelet_size, image_size // patch_size)

    def forward(self, x: Tensor, hidden: Tensor | None = None) -> Tensor:
        """Features of the visible patches (B, N - M, D), of all without ``hidden``."""
        tokens = self.embeddings["patch_embeddings"]["projection"](x).flatten(2).transpose(1, 2)  # type: ignore[index,operator]
        tokens = self.positions(tokens)
        if hidden is not None:
            tokens = tokens[~hidden].view(len(x), -1, tokens.shape[2])
        for layer in self.encoder["layer"]:  # type: ignore[union-attr,attr-defined]
            tokens = layer(tokens)
        return tokens


def initialize(net: nn.Module, positions: Positions = "sequence") -> None:
    """Glorot and Bengio's initial values for all matrices.

    With positions by ``axes`` keys begin as queries, so that patches look at those with like positions, the near ones
    (Trockman and Kolter 2023, "Mimetic initialization of self-attention layers"), and patches, most of whose pixels are
    dark, begin as large as positions.
    """
    for parameter in net.parameters():
        if parameter.ndim == 2:
            nn.init.xavier_uniform_(parameter)
    if positions == "axes":
        for module in net.modules():
            if isinstance(module, Attention):
                query, key = (module.attention[name].weight for name in ("query", "key"))
                with torch.no_grad():
                    key.copy_(query.mul_(1.5))  # type: ignore[arg-type,operator]
            elif isinstance(module, nn.Conv3d) and module.bias is not None:
                nn.init.xavier_uniform_(module.weight.data.flatten(1), gain=3.0)
                nn.init.zeros_(module.bias)


class VideoMAE(nn.Module):
    """Clips x (B, C, T, S, S) and which patches are hidden (B, N), equally many in each -> predictions (B, M, P).

    N = T / tubelet_size (S / patch_size)^2 patches, frame by frame; M hidden ones; P = tubelet_size patch_size^2 C
    values of a patch.

    Args:
        in_channels, num_frames, image_size: Of the clips.
        patch_size, tubelet_size: Pixels and frames of a patch.
        hidden_size, num_layers, num_heads, ffn_size: Of the encoder.
        decoder_size, decoder_layers, decoder_heads, decoder_ffn_size: The same of the decoder.
        normalize_targets: Each patch is predicted in units of its own mean and standard deviation, as in the paper;
            else its pixels are. Normalized, a patch that is black but for one faint pixel weighs as much as a stroke,
            and small networks are long in finding anything.
        positions: ``sequence``: the paper's, sines of a patch's number. ``axes``: of its time, row and column, and
            attention that looks at near patches at the start.
        encoder_norm: The encoder's features are normalized before the decoder, as in the paper (``use_mean_pooling:
            false`` of transformers).

    Raises:
        UserError: A size is not divisible.
    """

    def __init__(
        self,
        in_channels: int = 3,
        num_frames: int = 16,
        image_size: int = 224,
        patch_size: int = 16,
        tubelet_size: int = 2,
        hidden_size: int = 768,
        num_layers: int = 12,
        num_heads: int = 12,
        ffn_size: int = 3072,
        decoder_size: int = 384,
        decoder_layers: int = 4,
        decoder_heads: int = 6,
        decoder_ffn_size: int = 1536,
        normalize_targets: bool = True,
        positions: Positions = "sequence",
        encoder_norm: bool = False,
    ) -> None:
        super().__init__()
        self.normalize_targets = normalize_targets
        self.patch_size, self.tubelet_size = patch_size, tubelet_size
        self.places, self.times = (image_size // patch_size) ** 2, num_frames // tubelet_size
        clips, patch = (in_channels, num_frames, image_size), (patch_size, tubelet_size)
        self.videomae = Encoder(*clips, *patch, hidden_size, num_layers, num_heads, ffn_size, positions)
        self.videomae.layernorm = nn.LayerNorm(hidden_size, EPSILON) if encoder_norm else nn.Identity()
        self.encoder_to_decoder = nn.Linear(hidden_size, decoder_size, bias=False)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, decoder_size))
        self.decoder = nn.Module()
        layers = [Layer(decoder_size, decoder_heads, decoder_ffn_size) for _ in range(decoder_layers)]
        self.decoder.decoder_layers = nn.ModuleList(layers)
        self.decoder.norm = nn.LayerNorm(decoder_size)
        self.decoder.head = nn.Linear(decoder_size, tubelet_size * patch_size**2 * in_channels)
        self.decoder_positions = positions_of(positions, decoder_size, self.times, image_size // patch_size)
        initialize(self, positions)

    def patches(self, x: Tensor) -> Tensor:
        """What is predicted of each patch: (B, C, T, S, S) -> (B, N, P), channels last; normalized (``VideoMAE``)."""
        b, c, t, s, _ = x.shape
        k, p = self.tubelet_size, self.patch_size
        x = x.view(b, c, t // k, k, s // p, p, s // p, p).permute(0, 2, 4, 6, 3, 5, 7, 1).reshape(b, -1, k * p * p, c)
        if self.normalize_targets:
            x = (x - x.mean(2, keepdim=True)) / (x.std(2, keepdim=True) + 1e-6)
        return x.flatten(2)

    def forward(self, x: Tensor, hidden: Tensor) -> Tensor:
        features = self.videomae.layernorm(self.videomae(x, hidden))  # type: ignore[operator]
        seen = self.encoder_to_decoder(features)  # (B, N - M, D')
        b, _, d = seen.shape
        where = self.decoder_positions(seen.new_zeros(1, hidden.shape[1], d)).expand(b, -1, -1)
        masked = self.mask_token + where[hidden].view(b, -1, d)
        tokens = torch.cat([seen + where[~hidden].view(b, -1, d), masked], 1)  # the hidden ones stand behind
        for layer in self.decoder.decoder_layers:  # type: ignore[union-attr]
            tokens = layer(tokens)
        return self.decoder.head(self.decoder.norm(tokens[:, seen.shape[1] :]))  # type: ignore[operator]

    def tubes(self, clips: int, fraction: float, generator: torch.Generator) -> Tensor:
        """Hidden patches (clips, N): a fraction of the places, the same at all times."""
        count = min(self.places - 1, max(1, round(fraction * self.places)))
        order = torch.rand(clips, self.places, generator=generator, device=generator.device).argsort(1)
        return (order < count).repeat(1, self.times)

    @staticmethod
    def rename(key: str) -> str:  # published files keep the biases beside the layers
        return key.replace(".q_bias", ".query.bias").replace(".v_bias", ".value.bias")

    def loss(self, x: Tensor, hidden: Tensor, seen: Tensor | None = None) -> Tensor:
        """The mean squared error of the hidden, normalized patches of x; ``seen`` is x as the encoder takes it.

        Predicting zeros gives about the fraction of patches that are not constant, whose pixels have variance 1.
        """
        predicted = at_least_float32(self(x if seen is None else seen, hidden))
        return F.mse_loss(predicted, self.patches(x)[hidden].view_as(predicted))


@trains(VideoMAE)
class LitVideoMAE(Task):
    """Trains to predict what is hidden. Batch: clips ``(x, ...)``; classes are not looked at.

    Logs ``train/loss``, ``val/loss`` and ``test/loss``, the squared error of normalized patches.

    Args:
        mask_fraction: Fraction of the places that are hidden.
        in_channels, num_frames, image_size: Of the clips.
        **task: See ``Task``.
    """

    #: Sizes found in a person's files are made multiples of these arguments.
    multiples: ClassVar[dict[str, str]] = {"image_size": "patch_size", "num_frames": "tubelet_size"}
    output_means = "The normalized pixels of the hidden patches, in their order."

    def __init__(
        self, mask_fraction: float = 0.9, in_channels: int = 3, num_frames: int = 16, image_size: int = 224, **task: Any
    ) -> None:
        super().__init__(**task)
        if not 0 < mask_fraction < 1:
            raise UserError(f"model.mask_fraction is {mask_fraction}: give a fraction above 0 and below 1")
        self.mask_fraction = mask_fraction
        self.val_loss, self.test_loss = MeanMetric(), MeanMetric()
        hidden = self.net.tubes(1, mask_fraction, torch.Generator().manual_seed(0))  # type: ignore[operator]
        self.example_input = (torch.zeros(1, in_channels, num_frames, image_size, image_size), hidden)

    def loss_of(self, x: Tensor, seed: int) -> Tensor:
        hidden = self.net.tubes(len(x), self.mask_fraction, torch.Generator(x.device).manual_seed(seed))  # type: ignore[operator]
        return self.net.loss(x, hidden, normalize(x, *IMAGENET) if self.weights_from == "published" else x)  # type: ignore[operator]

    def training_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> Tensor:
        loss = self.loss_of(batch[0], int(torch.randint(2**31, ())))
        self.record_train_loss(loss, len(batch[0]))
        return loss

    def validation_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> None:
        self.val_loss.update(self.loss_of(batch[0], batch_idx), len(batch[0]))

    def test_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> None:
        x = batch[0].flatten(0, -5)  # a video may have several clips
        self.test_loss.update(self.loss_of(x, batch_idx), len(x))

    def on_validation_epoch_end(self) -> None:
        self.log("val/loss", self.val_loss, prog_bar=True)

    def on_test_epoch_end(self) -> None:
        self.log("test/loss", self.test_loss)

    def predict_step(self, batch: Any, batch_idx: int) -> dict[str, Tensor]:
        """Returns ``error`` (B,), the squared error of each video, a mean over its clips: high for unusual ones."""
        x = batch if isinstance(batch, Tensor) else batch[0]
        errors = torch.stack([self.loss_of(clip[None], 0) for clip in x.flatten(0, -5)])  # with the same mask
        return {"error": errors.view(len(x), -1).mean(1)}
