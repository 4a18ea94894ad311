"""Residual blocks: shapes, shortcuts, the straight line of the pre-activation form."""

from typing import Any

import pytest
import torch
from torch import nn

from lit_models.layers.residual import BasicBlock, Bottleneck, NarrowConv1x1, shortcut


@pytest.mark.parametrize("pre_activation", [False, True])
@pytest.mark.parametrize(("block", "out"), [(BasicBlock, 8), (Bottleneck, 32)])
def test_a_stride_halves_the_map_and_the_shortcut_follows(
    block: type[nn.Module], out: int, pre_activation: bool
) -> None:
    layer = block(4, 8, 2, pre_activation)
    assert layer(torch.rand(2, 4, 9, 9)).shape == (2, out, 5, 5)


def test_no_shortcut_convolution_where_the_shape_stays() -> None:
    assert shortcut(8, 8, 1, normalized=True) is None
    assert shortcut(8, 8, 2, normalized=True) is not None and shortcut(8, 16, 1, normalized=True) is not None


def test_the_shortcut_is_normalized_unlike_the_books() -> None:
    kinds = [type(m) for m in BasicBlock(4, 8, 2).downsample or []]
    assert kinds == [NarrowConv1x1, nn.BatchNorm2d]
    assert [type(m) for m in BasicBlock(8, 8, 2).downsample or []] == [nn.Conv2d, nn.BatchNorm2d]


@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last])
def test_a_narrow_shortcut_is_the_strided_convolution(order: torch.memory_format) -> None:
    """In channels-last order the strided one may corrupt the memory, so that the reference here has the other order."""
    torch.manual_seed(0)
    ours, reference = NarrowConv1x1(4, 6, 1, 2, bias=False), nn.Conv2d(4, 6, 1, 2, bias=False)
    reference.load_state_dict(ours.state_dict())
    x = torch.rand(2, 4, 7, 9)
    expected = reference(x)
    expected.square().sum().backward()
    out = ours.to(memory_format=order)(x.contiguous(memory_format=order))  # type: ignore[call-overload]
    out.square().sum().backward()
    torch.testing.assert_close(out, expected)
    torch.testing.assert_close(ours.weight.grad, reference.weight.grad)


@pytest.mark.parametrize("block", [BasicBlock(4, 4, pre_activation=True), Bottleneck(16, 4, pre_activation=True)])
def test_a_pre_activation_block_whose_last_convolution_is_zero_is_the_identity(block: nn.Module) -> None:
    nn.init.zeros_([m for m in block.modules() if isinstance(m, nn.Conv2d)][-1].weight)
    x = torch.randn(2, 16 if isinstance(block, Bottleneck) else 4, 5, 5)
    assert torch.equal(block(x), x)  # negative numbers pass too: no ReLU lies on the line


def test_after_activation_negative_numbers_do_not_pass() -> None:
    block = BasicBlock(4, 4)
    nn.init.zeros_(block.bn2.weight)
    x = torch.randn(2, 4, 5, 5)
    torch.testing.assert_close(block(x), x.relu())


@pytest.mark.parametrize("pre_activation", [False, True])
@pytest.mark.parametrize("kind", [BasicBlock, Bottleneck])
def test_a_block_is_its_formula(kind: Any, pre_activation: bool) -> None:
    block, x = kind(4, 8, 2, pre_activation), torch.randn(3, 4, 7, 7)
    numbers = (1, 2) if kind is BasicBlock else (1, 2, 3)
    parts = [(getattr(block, f"conv{k}"), getattr(block, f"bn{k}")) for k in numbers]
    h, first = x, None
    for conv, norm in parts:
        if pre_activation:
            h = norm(h).relu()
            first = h if first is None else first
            h = conv(h)
        else:
            h = norm(conv(h if conv is block.conv1 else h.relu()))
    if pre_activation:
        expected = h + block.downsample(first)
    else:
        expected = (h + block.downsample(x)).relu()
    torch.testing.assert_close(block(x), expected)
    strides = [conv.stride[0] for conv, _ in parts]
    assert strides == ([2, 1] if kind is BasicBlock else [1, 2, 1])
    assert [type(m) for m in block.downsample] == [NarrowConv1x1] + [nn.BatchNorm2d] * (not pre_activation)


def test_the_width_of_groups_is_counted_as_resnext_does() -> None:
    """ResNeXt-50 32 x 4d: 128 channels in 32 groups of four where a ResNet has 64."""
    assert Bottleneck(64, 64, groups=32, group_width=4).conv2.weight.shape == (128, 4, 3, 3)


def test_groups_do_not_see_each_other() -> None:
    block = Bottleneck(16, 16, groups=4, group_width=16)
    assert block.conv2.weight.shape == (16, 4, 3, 3)
    x = torch.rand(1, 16, 3, 3)
    changed = x.clone()
    changed[:, :4] += 1
    assert torch.equal(block.conv2(x)[:, 4:], block.conv2(changed)[:, 4:])
    assert not torch.equal(block.conv2(x)[:, :4], block.conv2(changed)[:, :4])


def test_the_input_is_left_as_it_was() -> None:
    x = torch.randn(2, 4, 5, 5)
    before = x.clone()
    for pre_activation in (False, True):
        BasicBlock(4, 4, pre_activation=pre_activation)(x)
    assert torch.equal(x, before)


@pytest.mark.parametrize(("block", "out"), [(BasicBlock, 8), (Bottleneck, 32)])
def test_a_pre_activation_shortcut_convolves_what_the_first_convolution_reads(block: type[nn.Module], out: int) -> None:
    """He et al. 2016b: where the shape changes, the shortcut begins after the first normalization and ReLU."""
    layer = block(4, 8, stride=2, pre_activation=True).eval()
    nn.init.zeros_([m for name, m in layer.named_modules() if name.startswith("conv")][-1].weight)
    x = torch.randn(2, 4, 6, 6)
    (weight,) = layer.downsample.parameters()  # (out, 4, 1, 1)
    read = torch.clamp(x / (1 + layer.bn1.eps) ** 0.5, min=0)[:, :, ::2, ::2]
    torch.testing.assert_close(layer(x), torch.einsum("oi,bihw->bohw", weight[:, :, 0, 0], read))
