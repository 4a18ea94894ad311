"""A U-Net that sees pictures at a noise level, and of a class.

Ho et al. 2020, appendix B, after Ronneberger et al. 2015. Not in D2L.
Residual blocks with group normalization go down to smaller feature maps and up again; the way up reads what the way
down has computed at the same size. The level is added in each block; at small sizes each pixel attends to all others.

Names of layers, and the order of what happens, are those of diffusers' ``UNet2DModel``, whose weights load.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from common.messages import UserError
from lit_models.functional.diffusion_samplers import Variance
from lit_models.layers.time_embedding import TimeEmbedding, time_features


class ResidualBlock(nn.Module):
    """(B, in_size, H, W), the level (B, time_size) -> (B, size, H, W).

    Args:
        in_size, size: Channels.
        time_size: Of the level's embedding; 0 for a block without one, as an autoencoder has.
        groups: Of the normalization.
        dropout: Before the second convolution.
        eps: Of the normalization.
    """

    def __init__(
        self, in_size: int, size: int, time_size: int, groups: int, dropout: float = 0.0, eps: float = 1e-5
    ) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(groups, in_size, eps)
        self.conv1 = nn.Conv2d(in_size, size, 3, padding=1)
        if time_size:
            self.time_emb_proj = nn.Linear(time_size, size)
        self.norm2 = nn.GroupNorm(groups, size, eps)
        self.dropout = nn.Dropout(dropout)
        self.conv2 = nn.Conv2d(size, size, 3, padding=1)
        if in_size != size:
            self.conv_shortcut = nn.Conv2d(in_size, size, 1)

    def forward(self, x: Tensor, time: Tensor | None = None) -> Tensor:
        h = self.conv1(F.silu(self.norm1(x)))
        if time is not None:
            h = h + self.time_emb_proj(F.silu(time))[:, :, None, None]
        h = self.conv2(self.dropout(F.silu(self.norm2(h))))
        return h + (self.conv_shortcut(x) if hasattr(self, "conv_shortcut") else x)


class PixelAttention(nn.Module):
    """Each pixel attends to all pixels. (B, size, H, W) -> the same.

    Args:
        size: Channels.
        head_size: Of an attention head.
        groups: Of the normalization.
        eps: Of the normalization.
    """

    def __init__(self, size: int, head_size: int, groups: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.heads = size // head_size
        self.group_norm = nn.GroupNorm(groups, size, eps)
        self.to_q, self.to_k, self.to_v = (nn.Linear(size, size) for _ in range(3))
        self.to_out = nn.ModuleList([nn.Linear(size, size)])

    def forward(self, x: Tensor) -> Tensor:
        b, c, h, w = x.shape
        pixels = self.group_norm(x.flatten(2)).transpose(1, 2)  # (B, HW, C)
        q, k, v = (
            part(pixels).view(b, h * w, self.heads, -1).transpose(1, 2) for part in (self.to_q, self.to_k, self.to_v)
        )
        attended = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, h * w, c)
        return x + self.to_out[0](attended).transpose(1, 2).view(b, c, h, w)


class Resample(nn.Module):
    """A convolution to half the size, or after enlarging to twice the size.

    Args:
        size: Channels.
        down: Whether the size is halved.
    """

    def __init__(self, size: int, down: bool) -> None:
        super().__init__()
        self.down = down
        self.conv = nn.Conv2d(size, size, 3, stride=2 if down else 1, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x if self.down else F.interpolate(x, scale_factor=2.0, mode="nearest"))


class Stage(nn.Module):
    """The blocks of one size.

    Args:
        sizes: Channels that enter each residual block.
        size: Channels that leave it.
        time_size: Of the level's embedding.
        groups: Of the normalization.
        head_size: Of an attention head; 0 for no attention.
        dropout: In each residual block.
        between: Whether there is attention only between the blocks (at the smallest size), not behind each of them.
        down: Whether the size is then halved (True) or doubled (False); None for neither.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        size: int,
        time_size: int,
        groups: int,
        head_size: int,
        dropout: float,
        between: bool = False,
        down: bool | None = None,
    ) -> None:
        super().__init__()
        self.resnets = nn.ModuleList(ResidualBlock(n, size, time_size, groups, dropout) for n in sizes)
        if head_size:
            count = len(sizes) - between
            self.attentions = nn.ModuleList(PixelAttention(size, head_size, groups) for _ in range(count))
        if down is not None:
            setattr(self, "downsamplers" if down else "upsamplers", nn.ModuleList([Resample(size, down)]))

    def attend(self, k: int, x: Tensor) -> Tensor:
        attentions = getattr(self, "attentions", ())
        return attentions[k](x) if k < len(attentions) else x


