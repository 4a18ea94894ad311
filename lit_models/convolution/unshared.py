"""Unshared convolution: as local as a convolution, but each position has a kernel of its own.

Goodfellow et al. 9.5 ("locally connected layers"), LeCun 1986. For data whose parts mean different things at different
places, such as aligned faces. H' W' times the weights of a convolution at the same multiply-adds, so the moving of
weights is what takes the time. ``from_shared`` makes one that computes what a convolution computes.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lit_models.convolution.cross_correlation import output_size


class UnsharedConv2d(nn.Module):
    """(B, C, H, W) -> (B, O, H', W'), images of one size.

    Args:
        in_channels, out_channels: C and O.
        image_size: H and W.
        kernel_size, stride, padding: As of ``nn.Conv2d``.

    Attributes:
        weight: (H' W', O, C k k).
        bias: (O, H', W'), unshared as well.
    """

    input_dims = 1  # of the weight, its last ones: what goes into one unit (for a limit of its norm)

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        image_size: int | tuple[int, int],
        kernel_size: int,
        stride: int = 1,
        padding: int = 0,
    ) -> None:
        super().__init__()
        sides = (image_size, image_size) if isinstance(image_size, int) else image_size
        self.image_size = sides
        self.kernel_size, self.stride, self.padding = kernel_size, stride, padding
        self.out = tuple(output_size(side, kernel_size, stride, padding) for side in sides)
        fan_in = in_channels * kernel_size**2
        self.weight = nn.Parameter(torch.empty(self.out[0] * self.out[1], out_channels, fan_in))
        self.bias = nn.Parameter(torch.empty(out_channels, *self.out))
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -(fan_in**-0.5), fan_in**-0.5)

    @classmethod
    def from_shared(cls, conv: nn.Conv2d, image_size: int | tuple[int, int]) -> "UnsharedConv2d":
        """The convolution's kernel, copied to every position: a start from which the copies may part."""
        assert conv.bias is not None and conv.groups == 1 and conv.dilation == (1, 1)
        k, s, p = conv.kernel_size[0], conv.stride[0], int(conv.padding[0])
        layer = cls(conv.in_channels, conv.out_channels, image_size, k, s, p)
        with torch.no_grad():
            layer.weight.copy_(conv.weight.flatten(1).expand_as(layer.weight))
            layer.bias.copy_(conv.bias[:, None, None].expand_as(layer.bias))
        return layer

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[-2:] != self.image_size:
            raise ValueError(f"images are {tuple(x.shape[-2:])}, but this layer has kernels for {self.image_size}")
        columns = F.unfold(x, self.kernel_size, stride=self.stride, padding=self.padding)  # (B, C k k, H' W')
        y = torch.einsum("bkp,pok->bop", columns, self.weight)
        return y.unflatten(2, self.out) + self.bias
