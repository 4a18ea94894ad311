"""Convolutions as matrices: Toeplitz, circulant, doubly block circulant, and what follows from it."""

import pytest
import torch
from scipy import linalg
from torch.nn import functional as F

from lit_models.convolution.matrix import circulant, doubly_block_circulant, layer_matrix, toeplitz


def test_toeplitz_matrix_is_scipys_and_correlates() -> None:
    kernel, x = torch.randn(3).double(), torch.randn(7).double()
    matrix = toeplitz(kernel, 7)
    theirs = linalg.toeplitz([kernel[0], 0, 0, 0, 0], [*kernel.tolist(), 0, 0, 0, 0])
    torch.testing.assert_close(matrix, torch.from_numpy(theirs))
    torch.testing.assert_close(matrix @ x, F.conv1d(x[None, None], kernel[None, None])[0, 0])


def test_circulant_matrix_is_scipys_and_the_fourier_vectors_are_its_eigenvectors() -> None:
    kernel = torch.randn(3).double()
    padded = F.pad(kernel, (0, 5))
    matrix = circulant(kernel, 8)
    torch.testing.assert_close(matrix, torch.from_numpy(linalg.circulant(padded.numpy())))
    vectors = torch.fft.fft(torch.eye(8).double()).conj() / 8**0.5
    eigenvalues = torch.fft.fft(padded)
    torch.testing.assert_close(matrix.to(vectors.dtype) @ vectors, vectors * eigenvalues)


def test_doubly_block_circulant_matrix_convolves_on_the_torus() -> None:
    kernel, x = torch.randn(3, 2).double(), torch.randn(5, 6).double()
    matrix = doubly_block_circulant(kernel, 5, 6)
    theirs = sum(kernel[u, v] * x.roll((u, v), (0, 1)) for u in range(3) for v in range(2))
    torch.testing.assert_close((matrix @ x.flatten()).unflatten(0, (5, 6)), theirs)
    assert all(torch.equal(row.sort().values, matrix[0].sort().values) for row in matrix)  # the same weights in each


@pytest.mark.parametrize("stride", [1, 2])
def test_layer_matrix_is_the_layer_and_its_transpose_the_transposed_convolution(stride: int) -> None:
    weight, x = torch.randn(3, 2, 3, 2).double(), torch.randn(4, 2, 7, 6).double()
    matrix = layer_matrix(weight, 7, 6, stride)
    y = F.conv2d(x, weight, stride=stride)
    torch.testing.assert_close((x.flatten(1) @ matrix.T).view_as(y), y)
    back = F.conv_transpose2d(y, weight, stride=stride)
    back = F.pad(back, (0, 6 - back.shape[3], 0, 7 - back.shape[2]))
    torch.testing.assert_close((y.flatten(1) @ matrix).view_as(x), back)


def test_gradient_reaches_the_kernel_through_its_copies() -> None:
    kernel = torch.randn(3, requires_grad=True)
    toeplitz(kernel, 7).sum().backward()
    assert kernel.grad is not None and kernel.grad.tolist() == [5, 5, 5]  # five copies of each


def test_kernel_larger_than_its_ring_is_refused() -> None:
    with pytest.raises(ValueError, match="does not fit on a ring of 3"):
        circulant(torch.zeros(4), 3)
