"""The vision transformer: the battery for both forms, and the facts of its own file."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torchvision.models import VisionTransformer

from common.messages import UserError
from lit_models.attention.vit import LitViT, ViT
from lit_models.layers.pretrained import load_weights
from tests.battery import ADAM, ClassifierBattery


class TestLitViT(ClassifierBattery):
    # patches 49 * 16 + 16, class token, 17 positions; layer 4 * 256 + 64, FFN, norms; last norm; head
    layer = 4 * 16 * 16 + 4 * 16 + 2 * 16 * 24 + 24 + 16 + 4 * 16
    parameters = 800 + 16 + 17 * 16 + layer + 32 + 170
    settings: dict[str, Any] = {}

    def model(self) -> LitViT:
        return LitViT(hidden_size=16, num_layers=1, num_heads=2, ffn_size=24, optimizer=ADAM, **self.settings)

    def batch(self) -> tuple[Tensor, Tensor]:
        torch.manual_seed(0)
        return torch.rand(8, 1, 28, 28), torch.arange(8)


class TestBookForm(TestLitViT):
    parameters = TestLitViT.parameters - 4 * 16  # no biases in the attention
    settings = {"variant": "book"}


def vit(**settings: Any) -> ViT:
    torch.manual_seed(0)
    return ViT(3, 5, 12, 4, 16, 2, 2, 24, **settings).double().eval()


def test_without_positions_an_image_is_a_bag_of_patches() -> None:
    image = torch.rand(1, 3, 12, 12, dtype=torch.float64)
    swapped = image.clone()
    swapped[..., :4, :4], swapped[..., 4:8, 8:] = image[..., 4:8, 8:], image[..., :4, :4]
    for positions, same in ((True, False), (False, True)):
        net = vit(positions=positions)
        assert torch.allclose(net(image), net(swapped)) == same


def test_patches_must_divide_the_image() -> None:
    with pytest.raises(ValueError, match="image_size 28 is not a multiple of patch_size 5"):
        ViT(patch_size=5)


def torchvision_vit(classes: int = 5) -> VisionTransformer:
    torch.manual_seed(1)
    return VisionTransformer(12, 4, 2, 2, 16, 24, num_classes=classes).eval()


SIZES: dict[str, Any] = {
    "in_channels": 3,
    "image_size": 12,
    "patch_size": 4,
    "hidden_size": 16,
    "num_layers": 2,
    "num_heads": 2,
}


def test_a_file_of_torchvisions_weights_gives_its_features(tmp_path: Path) -> None:
    theirs, x = torchvision_vit(), torch.rand(2, 3, 12, 12)
    torch.nn.init.normal_(theirs.heads.head.weight)  # type: ignore[arg-type]
    torch.save(theirs.state_dict(), tmp_path / "vit.pth")
    ours = ViT(num_classes=5, ffn_size=24, **SIZES).eval()
    load_weights(ours, str(tmp_path / "vit.pth"))
    torch.testing.assert_close(ours(x), theirs(x), atol=1e-5, rtol=1e-4)


def test_a_head_of_other_classes_stays_new(tmp_path: Path) -> None:
    torch.save(torchvision_vit(7).state_dict(), tmp_path / "vit.pth")
    ours = ViT(num_classes=5, ffn_size=24, **SIZES)
    load_weights(ours, str(tmp_path / "vit.pth"))
    assert ours(torch.rand(2, 3, 12, 12)).shape == (2, 5)
    torch.testing.assert_close(ours.class_token, torchvision_vit(7).class_token)


def test_what_does_not_fit_is_one_line(tmp_path: Path) -> None:
    torch.save(torchvision_vit().state_dict(), tmp_path / "vit.pth")
    for change, message in (
        ({"num_layers": 3}, "num_layers is 2 in the file, 3 here; give --model.num_layers 2"),
        ({"hidden_size": 32}, "give --model.hidden_size 16"),
        ({"image_size": 16}, "give --data.image_size 12"),
        ({"variant": "book"}, "give --model.variant torchvision"),
    ):
        with pytest.raises(UserError, match=message) as caught:
            load_weights(ViT(num_classes=5, ffn_size=24, **(SIZES | change)), str(tmp_path / "vit.pth"))
        assert "\n" not in str(caught.value) and caught.value.exit_code == 2


def test_the_names_in_published_files_are_known(tmp_path: Path) -> None:
    theirs, x = torchvision_vit(), torch.rand(2, 3, 12, 12)
    old = {
        k.replace("mlp.0", "mlp.linear_1").replace("mlp.3", "mlp.linear_2"): v for k, v in theirs.state_dict().items()
    }
    assert "encoder.layers.encoder_layer_0.mlp.linear_1.weight" in old
    torch.save(old, tmp_path / "vit.pth")
    ours = ViT(num_classes=5, ffn_size=24, **SIZES).eval()
    load_weights(ours, str(tmp_path / "vit.pth"))
    torch.testing.assert_close(ours(x), theirs(x), atol=1e-5, rtol=1e-4)


def test_the_heads_of_published_sizes_are_compared() -> None:
    tensors = {
        k: torch.empty(v.shape, device="meta") for k, v in ViT(hidden_size=768, num_heads=12).state_dict().items()
    }
    assert ViT.sizes_of(tensors, {})["num_heads"] == 12
    assert ViT.sizes_of({"fc.weight": torch.zeros(2, 2)}, {}) == {}


def test_frozen_features_leave_the_head() -> None:
    model = LitViT(hidden_size=16, num_layers=1, num_heads=2, ffn_size=24, freeze_features=True)
    assert [name for name, p in model.named_parameters() if p.requires_grad] == ["net.head.weight", "net.head.bias"]
