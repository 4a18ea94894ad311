"""Files of weights: what is read, whose it is said to be, and what is refused in one line."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision.models as tv
from safetensors.torch import save_file
from torch import nn

from common.messages import UserError
from lit_models.layers.weight_files import origin_of, read_weights

ONE = {"fc.weight": torch.ones(2, 3), "fc.bias": torch.zeros(2)}


def equal(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor] = ONE) -> bool:
    return found.keys() == expected.keys() and all(torch.equal(found[k], v) for k, v in expected.items())


def test_a_published_name_is_fetched_by_torchvision(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def download(url: str, **settings: Any) -> dict[str, torch.Tensor]:
        asked.append((url, settings["check_hash"]))
        return {"fc.weight": torch.ones(1)}

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", download)
    assert read_weights("ResNet18_Weights.IMAGENET1K_V1").tensors == {"fc.weight": torch.ones(1)}
    assert asked == [(tv.ResNet18_Weights.IMAGENET1K_V1.url, True)]


def test_without_network_the_address_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def download(url: str, **settings: Any) -> None:
        raise OSError("no route")

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", download)
    with pytest.raises(UserError, match=r"cannot download https://download.pytorch.org/\S+ \(no route\): fetch it"):
        read_weights("ResNet18_Weights.IMAGENET1K_V1")


@pytest.mark.parametrize("name", ["resnet18.pth", "ResNet19_Weights.DEFAULT"])
def test_neither_file_nor_name(name: str) -> None:
    with pytest.raises(UserError, match=f"there is no file {name}, and torchvision has no weights of that name"):
        read_weights(name)


def test_a_damaged_file_and_a_file_of_other_things(tmp_path: Path) -> None:
    (tmp_path / "a.pth").write_bytes(b"no weights")
    with pytest.raises(UserError, match=r"a\.pth is not a file of weights"):
        read_weights(str(tmp_path / "a.pth"))
    torch.save({"epoch": 3}, tmp_path / "b.pth")
    with pytest.raises(UserError, match=r"b\.pth holds no state dict"):
        read_weights(str(tmp_path / "b.pth"))


def test_a_whole_network_is_said_to_be_one(tmp_path: Path) -> None:
    torch.save(nn.Linear(2, 2), tmp_path / "a.pth")
    with pytest.raises(UserError, match=r"a\.pth holds Python objects, whose code is not run: save torch\.save"):
        read_weights(str(tmp_path / "a.pth"))


def test_shards_are_read_by_their_index_or_their_folder(tmp_path: Path) -> None:
    save_file({"fc.weight": ONE["fc.weight"]}, tmp_path / "one.safetensors")
    save_file({"fc.bias": ONE["fc.bias"]}, tmp_path / "two.safetensors")
    index = tmp_path / "model.safetensors.index.json"
    names = {"fc.weight": "one.safetensors", "fc.bias": "two.safetensors"}
    index.write_text(json.dumps({"weight_map": names}))
    assert equal(read_weights(str(index)).tensors) and equal(read_weights(str(tmp_path)).tensors)
    index.write_text(json.dumps({"weight_map": names | {"fc.scale": "two.safetensors"}}))
    with pytest.raises(UserError, match=r"lack fc\.scale"):
        read_weights(str(index))
    (tmp_path / "two.safetensors").unlink()
    with pytest.raises(UserError, match=r"names two\.safetensors, which is not beside it"):
        read_weights(str(index))


def test_a_shard_outside_of_the_folder_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    save_file(ONE, tmp_path / "secret.safetensors")
    index = tmp_path / "in/model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"fc.weight": "../secret.safetensors"}}))
    with pytest.raises(UserError, match="not beside it"):
        read_weights(str(index))


def test_a_folder_without_weights_and_a_sharded_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"has none of model\.safetensors\.index\.json"):
        read_weights(str(tmp_path))
    torch.save({}, tmp_path / "meta.pt")
    with pytest.raises(UserError, match="sharded checkpoint: `dive export` makes one file"):
        read_weights(str(tmp_path))


def test_the_config_beside_a_file_is_read(tmp_path: Path) -> None:
    save_file(ONE, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text('{"n_head": 4}')
    assert read_weights(str(tmp_path)).config == {"n_head": 4}
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(UserError, match=r"config\.json cannot be read"):
        read_weights(str(tmp_path))


def checkpoint(path: Path, **hyper_parameters: Any) -> str:
    """As Lightning writes one of a run of this project."""
    tensors = {f"net.{name}": value for name, value in ONE.items()} | {"target_mean": torch.tensor(5.0)}
    content = {
        "pytorch-lightning_version": "2.6",
        "epoch": 1,
        "state_dict": tensors,
        "hyper_parameters": hyper_parameters,
    }
    torch.save(content, path)
    return str(path)


def test_a_runs_checkpoint_gives_its_network_and_its_arguments(tmp_path: Path) -> None:
    file = read_weights(checkpoint(tmp_path / "best.ckpt", width=8, _class_path="lit_models.x.LitX"))
    assert equal(file.tensors) and file.origin == "run"
    assert file.arguments == {"width": 8} and file.model == "lit_models.x.LitX"


def test_an_exported_file_is_a_runs(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    metadata = {"class": "lit_models.x.LitX", "arguments": '{"width": 8}', "net.fc.tied": "net.fc.bias"}
    save_file({f"net.{name}": value for name, value in ONE.items()}, path, metadata)
    file = read_weights(str(path))
    assert equal(file.tensors, ONE | {"fc.tied": ONE["fc.bias"]}) and file.arguments == {"width": 8}
    assert origin_of(str(path)) == "run"


def test_weights_of_a_run_that_began_with_published_ones_are_published(tmp_path: Path) -> None:
    assert origin_of(checkpoint(tmp_path / "a.ckpt", weights="", width=8)) == "run"
    assert origin_of(checkpoint(tmp_path / "b.ckpt", weights="resnet18.pth", weights_from="published")) == "published"
    assert origin_of(checkpoint(tmp_path / "c.ckpt", weights="resnet18.pth")) == "published"  # before it was recorded
    assert origin_of(checkpoint(tmp_path / "d.ckpt", weights="a.ckpt", weights_from="run")) == "run"


def test_another_projects_checkpoint_is_no_runs(tmp_path: Path) -> None:
    path = checkpoint(tmp_path / "a.ckpt")
    assert equal(read_weights(path).tensors) and origin_of(path) == "published"


def test_anybodys_file_and_what_is_not_there_is_published(tmp_path: Path) -> None:
    torch.save(ONE, tmp_path / "a.pth")
    torch.save(
        {"pytorch-lightning_version": "2", "state_dict": {f"model.{k}": v for k, v in ONE.items()}}, tmp_path / "b.ckpt"
    )
    for name in ("a.pth", "b.ckpt", "c.pth"):
        assert origin_of(str(tmp_path / name)) == "published"
    assert equal(read_weights(str(tmp_path / "b.ckpt")).tensors)
