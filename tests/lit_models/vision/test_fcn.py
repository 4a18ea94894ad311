"""FCN: the battery, the start as interpolation, torchvision's names, published sizes."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from lit_models.vision.fcn import FCN, LitFCN, bilinear_kernel
from tests.battery import ADAM, TaskBattery


class TestLitFCN(TaskBattery):
    parameters = 21_975
    overfit_steps = 60
    overfit_loss = 0.5

    def model(self) -> LitFCN:
        torch.manual_seed(0)
        return LitFCN(num_classes=3, depth=10, width=4, stem="small", optimizer=ADAM)

    def batch(self) -> tuple[Tensor, Tensor]:
        y = torch.zeros(4, 32, 32, dtype=torch.long)
        y[:, :16, 8:], y[:, 20:, :16] = 1, 2
        x = torch.stack([y == 0, y == 1, y == 2], 1).float()
        return x + 0.1 * torch.rand(x.shape, generator=torch.Generator().manual_seed(0)), y


def test_enlargement_begins_as_interpolation_of_each_class() -> None:
    net = FCN(num_classes=4, depth=10, width=4)
    coarse = torch.rand(1, 4, 5, 5)
    inside = slice(16, -16)
    large = F.interpolate(coarse, scale_factor=32, mode="bilinear", align_corners=False)
    torch.testing.assert_close(
        net.enlarge(coarse)[..., inside, inside], large[..., inside, inside], atol=1e-5, rtol=1e-5
    )
    assert not bilinear_kernel(3, 4)[0, 1].any()


@pytest.mark.parametrize("variant", ["book", "torchvision"])
def test_logits_are_as_large_as_the_picture(variant: str) -> None:
    net = FCN(num_classes=3, depth=14, width=4, variant=variant).eval()  # type: ignore[arg-type]
    assert net(torch.rand(1, 3, 70, 90)).shape == (1, 3, 70, 90)


def test_dilated_stages_keep_the_size_of_the_second() -> None:
    net = FCN(num_classes=3, depth=10, width=4, variant="torchvision").eval()
    assert net.features(torch.rand(1, 3, 64, 64)).shape[-2:] == (8, 8)
    assert FCN(num_classes=3, depth=10, width=4).features(torch.rand(2, 3, 64, 64)).shape[-2:] == (2, 2)


def test_published_weights_load_by_name_with_another_number_of_classes(tmp_path: object) -> None:
    from pathlib import Path

    with torch.device("meta"):
        published = FCN(num_classes=21, depth=50, variant="torchvision").state_dict()
    small = {name: torch.zeros(value.shape) for name, value in published.items()}
    file = Path(str(tmp_path)) / "fcn_resnet50_coco.pth"
    torch.save({**small, "aux_classifier.0.weight": torch.zeros(256, 1024, 3, 3)}, file)
    model = LitFCN(num_classes=5, weights=str(file))
    assert model.hparams["variant"] == "torchvision" and model.weights_from == "published"
    model.take_weights()
    assert not model.net.classifier[0].weight.any()  # type: ignore[union-attr,index]
    assert model.net.classifier[4].weight.shape[0] == 5 and model.net.classifier[4].weight.any()  # type: ignore[union-attr,index]
