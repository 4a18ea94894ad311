"""im2col: a convolution as one matrix product, which is how most libraries on most machines do it.

Chellapilla, Puri and Simard 2006, "High performance convolutional neural networks for document processing". Each place
where the kernel is laid becomes a column of the pixels under it. The columns overlap, so they hold a pixel up to kH kW
times: memory is what the speed costs. col2im, the transpose, adds them up again.
"""

from torch import Tensor
from torch.nn import functional as F

from lit_models.convolution.cross_correlation import Pair, output_size, pair


def im2col(x: Tensor, kernel_size: Pair, stride: Pair = 1, padding: Pair = 0, dilation: Pair = 1) -> Tensor:
    """(B, C, H, W) -> (B, C kH kW, H' W'): a view of the padded image with repeated strides, copied once."""
    (kh, kw), (sh, sw), (ph, pw), (dh, dw) = pair(kernel_size), pair(stride), pair(padding), pair(dilation)
    h, w = x.shape[-2:]
    oh, ow = output_size(h, kh, sh, ph, dh), output_size(w, kw, sw, pw, dw)
    x = F.pad(x, (pw, pw, ph, ph)).contiguous()
    b, c = x.shape[:2]
    by_batch, by_channel, by_row, by_column = x.stride()
    view = x.as_strided(
        (b, c, kh, kw, oh, ow),
        (by_batch, by_channel, dh * by_row, dw * by_column, sh * by_row, sw * by_column),
    )
    return view.reshape(b, c * kh * kw, oh * ow)


def col2im(
    columns: Tensor, size: tuple[int, int], kernel_size: Pair, stride: Pair = 1, padding: Pair = 0, dilation: Pair = 1
) -> Tensor:
    """The transpose of ``im2col``: (B, C kH kW, H' W') -> (B, C, H, W), each column added where it was taken from."""
    (kh, kw), (sh, sw), (ph, pw), (dh, dw) = pair(kernel_size), pair(stride), pair(padding), pair(dilation)
    h, w = size
    oh, ow = output_size(h, kh, sh, ph, dh), output_size(w, kw, sw, pw, dw)
    pieces = columns.unflatten(2, (oh, ow)).unflatten(1, (-1, kh, kw))  # (B, C, kH, kW, H', W')
    image = columns.new_zeros(*pieces.shape[:2], h + 2 * ph, w + 2 * pw)
    for u in range(kh):
        for v in range(kw):
            rows, cols = slice(u * dh, u * dh + sh * (oh - 1) + 1, sh), slice(v * dw, v * dw + sw * (ow - 1) + 1, sw)
            image[..., rows, cols] += pieces[:, :, u, v]
    return image[..., ph : ph + h, pw : pw + w]


def im2col_correlate2d(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Pair = 1, padding: Pair = 0, dilation: Pair = 1
) -> Tensor:
    """Cross-correlation as one product of (O, C kH kW) with (C kH kW, H' W') for each image."""
    (sh, sw), (ph, pw), (dh, dw) = pair(stride), pair(padding), pair(dilation)
    (h, w), (kh, kw) = x.shape[-2:], weight.shape[-2:]
    y = weight.flatten(1) @ im2col(x, (kh, kw), stride, padding, dilation)  # (B, O, H' W')
    y = y.unflatten(2, (output_size(h, kh, sh, ph, dh), output_size(w, kw, sw, pw, dw)))
    return y if bias is None else y + bias[:, None, None]
