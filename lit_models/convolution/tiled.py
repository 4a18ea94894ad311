"""Tiled convolution: between shared and unshared, a few kernels take turns.

Goodfellow et al. 9.5; Gregor and LeCun 2010, "Emergence of complex-like cells in a temporal product network with local
receptive fields"; Le et al. 2010, "Tiled convolutional neural networks". Position (i, j) uses kernel (i mod t, j mod
t): t = 1 is a convolution, and t as large as the output is unshared. Moved by t positions, an image gives the same
maps, moved.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lit_models.convolution.cross_correlation import output_size


class TiledConv2d(nn.Module):
    """(B, C, H, W) -> (B, O, H', W') with tiles^2 kernels in turn, at the multiply-adds of one convolution.

    Args:
        in_channels, out_channels: C and O.
        kernel_size, stride, padding: As of ``nn.Conv2d``.
        tiles: Kernels that take turns in each direction.

    Attributes:
        weight: (t, t, O, C, k, k).
        bias: (t, t, O).
    """

    input_dims = 3  # of the weight, its last ones: what goes into one unit (for a limit of its norm)

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int = 1,
        padding: int = 0,
        tiles: int = 2,
    ) -> None:
        super().__init__()
        self.kernel_size, self.stride, self.padding, self.tiles = kernel_size, stride, padding, tiles
        self.weight = nn.Parameter(torch.empty(tiles, tiles, out_channels, in_channels, kernel_size, kernel_size))
        self.bias = nn.Parameter(torch.empty(tiles, tiles, out_channels))
        bound = (in_channels * kernel_size**2) ** -0.5
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -bound, bound)

    def forward(self, x: Tensor) -> Tensor:
        t, s = self.tiles, self.stride
        x = F.pad(x, [self.padding] * 4)
        oh, ow = (output_size(side, self.kernel_size, s) for side in x.shape[-2:])
        y = x.new_empty(len(x), self.weight.shape[2], oh, ow)
        for a in range(min(t, oh)):
            for b in range(min(t, ow)):  # all positions of kernel (a, b): a convolution of stride t s that starts there
                y[..., a::t, b::t] = F.conv2d(x[..., a * s :, b * s :], self.weight[a, b], self.bias[a, b], s * t)
        return y