class UNet(nn.Module):
    """Pictures x (B, in_channels, S, S) at levels t (B,), of classes y (B,) -> predictions of the same shape.

    Args:
        in_channels: Channels of a picture.
        image_size: Height and width S in pixels, divisible by 2 for each size but the last.
        num_classes: Number of classes; 0 for none. The network has one more, "no class".
        widths: Channels at each size, from the largest to the smallest.
        blocks: Residual blocks at each size on the way down; one more on the way up.
        attention: At how many of the sizes, from the smallest, each pixel attends to all.
        groups: Of the normalization.
        head_size: Channels of an attention head.
        dropout: In each residual block.
        variance: ``learned`` gives the output twice the channels, see ``Diffusion``.

    Raises:
        UserError: The size or a width is not divisible.
    """

    def __init__(
        self,
        in_channels: int = 1,
        image_size: int = 28,
        num_classes: int = 0,
        widths: Sequence[int] = (32, 64),
        blocks: int = 1,
        attention: int = 1,
        groups: int = 8,
        head_size: int = 8,
        dropout: float = 0.0,
        variance: Variance = "small",
    ) -> None:
        super().__init__()
        if image_size % 2 ** (len(widths) - 1):
            raise UserError(
                f"data.image_size is {image_size}: {len(widths)} widths halve it {len(widths) - 1} times, "
                f"give a multiple of {2 ** (len(widths) - 1)}"
            )
        if any(width % groups or width % head_size for width in widths):
            raise UserError(
                f"model.widths are {list(widths)}: give multiples of groups ({groups}), head_size ({head_size})"
            )
        time_size = 4 * widths[0]
        heads = [head_size if len(widths) - k <= attention else 0 for k in range(len(widths))]
        self.conv_in = nn.Conv2d(in_channels, widths[0], 3, padding=1)
        self.time_embedding = TimeEmbedding(widths[0], time_size)
        self.class_embedding = nn.Embedding(num_classes + 1, time_size) if num_classes else None
        common: dict[str, Any] = {"time_size": time_size, "groups": groups, "dropout": dropout}
        self.down_blocks, self.up_blocks = nn.ModuleList(), nn.ModuleList()
        kept = [widths[0]]  # channels of what the way up will read
        for k, width in enumerate(widths):
            last = k == len(widths) - 1
            sizes = [kept[-1], *[width] * (blocks - 1)]
            self.down_blocks.append(Stage(sizes, width, head_size=heads[k], down=None if last else True, **common))
            kept += [width] * (blocks + (not last))
        smallest = widths[-1]
        self.mid_block = Stage([smallest, smallest], smallest, head_size=head_size, between=True, **common)
        for k, width in reversed(list(enumerate(widths))):
            before = widths[min(k + 1, len(widths) - 1)]
            sizes = [(before if j == 0 else width) + kept.pop() for j in range(blocks + 1)]
            self.up_blocks.append(Stage(sizes, width, head_size=heads[k], down=False if k else None, **common))
        self.conv_norm_out = nn.GroupNorm(groups, widths[0])
        self.conv_out = nn.Conv2d(widths[0], in_channels * (2 if variance == "learned" else 1), 3, padding=1)

    def forward(self, x: Tensor, t: Tensor, y: Tensor | None = None) -> Tensor:
        time = self.time_embedding(time_features(t, self.conv_in.out_channels))  # (B, 4 widths[0])
        if self.class_embedding is not None:
            none = torch.full_like(t, self.class_embedding.num_embeddings - 1, dtype=torch.long)
            time = time + self.class_embedding(none if y is None else y)
        x = self.conv_in(x)
        kept = [x]
        for stage in self.down_blocks:
            for k, block in enumerate(stage.resnets):  # type: ignore[arg-type]
                x = stage.attend(k, block(x, time))  # type: ignore[operator]
                kept.append(x)
            for layer in getattr(stage, "downsamplers", ()):
                x = layer(x)
                kept.append(x)
        first, second = self.mid_block.resnets
        x = second(self.mid_block.attend(0, first(x, time)), time)
        for stage in self.up_blocks:
            for k, block in enumerate(stage.resnets):  # type: ignore[arg-type]
                x = stage.attend(k, block(torch.cat([x, kept.pop()], 1), time))  # type: ignore[operator]
            for layer in getattr(stage, "upsamplers", ()):
                x = layer(x)
        return self.conv_out(F.silu(self.conv_norm_out(x)))
