"""ResNet: the battery, published sizes, forms, and weights that a person brings."""

from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision.models as tv
from torch import Tensor, nn

from lit_models.cnn.resnet import LitResNet, ResNet
from scripts.cli import main
from tests.battery import ADAM, ClassifierBattery
from tests.datamodules.vision.pictures import fill
from tests.small import small_trainer


class TestLitResNet(ClassifierBattery):
    parameters = 19_830  # stem 44; stages 304, 944, 3,680 and 14,528; last layer 330

    overfit_steps = 30

    def model(self) -> LitResNet:
        return LitResNet(num_classes=10, in_channels=1, depth=10, width=4, stem="small", optimizer=ADAM)

    def batch(self) -> tuple[Tensor, Tensor]:
        return torch.rand(8, 1, 16, 16), torch.arange(8)


def count(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


@pytest.mark.parametrize(
    ("depth", "parameters"), [(18, 11_689_512), (34, 21_797_672), (50, 25_557_032), (101, 44_549_160)]
)
def test_published_depths_have_the_published_number_of_parameters(depth: int, parameters: int) -> None:
    with torch.device("meta"):
        assert count(ResNet(depth=depth)) == parameters


@pytest.mark.parametrize("pre_activation", [False, True])
@pytest.mark.parametrize("stem", ["imagenet", "small"])
@pytest.mark.parametrize(("channels", "size"), [(1, 28), (3, 33), (3, 1)])
def test_takes_any_size_and_channels(pre_activation: bool, stem: Any, channels: int, size: int) -> None:
    net = ResNet(channels, 7, 10, 4, stem, pre_activation).eval()
    assert net(torch.rand(2, channels, size, size)).shape == (2, 7)


def test_the_small_stem_keeps_the_size() -> None:
    net = ResNet(3, 7, 10, 4, "small")
    assert net.layer1(net.conv1(torch.rand(1, 3, 32, 32))).shape == (1, 4, 32, 32)


def test_every_parameter_of_the_pre_activation_form_learns() -> None:
    net = ResNet(3, 7, 14, 16, pre_activation=True)
    net(torch.rand(2, 3, 40, 40)).square().sum().backward()
    assert all(p.grad is not None and bool(p.grad.any()) for p in net.parameters())


def test_without_residues_the_pre_activation_form_is_one_straight_line() -> None:
    net = ResNet(3, 7, 10, 4, "small", pre_activation=True)
    first = net.layer1[0]
    nn.init.zeros_(first.conv2.weight)
    x = net.conv1(torch.rand(1, 3, 8, 8))
    assert torch.equal(first(x), x)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"depth": 20}, "depth is 20: choose one of 10, 14, 18, 34, 50, 101, 152"),
        ({"groups": 8}, "groups need bottlenecks"),
        ({"depth": 14, "width": 8, "group_width": 4}, "leaves no channel"),
    ],
)
def test_wrong_sizes_are_named(arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        ResNet(**arguments)


def test_frozen_features_leave_the_last_layer() -> None:
    model = LitResNet(depth=10, width=4, freeze_features=True)
    assert [name for name, p in model.named_parameters() if p.requires_grad] == ["net.fc.weight", "net.fc.bias"]


def test_weights_bring_the_published_form() -> None:
    with torch.device("meta"):
        model = LitResNet(num_classes=1000, width=8, stem="small", weights="resnet18.pth")
        assert count(model.net) == 11_689_512
    assert model.hparams["width"] == 64


def test_weights_are_taken_when_a_run_begins_and_never_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = []
    monkeypatch.setattr("lit_models.tasks.task.load_weights", lambda net, source, _: taken.append(source))
    monkeypatch.setattr("lit_models.cnn.resnet.DEPTHS", {18: (nn.Identity, ())})
    model = LitResNet(num_classes=3, weights="file.pth", optimizer=ADAM)
    model.net = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 3))  # type: ignore[assignment]
    batches = [(torch.rand(4, 3, 4, 4), torch.tensor([0, 1, 2, 0]))]
    loader = torch.utils.data.DataLoader(batches, batch_size=None)
    trainer = small_trainer(tmp_path, max_epochs=1)
    trainer.fit(model, loader, loader)
    trainer.test(model, loader, verbose=False)
    assert taken == ["file.pth"]
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    again = LitResNet(num_classes=3, weights="file.pth", optimizer=ADAM)
    again.net = model.net
    again.on_load_checkpoint(torch.load(tmp_path / "a.ckpt", weights_only=True))
    trainer.test(again, loader, verbose=False)
    assert taken == ["file.pth"]


def test_images_are_normalized_for_published_weights_alone() -> None:
    class Seen(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x

    model, plain = LitResNet(depth=18, weights="x"), LitResNet(depth=10, width=4)
    model.net = plain.net = Seen()  # type: ignore[assignment]
    x = torch.rand(1, 3, 2, 2)
    assert torch.equal(plain(x), x)
    torch.testing.assert_close(model(x)[:, 0], (x[:, 0] - 0.485) / 0.229)


PICTURES = ["--data", "ImageFolder", "--data.batch_size", "8", "--trainer.max_epochs", "1"]


def test_your_pictures_start_from_a_torchvision_file_that_is_not_needed_afterwards(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "resnet18.pth"
    published = tv.resnet18(weights=None)
    torch.save(published.state_dict(), file)
    root = str(fill(tmp_path / "photos", 8))
    freeze = ["--model.freeze_features", "true"]
    assert main(["fit", "cnn/resnet", *PICTURES, "--data.root", root, "--model.weights", str(file), *freeze]) == 0
    said = capsys.readouterr().err
    assert "fc.bias, fc.weight are for another number of classes" in said and "summed over its three colors" in said
    (checkpoint,) = (tmp_path / "runs").glob("**/best.ckpt")
    weights = torch.load(checkpoint, weights_only=True)["state_dict"]
    assert torch.equal(weights["net.layer4.1.conv2.weight"], published.layer4[1].conv2.weight)
    file.unlink()
    assert main(["predict", "cnn/resnet", "--data.root", root]) == 0
    assert list((tmp_path / "runs").glob("**/predictions.csv"))


@pytest.mark.parametrize(
    ("weights", "says"),
    [
        ("resnet18.pth", "weights: there is no file resnet18.pth"),
        ("other.pth", "weights: other.pth does not fit ResNet: it lacks conv1.weight, bn1.weight, bn1.bias and"),
    ],
)
def test_wrong_weights_are_one_line(
    weights: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save(nn.Linear(2, 2).state_dict(), "other.pth")
    root = str(fill(tmp_path / "photos", 4))
    assert main(["fit", "cnn/resnet", *PICTURES, "--data.root", root, "--model.weights", weights]) == 2
    assert [line for line in capsys.readouterr().err.splitlines() if says in line]
