"""DiT: its shapes, its beginning, what level, class and place change."""

import pytest
import torch
from torch import nn

from common.messages import UserError
from lit_models.diffusion.digits import LitDigits
from lit_models.diffusion.dit import DiT, LitDiT, places


def drawn(**sizes: int) -> DiT:
    """With weights that are not zero."""
    torch.manual_seed(0)
    net = DiT(1, 8, num_classes=3, hidden_size=16, num_layers=2, **sizes)
    for p in net.parameters():
        nn.init.normal_(p, std=0.2)
    return net


def test_every_parameter_gets_a_gradient_and_the_shape_stays() -> None:
    net, x = drawn(patch_size=4), torch.randn(4, 1, 8, 8)
    out = net(x, torch.arange(4), torch.arange(4))
    out.square().sum().backward()
    assert (
        out.shape == x.shape and DiT(3, 8, variance="learned")(x.expand(-1, 3, -1, -1), torch.arange(4)).shape[1] == 6
    )
    assert not [name for name, p in net.named_parameters() if p.grad is None or not bool(p.grad.abs().sum() > 0)]


def test_each_block_adds_nothing_at_first_and_the_prediction_is_zero() -> None:
    net, tokens = DiT(1, 8, hidden_size=16), torch.randn(2, 16, 16)
    condition = torch.randn(2, 16)
    assert torch.equal(net.transformer_blocks[0](tokens, condition), tokens)
    assert not bool(net(torch.randn(2, 1, 8, 8), torch.tensor([3, 4])).any())


def test_level_class_and_place_change_the_prediction() -> None:
    net, x = drawn().eval(), torch.randn(1, 1, 8, 8).expand(3, -1, -1, -1)
    found = net(x, torch.tensor([10, 10, 700]), torch.tensor([0, 1, 0]))
    assert not torch.allclose(found[0], found[1]) and not torch.allclose(found[0], found[2])
    t = torch.tensor([5])
    torch.testing.assert_close(net(x[:1], t), net(x[:1], t, torch.tensor([3])))  # the last one is "no class"
    moved = net(x[:1].roll((2, 4), (2, 3)), t).roll((-2, -4), (2, 3))
    assert not torch.allclose(moved, net(x[:1], t))


def test_pixels_of_a_patch_return_to_their_places() -> None:
    """With an output layer that copies the patch the picture comes back."""
    net, x = drawn(), torch.randn(2, 1, 8, 8)
    patches = x.unfold(2, 2, 2).unfold(3, 2, 2).reshape(2, 16, 4)
    net.proj_out_2 = Copy(patches)  # type: ignore[assignment]
    assert torch.equal(net(x, torch.tensor([1, 2])), x)


class Copy(nn.Module):
    def __init__(self, out: torch.Tensor) -> None:
        super().__init__()
        self.out = out

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out


def test_it_is_trained_with_the_sizes_of_the_data_and_samples_pictures() -> None:
    net = LitDiT(in_channels=1, image_size=8, num_classes=3, hidden_size=16, num_layers=1, prediction="v", steps=2)
    *_, last = net.eval().sample((2, *net.data_shape), torch.tensor([0, 2]))
    assert last.shape == (2, 1, 8, 8) and not bool(net.net(torch.rand(1, 1, 8, 8), torch.tensor([3])).any())


def test_it_takes_the_place_of_the_u_net() -> None:
    net = LitDigits(image_size=8, num_classes=3, net=DiT(1, 8, 3, hidden_size=16), num_timesteps=10, steps=2).eval()
    *_, last = net.sample((2, 1, 8, 8), torch.tensor([0, 2]))
    assert last.shape == (2, 1, 8, 8)


def test_sizes_that_do_not_divide_are_one_line() -> None:
    with pytest.raises(UserError, match=r"data.image_size 9 is not a multiple of patch_size 2: give 8"):
        DiT(image_size=9)
    with pytest.raises(UserError, match="hidden_size 18"):
        DiT(hidden_size=18)


def test_places_have_the_column_first_as_diffusers_has() -> None:
    table = places(3, 8)
    assert torch.equal(table[1, 4:], table[0, 4:]) and not torch.equal(table[1, :4], table[0, :4])  # one to the right
    assert torch.equal(table[3, :4], table[0, :4]) and not torch.equal(table[3, 4:], table[0, 4:])  # one down
