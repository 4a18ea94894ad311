"""Vision transformer: an image is a sequence of patches.

Dosovitskiy et al. 2021, "An image is worth 16x16 words". D2L 11.8.
``variant: torchvision`` has torchvision's details and loads its weights (``weights``); ``variant: book`` has the
book's: no biases in the attention, positions initialized with variance 1.
Departs from both: dropout is applied to the outputs of the attention and of the dense part (the book's only to the
dense part); torchvision's head is initialized with zeros, ours as a linear layer.

    dive fit attention/vit                    5,000 real MNIST digits, offline
    dive fit attention/vit_fashion_mnist      the book's recipe

The numbers they reach are in RESULTS.md.
"""

import math
from functools import partial
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from lit_models.layers.feed_forward import FeedForward
from lit_models.layers.multi_head import MultiHeadAttention
from lit_models.layers.positions import LearnedPositions
from lit_models.layers.transformer_layer import TransformerLayer
from lit_models.tasks.image_classifier import ImageClassifier
from lit_models.tasks.trains import trains

NAMES = {  # torchvision's and ours
    "conv_proj.": "patches.",
    "encoder.pos_embedding": "positions.weight",
    "encoder.ln.": "norm.",
    "heads.head.": "head.",
    "encoder.layers.encoder_layer_": "layers.",
    "self_attention.in_proj_": "attention.qkv.",
    "ln_1": "attention_norm",
    "self_attention.out_proj": "attention.output",
    "ln_2": "feed_forward_norm",
    "mlp.0": "feed_forward.inner",
    "mlp.3": "feed_forward.outer",
    "mlp.linear_1": "feed_forward.inner",  # the names in the published files
    "mlp.linear_2": "feed_forward.outer",
}
PUBLISHED_HEADS = {768: 12, 1024: 16, 1280: 16}  # heads of B, L and H by hidden size: not in the tensors


class ViT(nn.Module):
    """Patches and a class token through a transformer's encoder. (B, C, S, S) -> (B, num_classes) logits.

    Args:
        in_channels, num_classes, image_size: Of the images, S pixels wide and high.
        patch_size: Width P of a patch, a divisor of S.
        hidden_size, num_layers, num_heads, ffn_size: Features D of a patch, depth, heads, inner features.
        dropout: Of the embeddings and of each part's output.
        attention_dropout: Of the attention's weights.
        variant: ``torchvision`` or ``book``.
        positions: Without them an image is a bag of patches.

    Raises:
        ValueError: The patches do not divide the image.
    """

    def __init__(
        self,
        in_channels: int = 1,
        num_classes: int = 10,
        image_size: int = 28,
        patch_size: int = 7,
        hidden_size: int = 64,
        num_layers: int = 4,
        num_heads: int = 4,
        ffn_size: int = 128,
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
        variant: Literal["torchvision", "book"] = "torchvision",
        positions: bool = True,
    ) -> None:
        super().__init__()
        if image_size % patch_size:
            near = max(1, round(image_size / patch_size)) * patch_size
            raise ValueError(
                f"image_size {image_size} is not a multiple of patch_size {patch_size}: give --data.image_size {near}, "
                "or another --model.patch_size"
            )
        book = variant == "book"
        norm = partial(nn.LayerNorm, hidden_size, eps=1e-5 if book else 1e-6)
        self.patches = nn.Conv2d(in_channels, hidden_size, patch_size, patch_size)
        self.class_token = nn.Parameter(torch.zeros(1, 1, hidden_size))
        length = (image_size // patch_size) ** 2 + 1
        self.positions = LearnedPositions(hidden_size, length, std=1.0 if book else 0.02) if positions else None
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.Sequential()
        for _ in range(num_layers):
            attention = MultiHeadAttention(hidden_size, num_heads, dropout=attention_dropout, bias=not book)
            ffn = FeedForward(hidden_size, ffn_size, "gelu", dropout)
            self.layers.append(TransformerLayer(attention, ffn, norm, dropout=dropout))
            for dense in (ffn.inner, ffn.outer):
                nn.init.xavier_uniform_(dense.weight)
                nn.init.normal_(dense.bias, std=1e-6)
        self.norm = norm()
        self.head = nn.Linear(hidden_size, num_classes)

    HEADS = ("head", "decoder")  # a masked autoencoder (multimodal/mae) has the latter

    @staticmethod
    def rename(key: str) -> str:
        """Our name of a parameter of torchvision's ``VisionTransformer``."""
        for theirs, ours in NAMES.items():
            key = key.replace(theirs, ours)
        return key

    def sizes(self) -> dict[str, Any]:
        """The arguments that decide whether weights fit."""
        first: Any = self.layers[0]
        patch_size = int(self.patches.kernel_size[0])
        sizes = {
            "patch_size": patch_size,
            "hidden_size": self.patches.out_channels,
            "num_layers": len(self.layers),
            "num_heads": first.attention.num_heads,
            "ffn_size": first.feed_forward.inner.out_features,
            "variant": "book" if first.attention.qkv.bias is None else "torchvision",
            "positions": self.positions is not None,
        }
        if self.positions is not None:
            sizes["image_size"] = patch_size * math.isqrt(self.positions.weight.shape[1] - 1)
        return sizes

    @staticmethod
    def sizes_of(tensors: dict[str, Tensor], config: dict[str, Any]) -> dict[str, Any]:
        """The same for torchvision's weights under our names; empty if they are of another network."""
        try:
            hidden_size, _, patch_size, _ = tensors["patches.weight"].shape
            found = {
                "patch_size": patch_size,
                "hidden_size": hidden_size,
                "num_layers": 1 + max(int(name.split(".")[1]) for name in tensors if name.startswith("layers.")),
                "ffn_size": len(tensors["layers.0.feed_forward.inner.weight"]),
                "image_size": patch_size * math.isqrt(tensors["positions.weight"].shape[1] - 1),
                "variant": "torchvision",
                "positions": True,
            }
        except KeyError:
            return {}
        heads = PUBLISHED_HEADS.get(hidden_size)
        return found | ({"num_heads": heads} if heads else {})

    def forward(self, x: Tensor) -> Tensor:
        patches = self.patches(x).flatten(2).transpose(1, 2)  # (B, (S / P)^2, D)
        tokens = torch.cat([self.class_token.expand(x.shape[0], -1, -1), patches], 1)  # (B, 1 + (S / P)^2, D)
        if self.positions is not None:
            tokens = self.positions(tokens)
        tokens = self.layers(self.dropout(tokens))
        return self.head(self.norm(tokens[:, 0]))


@trains(ViT)
class LitViT(ImageClassifier):
    """The vision transformer trained as a classifier."""

    #: Sizes found in a person's files are made multiples of these arguments.
    multiples: ClassVar[dict[str, str]] = {"image_size": "patch_size"}
