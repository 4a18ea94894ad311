"""Learns a kernel from pictures and a filter's outputs for them: the result is the filter's kernel.

D2L 7.2.4, which learns [1, -1] from one picture of a black bar; Goodfellow et al. 9.1.
Departs from the book: photographs instead of the bar, and a 3 x 3 kernel. On bars that stand upright every row is the
same, so only the sums of the kernel's columns are determined (``--data.pictures bars``): the filter's outputs are
predicted equally well, but with another kernel. The book's kernel of one row hides that.

    dive fit convolution/learned_kernel                        a Sobel kernel from photographs, offline
    dive fit convolution/learned_kernel --data.filter laplace  or emboss, blur, book

The numbers they reach are in RESULTS.md; kernels.png shows the kernel before, after and the true one.
"""

from typing import Any

import torch
from torch import Tensor, nn

from lit_models.convolution.cross_correlation import correlate2d
from lit_models.tasks.regressor import Regressor
from lit_models.tasks.trains import trains


class LearnedKernel(nn.Module):
    """One cross-correlation by hand. (B, C, H, W) -> (B, 1, H - k + 1, W - k + 1).

    Args:
        in_channels: C.
        kernel_size: Side k of the kernel.
    """

    def __init__(self, in_channels: int = 1, kernel_size: int = 3) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(1, in_channels, kernel_size, kernel_size))
        self.bias = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        return correlate2d(x, self.weight, self.bias)


@trains(LearnedKernel)
class LitLearnedKernel(Regressor):
    """Fits one kernel to pictures x (B, C, H, W) and a filter's outputs y, flattened.

    ``test/kernel_error`` is the largest difference between the kernel found and the data's (``datamodule.kernel``).

    Args:
        image_size: Side of the pictures, for ``example_input`` only.
        **task: See ``Task``.
    """

    def __init__(self, image_size: int = 24, **task: Any) -> None:
        super().__init__(**task)

    def on_test_epoch_end(self) -> None:
        super().on_test_epoch_end()
        true: Tensor | None = self.data_attribute("kernel")
        weight: Any = self.net.weight
        if true is not None and true.shape == weight.shape:
            self.log("test/kernel_error", (weight - true.to(weight)).abs().max())
