"""Perceiver: the battery, positions, inputs of any size, reading several times."""

import torch
from torch import Tensor

from lit_models.multimodal.perceiver import LitPerceiver, Perceiver, fourier_positions
from tests.battery import ADAM, ClassifierBattery


def small(**other: object) -> Perceiver:
    return Perceiver(1, 10, 8, 4, 16, 1, 2, **other)  # type: ignore[arg-type]


class TestLitPerceiver(ClassifierBattery):
    inputs = 1 + 2 * (2 * 8 + 1)
    read = 2 * 16 + 2 * inputs + 17 * inputs + 2 * inputs * (inputs + 1) + 16 * (inputs + 1) + 2 * 16 + 2 * 16 * 17
    layer = 4 * 16 + 6 * 16 * 17
    parameters = 4 * 16 + read + layer + 17 * 10

    def model(self) -> LitPerceiver:
        model = LitPerceiver(image_size=8, num_latents=4, latent_size=16, num_layers=1, num_heads=2, optimizer=ADAM)
        return model

    def batch(self) -> tuple[Tensor, Tensor]:
        return torch.eye(8)[:, None, :, None].expand(-1, -1, -1, 8).contiguous(), torch.arange(8)  # one bright row each


def test_without_positions_a_picture_is_a_bag_of_pixels() -> None:
    torch.manual_seed(0)
    x = torch.rand(2, 1, 8, 8)
    mixed = x.flatten(2)[..., torch.randperm(64)].view_as(x)
    for positions in (False, True):
        net = small(positions=positions).eval()
        assert torch.allclose(net(mixed), net(x), atol=1e-5) != positions


def test_positions_tell_all_places_apart_and_do_not_exceed_one() -> None:
    table = fourier_positions(8, 3)
    assert table.shape == (64, 14) and float(table.abs().max()) <= 1
    assert float(torch.pdist(table).min()) > 0.1
    torch.testing.assert_close(table[0, :2], -torch.ones(2, dtype=torch.float64))


def test_pixels_may_be_read_several_times_with_the_same_weights() -> None:
    torch.manual_seed(0)
    once, twice = small(), small(num_reads=2)
    twice.load_state_dict(once.state_dict())
    x = torch.rand(2, 1, 8, 8)
    assert not torch.allclose(once.features(x), twice.features(x))
    pixels = torch.cat([x.flatten(2).transpose(1, 2), once.positions.expand(2, -1, -1)], 2)
    again = once.layers[0](once.read(once.features(x), pixels))
    torch.testing.assert_close(twice.features(x), again)


def test_frozen_features_leave_the_last_layer() -> None:
    model = LitPerceiver(image_size=8, num_latents=4, latent_size=16, num_layers=1, num_heads=2, freeze_features=True)
    assert [name for name, p in model.named_parameters() if p.requires_grad] == ["net.fc.weight", "net.fc.bias"]
