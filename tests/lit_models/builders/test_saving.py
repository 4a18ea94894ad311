"""Saving: tensors, dictionaries and networks come back; code does not; a wrong file is one line."""

import pickle
from pathlib import Path

import pytest
import torch
from torch import nn

from common.messages import UserError
from lit_models.builders.blocks import FixedHidden
from lit_models.builders.saving import load, load_into, save


def test_tensors_lists_and_dictionaries_come_back(tmp_path: Path) -> None:
    value = {"x": torch.arange(4), "pair": [torch.zeros(2), torch.ones(3)], "step": 7}
    save(value, tmp_path / "a.pt")
    again = load(tmp_path / "a.pt")
    assert torch.equal(again["x"], value["x"]) and again["step"] == 7 and len(again["pair"][1]) == 3  # type: ignore[arg-type]


def test_a_network_comes_back_with_its_buffers(tmp_path: Path) -> None:
    net, other, x = FixedHidden(6).eval(), FixedHidden(6).eval(), torch.randn(3, 6)
    save(net, tmp_path / "net.pt")
    assert not torch.equal(net(x), other(x))
    assert torch.equal(load_into(other, tmp_path / "net.pt")(x), net(x))  # a plain attribute would have stayed another


class Evil:
    """Runs a function when it is unpickled."""

    def __reduce__(self) -> tuple[object, ...]:
        return (print, ("this ran",))


def test_a_file_with_code_in_it_is_not_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save({"w": Evil()}, tmp_path / "evil.pt")
    with pytest.raises(UserError, match="could run code: not loaded"):
        load(tmp_path / "evil.pt")
    assert "this ran" not in capsys.readouterr().out
    torch.load(tmp_path / "evil.pt", weights_only=False)
    assert "this ran" in capsys.readouterr().out  # the danger is real


def test_a_file_that_is_killed_in_the_middle_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(torch.zeros(2), tmp_path / "a.pt")

    def killed(value: object, path: Path) -> None:
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(torch, "save", killed)
    with pytest.raises(KeyboardInterrupt):
        save(torch.ones(2), tmp_path / "a.pt")
    assert load(tmp_path / "a.pt").tolist() == [0.0, 0.0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no file"),
        (b"", "is damaged"),
        (b"PK\x03\x04 cut short", "is damaged"),
        (pickle.dumps({"a": 1}), "not loaded|is damaged"),
    ],
)
def test_a_wrong_file_is_one_line(tmp_path: Path, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / "a.pt").write_bytes(content)
    with pytest.raises(UserError, match=message) as mistake:
        load(tmp_path / "a.pt")
    assert "\n" not in str(mistake.value) and mistake.value.exit_code == 2


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (nn.Linear(2, 3), "does not fit Linear: size mismatch"),
        (nn.ReLU(), "Missing key"),
        (torch.zeros(2), "does not fit"),
    ],
)
def test_another_networks_file_is_one_line(tmp_path: Path, value: object, message: str) -> None:
    save(value, tmp_path / "a.pt")
    with pytest.raises(UserError, match=message) as mistake:
        load_into(nn.Linear(2, 2), tmp_path / "a.pt")
    assert "\n" not in str(mistake.value)
