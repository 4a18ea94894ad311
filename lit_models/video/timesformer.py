"""TimeSformer: attention over the frames at each place, then over the places in each frame.

Bertasius et al. 2021, "Is space-time attention all you need for video understanding?". Not in D2L.
Attention over all T N patches of a clip would compare (T N)^2 pairs; divided in time and space it compares T N (T + N).
The class token takes no part in the attention over time; each frame gets a copy for the attention over space, and their
means become the token again. Names of layers are those of transformers' ``TimesformerForVideoClassification``, whose
weights load.
Departs from the paper: matrices begin as Glorot and Bengio's, with which a narrow network learns; ``temporal_dense`` is
not zero at the beginning (``zero_time`` makes it so), since there are no weights of an image network to keep.

    dive fit video/timesformer     digits that move, offline, small

The numbers it reaches are in RESULTS.md.
"""

import math
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from common.messages import UserError
from lit_models.tasks.trains import trains
from lit_models.video.video_classifier import VideoClassifier

EPSILON = 1e-6


class Attention(nn.Module):
    """(B, N, D) attends to itself -> (B, N, D).

    Args:
        hidden_size: Features D.
        num_heads: Heads, each with D / num_heads features.
    """

    def __init__(self, hidden_size: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.attention = nn.ModuleDict({"qkv": nn.Linear(hidden_size, 3 * hidden_size)})
        self.output = nn.ModuleDict({"dense": nn.Linear(hidden_size, hidden_size)})

    def forward(self, x: Tensor) -> Tensor:
        qkv = self.attention["qkv"](x).unflatten(2, (3, self.num_heads, -1))  # (B, N, 3, H, D / H)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        return self.output["dense"](F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


class Layer(nn.Module):
    """Attention over time, over space, two dense layers, each in a residual connection. (B, 1 + N T, D) -> the same.

    The tokens after the first are patch by patch, the T frames of a patch together.

    Args:
        hidden_size, num_heads, ffn_size: Features D, heads, inner features.
        num_frames: T.
        divided: Without it there is no attention over time.
    """

    def __init__(self, hidden_size: int, num_heads: int, ffn_size: int, num_frames: int, divided: bool = True) -> None:
        super().__init__()
        self.frames, self.divided = num_frames, divided
        self.attention = Attention(hidden_size, num_heads)
        self.intermediate = nn.ModuleDict({"dense": nn.Linear(hidden_size, ffn_size)})
        self.output = nn.ModuleDict({"dense": nn.Linear(ffn_size, hidden_size)})
        self.layernorm_before = nn.LayerNorm(hidden_size, EPSILON)
        self.layernorm_after = nn.LayerNorm(hidden_size, EPSILON)
        if divided:
            self.temporal_layernorm = nn.LayerNorm(hidden_size, EPSILON)
            self.temporal_attention = Attention(hidden_size, num_heads)
            self.temporal_dense = nn.Linear(hidden_size, hidden_size)

    def forward(self, x: Tensor) -> Tensor:
        b, t = x.shape[0], self.frames
        token, patches = x[:, :1], x[:, 1:].unflatten(1, (-1, t))  # (B, 1, D), (B, N, T, D)
        if self.divided:
            over_time = self.temporal_attention(self.temporal_layernorm(patches.flatten(0, 1))).view_as(patches)
            patches = patches + self.temporal_dense(over_time)
        copies = token[:, :, None].expand(-1, 1, t, -1)  # one for each frame
        frames = torch.cat([copies, patches], 1).transpose(1, 2).flatten(0, 1)  # (B T, 1 + N, D)
        over_space = self.attention(self.layernorm_before(frames)).unflatten(0, (b, t))  # (B, T, 1 + N, D)
        token = token + over_space[:, :, 0].mean(1, keepdim=True)
        patches = patches + over_space[:, :, 1:].transpose(1, 2)
        x = torch.cat([token, patches.flatten(1, 2)], 1)
        return x + self.output["dense"](F.gelu(self.intermediate["dense"](self.layernorm_after(x))))


class TimeSformer(nn.Module):
    """Patches of frames and a class token through layers. (B, in_channels, T, S, S) -> (B, num_classes) logits.

    Args:
        in_channels, num_classes, num_frames, image_size: Of the clips, T frames of S x S pixels.
        patch_size: Width of a patch, a divisor of S.
        hidden_size, num_layers, num_heads, ffn_size: Features, depth, heads, inner features.
        divided: Attention over time and over space. Without it over space only: frames share the class token, and their
            order is known from the time embeddings alone (which the paper's space-only network does not have).
        zero_time: The attention over time adds nothing at the beginning, as in the paper.

    Raises:
        UserError: The patches do not divide the frame, or the heads the features.
    """

    HEADS = ("classifier",)

    def __init__(
        self,
        in_channels: int = 3,
        num_classes: int = 400,
        num_frames: int = 8,
        image_size: int = 224,
        patch_size: int = 16,
        hidden_size: int = 768,
        num_layers: int = 12,
        num_heads: int = 12,
        ffn_size: int = 3072,
        divided: bool = True,
        zero_time: bool = False,
    ) -> None:
        super().__init__()
        if image_size % patch_size:
            near = max(1, round(image_size / patch_size)) * patch_size
            raise UserError(
                f"data.image_size {image_size} is not a multiple of model.patch_size {patch_size}: give "
                f"--data.image_size {near}, or another --model.patch_size"
            )
        if hidden_size % num_heads:
            raise UserError(f"model.hidden_size {hidden_size} is not a multiple of model.num_heads {num_heads}")
        self.patch_size, self.num_heads, self.frames, self.divided = patch_size, num_heads, num_frames, divided
        patches = (image_size // patch_size) ** 2
        embeddings = nn.Module()
        embeddings.patch_embeddings = nn.Module()
        embeddings.patch_embeddings.projection = nn.Conv2d(in_channels, hidden_size, patch_size, patch_size)
        embeddings.cls_token = nn.Parameter(torch.empty(1, 1, hidden_size))
        embeddings.position_embeddings = nn.Parameter(torch.empty(1, patches + 1, hidden_size))
        embeddings.time_embeddings = nn.Parameter(torch.empty(1, num_frames, hidden_size))
        self.timesformer = nn.Module()
        self.timesformer.embeddings = embeddings
        layers = [Layer(hidden_size, num_heads, ffn_size, num_frames, divided) for _ in range(num_layers)]
        self.timesformer.encoder = nn.ModuleDict({"layer": nn.ModuleList(layers)})
        self.timesformer.layernorm = nn.LayerNorm(hidden_size, EPSILON)
        self.classifier = nn.Linear(hidden_size, num_classes)
        for name, parameter in self.named_parameters():
            if name.endswith(("_embeddings", "cls_token")):
                nn.init.trunc_normal_(parameter, std=0.02)
            elif parameter.ndim == 2:
                nn.init.xavier_uniform_(parameter)
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)
            if zero_time and "temporal_dense" in name:
                nn.init.zeros_(parameter)

    def sizes(self) -> dict[str, Any]:
        """The arguments that decide whether weights fit."""
        embeddings: Any = self.timesformer.embeddings
        return {
            "num_frames": self.frames,
            "image_size": self.patch_size * math.isqrt(embeddings.position_embeddings.shape[1] - 1),
            "patch_size": self.patch_size,
            "hidden_size": self.classifier.in_features,
            "num_layers": len(self.timesformer.encoder["layer"]),  # type: ignore[index,arg-type]
            "divided": self.divided,
        }

    @staticmethod
    def sizes_of(tensors: dict[str, Tensor], config: dict[str, Any]) -> dict[str, Any]:
        """The same for a file of transformers; empty if it is of another network."""
        start = "timesformer.embeddings."
        try:
            hidden_size, _, patch_size, _ = tensors[f"{start}patch_embeddings.projection.weight"].shape
            places = tensors[f"{start}position_embeddings"].shape[1] - 1
            num_frames = tensors[f"{start}time_embeddings"].shape[1]
        except KeyError:
            return {}
        layers = {name.split(".")[3] for name in tensors if name.startswith("timesformer.encoder.layer.")}
        return {
            "num_frames": num_frames,
            "image_size": patch_size * math.isqrt(places),
            "patch_size": patch_size,
            "hidden_size": hidden_size,
            "num_layers": len(layers),
            "divided": any("temporal_dense" in name for name in tensors),
        }

    def forward(self, x: Tensor) -> Tensor:
        b, t = x.shape[0], x.shape[2]
        embeddings: Any = self.timesformer.embeddings
        frames = x.transpose(1, 2).flatten(0, 1)  # (B T, C, S, S)
        patches = embeddings.patch_embeddings.projection(frames).flatten(2).unflatten(0, (b, t))  # (B, T, D, N)
        places = embeddings.position_embeddings
        patches = patches.permute(0, 3, 1, 2) + places[:, 1:, None] + embeddings.time_embeddings[:, None]
        token = (embeddings.cls_token + places[:, :1]).expand(b, -1, -1)
        tokens = torch.cat([token, patches.flatten(1, 2)], 1)  # (B, 1 + N T, D)
        for layer in self.timesformer.encoder["layer"]:  # type: ignore[index,union-attr]
            tokens = layer(tokens)
        return self.classifier(self.timesformer.layernorm(tokens[:, :1])[:, 0])  # type: ignore[operator]


@trains(TimeSformer)
class LitTimeSformer(VideoClassifier):
    """TimeSformer trained as a classifier."""

    colors = ((0.45, 0.45, 0.45), (0.225, 0.225, 0.225))  # of the published weights

    #: Sizes found in a person's files are made multiples of these arguments.
    multiples: ClassVar[dict[str, str]] = {"image_size": "patch_size"}
