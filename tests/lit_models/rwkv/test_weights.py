"""Files of weights: versions by their keys, sizes, older names, and what is not RWKV."""

from pathlib import Path

import pytest
import torch

from common.messages import UserError
from lit_models.layers.pretrained import load_weights
from lit_models.rwkv.rwkv import rwkv
from lit_models.rwkv.weights import sizes_of, version_of
from tests.lit_models.rwkv.networks import VERSIONS, small


@pytest.mark.parametrize("version", VERSIONS)
def test_version_and_sizes_follow_from_the_tensors(version: int) -> None:
    net = small(version, 3)
    assert sizes_of(net.to_published()) == net.sizes()
    assert version_of(net.state_dict()) == version


@pytest.mark.parametrize("version", VERSIONS)
def test_a_file_goes_out_and_comes_back_in_any_precision(version: int, tmp_path: Path) -> None:
    net, other = small(version).float(), small(version).float()
    with torch.no_grad():
        for p in other.parameters():
            p.add_(1)
    torch.save({name: t.bfloat16() for name, t in net.to_published().items()}, tmp_path / "a.pth")
    load_weights(other, str(tmp_path / "a.pth"))
    for name, tensor in other.state_dict().items():
        assert torch.equal(tensor, net.state_dict()[name].bfloat16().float())


def test_a_file_of_another_version_is_refused_with_what_fits(tmp_path: Path) -> None:
    torch.save(small(6).to_published(), tmp_path / "six.pth")
    with pytest.raises(UserError, match=r"version is 6 in the file, 7 here.*--model.version 6"):
        load_weights(small(7), str(tmp_path / "six.pth"))


def test_a_file_with_all_names_and_other_sizes_is_refused_with_what_fits(tmp_path: Path) -> None:
    torch.save(small(7, head_size=4).to_published(), tmp_path / "a.pth")
    with pytest.raises(UserError, match=r"head_size is 4 in the file, 8 here; give --model.head_size 4$"):
        load_weights(small(7), str(tmp_path / "a.pth"))


@pytest.mark.parametrize("version", VERSIONS)
def test_a_network_of_one_layer_loads_its_own_tensors(version: int, tmp_path: Path) -> None:
    net, other = small(version, 1), small(version, 1)
    with torch.no_grad():
        other.emb.weight.zero_()
    torch.save(net.state_dict(), tmp_path / "a.pth")
    load_weights(other, str(tmp_path / "a.pth"))
    assert all(torch.equal(other.state_dict()[name], tensor) for name, tensor in net.state_dict().items())


@pytest.mark.parametrize("version", VERSIONS)
def test_foreign_keys_name_the_nearest_version_and_what_it_lacks(version: int) -> None:
    names = set(small(version).state_dict()) - {"ln_out.weight"}
    with pytest.raises(UserError, match=f"nearest is version {version}, without ln_out.weight"):
        version_of(names)


def test_one_decay_per_head_is_refused() -> None:
    tensors = small(5).to_published()
    tensors["blocks.0.att.time_decay"] = torch.zeros(2)
    with pytest.raises(UserError, match=r"5\.0 or 5\.1"):
        sizes_of(tensors)


def test_the_older_bonus_of_version_5_is_a_logarithm(tmp_path: Path) -> None:
    net, other = small(5).float(), rwkv(11, 5, 16, 2, 8, 24)
    tensors = net.to_published()
    for i in range(2):
        tensors[f"blocks.{i}.att.time_faaaa"].abs_()
    old = {n.replace("time_faaaa", "time_first"): t.log() if "faaaa" in n else t for n, t in tensors.items()}
    torch.save(old, tmp_path / "old.pth")
    load_weights(other, str(tmp_path / "old.pth"))
    torch.testing.assert_close(other.blocks[1].att.time_faaaa.detach(), tensors["blocks.1.att.time_faaaa"])


def test_a_file_without_what_layer_0_does_not_use_loads(tmp_path: Path) -> None:
    net = small(7).float()
    torch.save({n: t for n, t in net.to_published().items() if "0.att.v" not in n or "value" in n}, tmp_path / "a.pth")
    load_weights(net, str(tmp_path / "a.pth"))


def test_truncated_files_and_files_with_code_are_one_line(tmp_path: Path) -> None:
    torch.save(small(4).to_published(), tmp_path / "a.pth")
    (tmp_path / "half.pth").write_bytes((tmp_path / "a.pth").read_bytes()[:3000])
    torch.save(small(4), tmp_path / "code.pth")
    for name, says in (("half", "is not a file of weights"), ("code", "whose code is not run")):
        with pytest.raises(UserError, match=says):
            load_weights(small(4), str(tmp_path / f"{name}.pth"))
