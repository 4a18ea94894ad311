"""DiT: a transformer in place of the U-Net, told the noise level and the class by its normalization.

Peebles and Xie 2023, "Scalable diffusion models with transformers". Not in D2L.
A picture is a sequence of patches. Level and class scale and shift each normalized vector and scale what a block adds
(adaptive layer normalization). These factors are zero at the beginning (adaLN-Zero), so that each block adds
nothing and the network's first prediction is zero. Names of layers are those of diffusers' ``DiTTransformer2DModel``,
whose weights load; there each block has a copy of the embedding of level and class, which is one module here, as in the
paper.

    dive fit diffusion/dit                    digits at 16 pixels, offline
    dive generate diffusion/dit --class 3 --steps 20 --guidance 2 --grid
    dive fit diffusion/latent                 the same of an autoencoder's latents, as in the paper

The numbers it reaches are in RESULTS.md.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from common.messages import UserError
from lit_models.diffusion.pictures import PictureDiffusion
from lit_models.functional.diffusion_samplers import Variance
from lit_models.layers.time_embedding import TimeEmbedding, time_features
from lit_models.tasks.trains import trains

LEVEL_FEATURES = 256  # sines and cosines of a level


class Condition(nn.Module):
    """Levels t (B,) and classes y (B,) -> one vector for both (B, hidden_size).

    Args:
        num_classes: Number of classes; one more is "no class".
        hidden_size: Features.
    """

    def __init__(self, num_classes: int, hidden_size: int) -> None:
        super().__init__()
        self.timestep_embedder = TimeEmbedding(LEVEL_FEATURES, hidden_size)
        self.class_embedder = nn.ModuleDict({"embedding_table": nn.Embedding(num_classes + 1, hidden_size)})

    def forward(self, t: Tensor, y: Tensor | None) -> Tensor:
        table: Any = self.class_embedder["embedding_table"]
        none = torch.full_like(t, table.num_embeddings - 1, dtype=torch.long)
        return self.timestep_embedder(time_features(t, LEVEL_FEATURES, shift=1)) + table(none if y is None else y)


class Attention(nn.Module):
    """(B, N, D) attends to itself -> (B, N, D).

    Args:
        hidden_size, num_heads: Features D, heads.
    """

    def __init__(self, hidden_size: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.to_q, self.to_k, self.to_v = (nn.Linear(hidden_size, hidden_size) for _ in range(3))
        self.to_out = nn.ModuleList([nn.Linear(hidden_size, hidden_size)])

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (f(x).unflatten(2, (self.num_heads, -1)).transpose(1, 2) for f in (self.to_q, self.to_k, self.to_v))
        return self.to_out[0](F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


class Block(nn.Module):
    """Attention and two dense layers, each scaled, shifted and weighed by the condition. (B, N, D) -> the same.

    Args:
        hidden_size, num_heads, ffn_size: Features D, heads, inner features.
        condition: The embedding of level and class, the same in all blocks.
    """

    def __init__(self, hidden_size: int, num_heads: int, ffn_size: int, condition: Condition) -> None:
        super().__init__()
        self.norm1 = nn.ModuleDict({"emb": condition, "linear": nn.Linear(hidden_size, 6 * hidden_size)})
        self.attn1 = Attention(hidden_size, num_heads)
        first = nn.ModuleDict({"proj": nn.Linear(hidden_size, ffn_size)})
        self.ff = nn.ModuleDict({"net": nn.ModuleList([first, nn.Identity(), nn.Linear(ffn_size, hidden_size)])})

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        factors = self.norm1["linear"](F.silu(condition))[:, None].chunk(6, 2)  # (B, 1, D) each
        shift, scale, gate, shift2, scale2, gate2 = factors
        x = x + gate * self.attn1(F.layer_norm(x, x.shape[2:], eps=1e-6) * (1 + scale) + shift)
        h = F.layer_norm(x, x.shape[2:], eps=1e-5) * (1 + scale2) + shift2  # diffusers has another epsilon here
        first, _, second = self.ff["net"]  # type: ignore[misc]
        return x + gate2 * second(F.gelu(first["proj"](h), approximate="tanh"))  # type: ignore[has-type]


class DiT(nn.Module):
    """Pictures x (B, in_channels, S, S) at levels t (B,), of classes y (B,) -> predictions of the same shape.

    Args:
        in_channels: Channels of a picture.
        image_size: Height and width S in pixels, a multiple of ``patch_size``.
        num_classes: Number of classes; 0 for none. The network has one more, "no class".
        patch_size: Width of a patch.
        hidden_size, num_layers, num_heads: Features, depth, heads.
        ffn_size: Inner features of the dense layers; 0 for four times ``hidden_size``, as diffusers has.
        variance: ``learned`` gives the output twice the channels, see ``Diffusion``.

    Raises:
        UserError: The size or the features are not divisible.
    """

    def __init__(
        self,
        in_channels: int = 1,
        image_size: int = 16,
        num_classes: int = 0,
        patch_size: int = 2,
        hidden_size: int = 64,
        num_layers: int = 4,
        num_heads: int = 4,
        ffn_size: int = 0,
        variance: Variance = "small",
    ) -> None:
        super().__init__()
        if image_size % patch_size:
            near = max(1, round(image_size / patch_size)) * patch_size
            raise UserError(
                f"data.image_size {image_size} is not a multiple of patch_size {patch_size}: give {near}, or "
                "model.patch_size 1"
            )
        if hidden_size % num_heads or hidden_size % 4:
            raise UserError(f"hidden_size {hidden_size} is not a multiple of num_heads {num_heads} and of 4")
        self.patch_size, side = patch_size, image_size // patch_size
        self.out_channels = in_channels * (2 if variance == "learned" else 1)
        self.pos_embed = nn.ModuleDict({"proj": nn.Conv2d(in_channels, hidden_size, patch_size, patch_size)})
        self.register_buffer("places", places(side, hidden_size), persistent=False)
        condition = Condition(num_classes, hidden_size)
        blocks = [Block(hidden_size, num_heads, ffn_size or 4 * hidden_size, condition) for _ in range(num_layers)]
        self.transformer_blocks = nn.ModuleList(blocks)
        self.proj_out_1 = nn.Linear(hidden_size, 2 * hidden_size)
        self.proj_out_2 = nn.Linear(hidden_size, patch_size**2 * self.out_channels)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)
        for zero in [*(block.norm1["linear"] for block in blocks), self.proj_out_1, self.proj_out_2]:
            nn.init.zeros_(zero.weight)  # type: ignore[arg-type,union-attr]

    def forward(self, x: Tensor, t: Tensor, y: Tensor | None = None) -> Tensor:
        tokens = self.pos_embed["proj"](x)  # (B, D, S / p, S / p)
        side = tokens.shape[2:]
        tokens = tokens.flatten(2).transpose(1, 2) + self.places  # (B, N, D)
        condition = self.transformer_blocks[0].norm1["emb"](t, y)  # type: ignore[index,operator]
        for block in self.transformer_blocks:
            tokens = block(tokens, condition)
        shift, scale = self.proj_out_1(F.silu(condition))[:, None].chunk(2, 2)
        tokens = self.proj_out_2(F.layer_norm(tokens, tokens.shape[2:], eps=1e-6) * (1 + scale) + shift)
        pixels = tokens.unflatten(2, (self.patch_size, self.patch_size, -1)).unflatten(1, side)  # (B, H, W, p, p, C)
        return pixels.permute(0, 5, 1, 3, 2, 4).flatten(4, 5).flatten(2, 3)


def places(side: int, size: int) -> Tensor:
    """Sines and cosines of the column, then of the row, of each place in a square (side^2, size)."""
    rates = 10_000 ** (-torch.arange(size // 4, dtype=torch.float64) / (size // 4))
    angles = torch.arange(side, dtype=torch.float64)[:, None] * rates
    line = torch.cat([angles.sin(), angles.cos()], 1)  # (side, size / 2)
    return torch.cat([line.repeat(side, 1), line.repeat_interleave(side, 0)], 1).float()


@trains(DiT)
class LitDiT(PictureDiffusion):
    """Diffusion of pictures in [0, 1] with classes, by a transformer."""
