"""TimeSformer: the battery, what attends to what, weights of other sizes."""

import pytest
import torch
from torch import Tensor

from common.messages import UserError
from lit_models.layers.pretrained import compare
from lit_models.video.timesformer import LitTimeSformer, TimeSformer
from tests.battery import ADAM, ClassifierBattery

SMALL = {"in_channels": 1, "num_frames": 3, "image_size": 8, "patch_size": 4, "hidden_size": 8, "num_layers": 1}


def small(**other: int) -> TimeSformer:
    return TimeSformer(**({"num_classes": 3, "num_heads": 2, "ffn_size": 8} | SMALL | other)).eval()  # type: ignore[arg-type]


class TestLitTimeSformer(ClassifierBattery):
    parameters = 1_136  # embeddings 208, two attentions 576, three dense layers 216, norms 64, last layer 72
    overfit_steps = 120

    def model(self) -> LitTimeSformer:
        return LitTimeSformer(num_classes=8, num_heads=2, ffn_size=8, optimizer=ADAM, **SMALL)

    def batch(self) -> tuple[Tensor, Tensor]:
        return torch.rand(8, 1, 3, 8, 8), torch.arange(8)


def test_without_attention_over_time_and_its_positions_frames_are_a_bag() -> None:
    x = torch.rand(2, 1, 3, 8, 8)
    for divided in (False, True):
        net = small(divided=divided)
        torch.nn.init.zeros_(net.timesformer.embeddings.time_embeddings)  # type: ignore[arg-type,union-attr]
        torch.testing.assert_close(net(x[:, :, [2, 0, 1]]), net(x))
        torch.nn.init.normal_(net.timesformer.embeddings.time_embeddings)  # type: ignore[arg-type,union-attr]
        assert not torch.allclose(net(x[:, :, [2, 0, 1]]), net(x))


def test_attention_over_time_adds_nothing_at_the_papers_beginning() -> None:
    net = small(zero_time=True)
    layer = net.timesformer.encoder["layer"][0]  # type: ignore[index,union-attr]
    x = torch.rand(1, 1 + 4 * 3, 8)
    with_time = layer(x)
    layer.divided = False
    torch.testing.assert_close(layer(x), with_time)


def test_weights_of_another_frame_count_are_named() -> None:
    theirs = small(num_frames=6).state_dict()
    with pytest.raises(UserError, match=r"num_frames is 6 in the file, 3 here; give --model.num_frames 6"):
        compare(small(), TimeSformer.sizes_of(theirs, {}), "file.pth")
    assert TimeSformer.sizes_of(small().state_dict(), {}) == small().sizes()


def test_patches_that_do_not_divide_the_frame_are_named() -> None:
    with pytest.raises(UserError, match=r"data.image_size 10 is not a multiple of model.patch_size 4"):
        small(image_size=10)
    with pytest.raises(UserError, match="num_heads 3"):
        small(num_heads=3)
