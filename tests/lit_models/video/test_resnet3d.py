"""R(2+1)D, R3D and MC3: the battery, published sizes and names."""

import pytest
import torch
from torch import Tensor, nn
from torchvision.models import video as tv

from lit_models.video.resnet3d import LitVideoResNet, VideoResNet, inner_channels
from tests.battery import ADAM, ClassifierBattery


class TestLitVideoResNet(ClassifierBattery):
    parameters = 12_578  # stem 134; stages 916, 2,320 and 9,072; last layer 136
    overfit_steps = 40

    def model(self) -> LitVideoResNet:
        return LitVideoResNet(
            num_classes=8, in_channels=1, num_frames=4, image_size=12, width=4, blocks=[1, 1, 1], optimizer=ADAM
        )

    def batch(self) -> tuple[Tensor, Tensor]:
        return torch.rand(8, 1, 4, 12, 12), torch.arange(8)


@pytest.mark.parametrize(
    ("variant", "theirs", "parameters"),
    [("r2plus1d", tv.r2plus1d_18, 31_505_325), ("r3d", tv.r3d_18, 33_371_472), ("mc3", tv.mc3_18, 11_695_440)],
)
def test_published_names_and_sizes_are_torchvisions(variant: str, theirs: type, parameters: int) -> None:
    with torch.device("meta"):
        ours, published = VideoResNet(variant=variant), theirs(weights=None)  # type: ignore[arg-type]
    shapes = [{name: value.shape for name, value in net.state_dict().items()} for net in (ours, published)]
    assert shapes[0] == shapes[1]
    assert sum(p.numel() for p in ours.parameters()) == parameters


def test_inner_channels_keep_the_number_of_parameters() -> None:
    assert inner_channels(64, 64) == 144 and inner_channels(64, 128) == 230
    assert 64 * 9 * 144 + 144 * 3 * 64 == 64 * 64 * 27


def test_frames_are_halved_where_neighbors_are_seen() -> None:
    x = torch.rand(1, 1, 8, 16, 16)
    for variant, frames in (("r2plus1d", 4), ("r3d", 4), ("mc3", 8)):
        net = VideoResNet(1, 2, variant, 4, [1, 1])  # type: ignore[arg-type]
        assert net.layer2(net.layer1(net.stem(x))).shape == (1, 8, frames, 4, 4)


def test_frozen_features_leave_the_last_layer_in_training() -> None:
    model = LitVideoResNet(num_classes=3, in_channels=1, width=4, blocks=[1], freeze_features=True).train()
    assert [name for name, p in model.named_parameters() if p.requires_grad] == ["net.fc.weight", "net.fc.bias"]
    assert not any(m.training for m in model.modules() if isinstance(m, nn.BatchNorm3d))
