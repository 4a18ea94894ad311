"""Weights from elsewhere: by key, with a head of another size, and mistakes in one line."""

from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision.models as tv
from safetensors.torch import save_file
from torch import nn

from common.messages import UserError
from lit_models.cnn.densenet import DenseNet
from lit_models.cnn.googlenet import GoogLeNet
from lit_models.cnn.resnet import ResNet
from lit_models.layers.pretrained import MEAN, STD, load_weights, normalize
from lit_models.layers.weight_files import read_weights


def small(**changes: Any) -> ResNet:
    return ResNet(**({"in_channels": 3, "num_classes": 7, "depth": 10, "width": 4} | changes))


def saved(net: nn.Module, path: Path) -> str:
    torch.save(net.state_dict(), path)
    return str(path)


def test_a_torchvision_file_gives_torchvisions_logits(tmp_path: Path) -> None:
    theirs = tv.resnet18(weights=None).eval()
    ours = ResNet(depth=18)
    load_weights(ours, saved(theirs, tmp_path / "resnet18.pth"))
    x = torch.rand(1, 3, 40, 40)
    with torch.inference_mode():
        torch.testing.assert_close(ours.eval()(x), theirs(x))


def test_safetensors_are_read(tmp_path: Path) -> None:
    net, again = small(), small()
    save_file(net.state_dict(), tmp_path / "net.safetensors")
    load_weights(again, str(tmp_path / "net.safetensors"))
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), again.parameters(), strict=True))


def test_a_head_of_another_size_stays_as_it_was_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    net, again = small(num_classes=1000), small()
    head = again.fc.weight.clone()
    load_weights(again, saved(net, tmp_path / "a.pth"))
    assert torch.equal(again.fc.weight, head) and torch.equal(again.conv1.weight, net.conv1.weight)
    note = capsys.readouterr().err
    assert note.count("\n") == 1 and "fc.bias, fc.weight are for another number of classes" in note


def test_a_gray_network_sums_the_colors_of_the_first_convolution(tmp_path: Path) -> None:
    net, gray = small(), small(in_channels=1)
    load_weights(gray, saved(net, tmp_path / "a.pth"))
    x = torch.rand(2, 1, 20, 20)
    torch.testing.assert_close(gray.eval()(x), net.eval()(x.expand(-1, 3, -1, -1)))


def test_gray_images_are_normalized_by_the_mean_of_the_colors() -> None:
    x = torch.tensor(MEAN).view(1, 3, 1, 1) + torch.tensor(STD).view(1, 3, 1, 1)
    torch.testing.assert_close(normalize(x), torch.ones(1, 3, 1, 1))
    assert normalize(torch.full((1, 1, 1, 1), sum(MEAN) / 3)).abs().item() < 1e-6


def test_mean_and_deviation_are_those_that_torchvision_trains_with() -> None:
    published = tv.ResNet18_Weights.IMAGENET1K_V1.transforms()
    assert [list(MEAN), list(STD)] == [published.mean, published.std]
    gray = torch.full((1, 1, 1, 1), sum(MEAN) / 3 + sum(STD) / 3)
    torch.testing.assert_close(normalize(gray), torch.ones(1, 1, 1, 1))


def test_a_file_older_than_the_count_of_batches_is_read(tmp_path: Path) -> None:
    net, again = small(), small()
    old = {name: value for name, value in net.state_dict().items() if "num_batches_tracked" not in name}
    torch.save(old, tmp_path / "old.pth")
    load_weights(again, str(tmp_path / "old.pth"))
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), again.parameters(), strict=True))


def test_a_file_that_would_run_code_is_not_read(tmp_path: Path) -> None:
    class Runs:
        def __reduce__(self) -> Any:
            return Path.touch, (tmp_path / "ran",)

    torch.save({"fc.weight": Runs()}, tmp_path / "a.pth")
    with pytest.raises(UserError):
        read_weights(str(tmp_path / "a.pth"))
    assert not (tmp_path / "ran").exists()


def test_googlenets_heads_on_the_way_are_left_out(tmp_path: Path) -> None:
    net = GoogLeNet(width=0.05, auxiliary=True, num_classes=4)
    again = GoogLeNet(width=0.05, num_classes=4)
    load_weights(again, saved(net, tmp_path / "a.pth"))
    assert torch.equal(again.fc.weight, net.fc.weight)


def test_the_old_names_of_densenets_published_file_are_understood(tmp_path: Path) -> None:
    net = DenseNet(num_classes=3, block_layers=(1, 1), growth=4)
    old = {k.replace("norm1", "norm.1").replace("conv2.", "conv.2."): v for k, v in net.state_dict().items()}
    assert "features.denseblock1.denselayer1.norm.1.weight" in old
    torch.save(old, tmp_path / "old.pth")
    again = DenseNet(num_classes=3, block_layers=(1, 1), growth=4)
    load_weights(again, str(tmp_path / "old.pth"))
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), again.parameters(), strict=True))


def test_keys_and_shapes_that_do_not_fit_are_listed_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError) as other_depth:
        load_weights(small(), saved(small(depth=18), tmp_path / "a.pth"))
    said = str(other_depth.value)
    assert "does not fit ResNet: it has also layer1.1.conv1.weight" in said and "more" in said and "\n" not in said
    with pytest.raises(UserError, match=r"it lacks layer1\.1"):
        load_weights(small(depth=18), saved(small(), tmp_path / "b.pth"))
    with pytest.raises(UserError, match=r"conv1.weight \(\[4, 3, 7, 7\] in the file, \[4, 3, 3, 3\] here\)"):
        load_weights(small(stem="small"), saved(small(), tmp_path / "c.pth"))


def test_what_wrappers_put_around_names_is_taken_off(tmp_path: Path) -> None:
    net = small()
    inner = nn.DataParallel(net).state_dict()
    assert all(name.startswith("module.") for name in inner)
    for content in (
        {"epoch": 3, "state_dict": inner},
        inner,
        {"model": {f"_orig_mod.{k}": v for k, v in inner.items()}},
    ):
        torch.save(content, tmp_path / "a.pth")
        again = small()
        load_weights(again, str(tmp_path / "a.pth"))
        assert all(torch.equal(a, b) for a, b in zip(net.parameters(), again.parameters(), strict=True))


class Wrapped(nn.Module):
    """A network whose own names look like a wrapper's."""

    def __init__(self) -> None:
        super().__init__()
        self.model = nn.Linear(2, 2)


def test_names_of_the_network_itself_stay(tmp_path: Path) -> None:
    net, again = Wrapped(), Wrapped()
    load_weights(again, saved(net, tmp_path / "a.pth"))
    assert torch.equal(net.model.weight, again.model.weight)
