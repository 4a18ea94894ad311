"""A convolution is a matrix: Toeplitz along a line, circulant on a ring, doubly block circulant on a torus.

Goodfellow et al. 9.1. The matrix is sparse (a row has as many entries as the kernel) and its entries are shared (each
kernel weight appears once in every row). Its transpose is the transposed convolution (``by_hand.py``). On a ring the
Fourier vectors are its eigenvectors, whatever the kernel is, and the kernel's spectrum its eigenvalues: that is why a
convolution is a product after an FFT (``fourier.py``).
"""

import torch
from torch import Tensor

from lit_models.convolution.cross_correlation import output_size


def toeplitz(kernel: Tensor, size: int) -> Tensor:
    """The matrix of a cross-correlation without padding: kernel (K,), signal (size,) -> (size - K + 1, size)."""
    rows = torch.arange(output_size(size, len(kernel)))[:, None]
    matrix = kernel.new_zeros(len(rows), size)
    matrix[rows, rows + torch.arange(len(kernel))] = kernel
    return matrix


def circulant(kernel: Tensor, size: int) -> Tensor:
    """The matrix (size, size) of a circular convolution, y[i] = sum over k of kernel[k] x[(i - k) mod size]."""
    if len(kernel) > size:
        raise ValueError(f"a kernel of {len(kernel)} does not fit on a ring of {size}")
    rows = torch.arange(size)[:, None]
    matrix = kernel.new_zeros(size, size)
    matrix[rows, (rows - torch.arange(len(kernel))) % size] = kernel
    return matrix


def doubly_block_circulant(kernel: Tensor, height: int, width: int) -> Tensor:
    """The matrix of a circular convolution on images: kernel (kH, kW) -> (height width, height width).

    Blocks (width, width), each circulant in a row of the kernel, stand in a circulant arrangement.
    """
    blocks = torch.stack([circulant(row, width) for row in kernel])  # (kH, W, W)
    rows = torch.arange(height)[:, None]
    matrix = kernel.new_zeros(height, height, width, width)
    matrix[rows, (rows - torch.arange(len(kernel))) % height] = blocks
    return matrix.transpose(1, 2).reshape(height * width, height * width)


def layer_matrix(weight: Tensor, height: int, width: int, stride: int = 1) -> Tensor:
    """The matrix of a whole convolutional layer without padding.

    Args:
        weight: Kernels (O, C, kH, kW).
        height, width: Of the image.
        stride: In both directions.

    Returns:
        (O H' W', C H W), to be multiplied with a flattened image. For C = O = 1 and stride 1: doubly block Toeplitz.
    """
    o, c, kh, kw = weight.shape
    i = torch.arange(output_size(height, kh, stride))[:, None, None, None] * stride + torch.arange(kh)[:, None]
    j = torch.arange(output_size(width, kw, stride))[:, None, None] * stride + torch.arange(kw)
    columns = (i * width + j).flatten(0, 1).flatten(1)  # (H' W', kH kW): which pixel each kernel entry meets
    positions = torch.arange(len(columns))[:, None]
    matrix = weight.new_zeros(o, c, len(columns), height * width)
    matrix[:, :, positions, columns] = weight.flatten(2)[:, :, None]
    return matrix.transpose(1, 2).reshape(o * len(columns), c * height * width)
