"""GoogLeNet in both forms: the battery, the book's shapes, the heads on the way."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lit_models.cnn.googlenet import GoogLeNet, Inception, LitGoogLeNet
from tests.battery import ADAM, ClassifierBattery


class TestLitGoogLeNet(ClassifierBattery):
    parameters = 23_447
    overfit_steps = 30

    def model(self) -> LitGoogLeNet:
        return LitGoogLeNet(
            num_classes=10,
            in_channels=1,
            image_size=16,
            stem="small",
            width=0.0625,
            dropout=0.0,
            optimizer=ADAM,
        )

    def batch(self) -> tuple[Tensor, Tensor]:
        return torch.rand(8, 1, 16, 16), torch.arange(8)


@pytest.mark.parametrize(("auxiliary", "parameters"), [(False, 6_624_904), (True, 13_004_888)])
def test_published_number_of_parameters(auxiliary: bool, parameters: int) -> None:
    with torch.device("meta"):
        net = GoogLeNet(auxiliary=auxiliary)
    assert sum(p.numel() for p in net.parameters()) == parameters


def test_the_papers_form_has_the_number_of_parameters_of_the_caffe_model() -> None:
    with torch.device("meta"):
        assert sum(p.numel() for p in GoogLeNet(variant="paper").parameters()) == 6_998_552


def test_shapes_are_the_books() -> None:
    net, x = GoogLeNet(1, 10, 96, variant="paper").eval(), torch.rand(1, 1, 96, 96)
    shapes = {}
    for name in ("maxpool1", "maxpool2", "maxpool3", "maxpool4"):
        getattr(net, name).register_forward_hook(lambda m, i, o, name=name: shapes.update({name: tuple(o.shape[1:])}))
    with torch.inference_mode():
        net(x)
    expected = {"maxpool1": (64, 24, 24), "maxpool2": (192, 12, 12), "maxpool3": (480, 6, 6), "maxpool4": (832, 3, 3)}
    assert shapes == expected  # D2L 8.4.3


@pytest.mark.parametrize(("variant", "kernel"), [("paper", 5), ("torchvision", 3)])
def test_kernels_and_normalization_of_each_form(variant: Any, kernel: int) -> None:
    block = Inception(8, (2, 2, 4, 2, 3, 1), variant)
    assert block(torch.rand(1, 8, 5, 5)).shape == (1, 10, 5, 5)
    assert block.branch3[1].conv.kernel_size == (kernel, kernel)
    assert any(isinstance(m, nn.BatchNorm2d) for m in block.modules()) == (variant == "torchvision")


def test_heads_on_the_way_count_a_third_in_training_and_nothing_in_evaluation() -> None:
    torch.manual_seed(0)
    model = LitGoogLeNet(
        in_channels=1,
        image_size=16,
        stem="small",
        width=0.0625,
        dropout=0.0,
        auxiliary=True,
    )
    model.record_train_loss = lambda *_: None  # type: ignore[method-assign]
    x, y = torch.rand(4, 1, 16, 16), torch.arange(4)
    for head in (model.net.aux1, model.net.aux2):
        assert head is not None
        head.dropout.p = 0.0
    loss = torch.nn.functional.cross_entropy
    last, one, two = model.net.all_logits(x)
    torch.testing.assert_close(model.training_step((x, y), 0), loss(last, y) + 0.3 * (loss(one, y) + loss(two, y)))
    assert len(model.eval().net.all_logits(x)) == 1


def test_losses_of_a_network_in_half_precision_are_computed_in_single() -> None:
    sizes: Any = {"in_channels": 1, "image_size": 16, "stem": "small", "width": 0.0625, "dropout": 0.0}
    model = LitGoogLeNet(num_classes=10, **sizes).bfloat16()
    model.record_train_loss = lambda *_: None  # type: ignore[method-assign]
    x, y = torch.rand(4, 1, 16, 16).bfloat16(), torch.arange(4)
    loss = torch.nn.functional.cross_entropy(model.net.all_logits(x)[0].float(), y)
    torch.testing.assert_close(model.training_step((x, y), 0), loss)


@pytest.mark.parametrize(
    ("variant", "stem", "least"),
    [("torchvision", "imagenet", 15), ("torchvision", "small", 4), ("paper", "imagenet", 31), ("paper", "small", 8)],
)
def test_the_least_size_works_and_one_less_is_refused(variant: Any, stem: Any, least: int) -> None:
    assert GoogLeNet(3, 4, least, variant, stem, 0.05).eval()(torch.rand(1, 3, least, least)).shape == (1, 4)
    with pytest.raises(ValueError, match=f"GoogLeNet needs at least {least} pixels"):
        GoogLeNet(3, 4, least - 1, variant, stem, 0.05)


def test_weights_bring_torchvisions_form_and_its_scaling() -> None:
    with torch.device("meta"):
        model = LitGoogLeNet(num_classes=1000, variant="paper", width=0.125, weights="googlenet.pth")
    assert model.net.transform_input and sum(p.numel() for p in model.net.parameters()) == 6_624_904
