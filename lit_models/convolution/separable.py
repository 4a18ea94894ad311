"""Separable convolutions: a kernel that is a product costs the sum of its factors.

Goodfellow et al. 9.8. In space, a kernel of rank one is a column times a row: kH + kW products a pixel and not kH kW.
The singular value decomposition finds the factors, and the best sum of few such kernels for any other one. Over
channels, a depthwise kernel followed by a 1 x 1 convolution (Howard et al. 2017, MobileNets) is the same idea.
"""

import torch
from torch import Tensor, nn

from lit_models.convolution.cross_correlation import correlate2d


def separate(kernel: Tensor, rank: int = 1) -> tuple[Tensor, Tensor]:
    """The best approximation of a kernel (kH, kW) by ``rank`` products of a column and a row.

    Returns:
        Columns (rank, kH) and rows (rank, kW): sum over r of the outer products of columns[r] and rows[r]. The error's
        Frobenius norm is the root of the sum of the squares of the singular values left out (Eckart and Young 1936).
    """
    u, s, v = torch.linalg.svd(kernel, full_matrices=False)
    scale = s[:rank].sqrt()[:, None]
    return scale * u.T[:rank], scale * v[:rank]


def separable_correlate2d(x: Tensor, columns: Tensor, rows: Tensor) -> Tensor:
    """Cross-correlation with a sum of separable kernels: x (B, 1, H, W) -> (B, 1, H', W'), two passes.

    Args:
        x: One channel.
        columns, rows: (R, kH) and (R, kW), as ``separate`` gives them.
    """
    vertical = correlate2d(x, columns[:, None, :, None])  # (B, R, H', W)
    return correlate2d(vertical, rows[None, :, None, :])  # (B, 1, H', W'): one row kernel a channel, summed


class DepthwiseSeparable2d(nn.Module):
    """One k x k kernel a channel, then a 1 x 1 convolution that mixes the channels. (B, C, H, W) -> (B, O, H', W').

    C k^2 + C O weights where an ordinary layer has C O k^2.

    Args:
        in_channels, out_channels: C and O.
        kernel_size, stride, padding: Of the depthwise convolution.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int = 3, stride: int = 1, padding: int = 0
    ) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(
            in_channels, in_channels, kernel_size, stride, padding, groups=in_channels, bias=False
        )
        self.pointwise = nn.Conv2d(in_channels, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.pointwise(self.depthwise(x))

    def full_kernel(self) -> Tensor:
        """The ordinary layer's kernel (O, C, k, k) that does the same: a channel's kernels are one, scaled."""
        return self.pointwise.weight * self.depthwise.weight.squeeze(1)
