"""A run knows its data again, and no other."""

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor

from common.messages import UserError
from datamodules import data_digest
from datamodules.data_digest import GOLDEN, digest, refuse_other_data, remember, say_other_data

X = torch.arange(24, dtype=torch.uint8).reshape(8, 3)
Y = torch.arange(8) % 2
REAL = torch.randn(8, 3, generator=torch.Generator().manual_seed(0))
NAMES = {"class_names": ["a", "b"], "mean": 0.1}


def data(x: Tensor = X, y: Tensor = Y, val: int = 4) -> dict[str, tuple[Tensor, ...]]:
    return {"train": (x, y), "val": (X[:val], Y[:val])}


def go_on(now: Mapping[str, Any], names: Mapping[str, Any] = NAMES, x: Tensor = X) -> None:
    refuse_other_data("Rows", remember(data(x), NAMES), now, names)


def changed(values: Tensor, row: int) -> Tensor:
    values = values.clone()
    values[row] += 1
    return values


@pytest.mark.parametrize(
    ("now", "says"),
    [
        (data(x=changed(X, 5)), "as many rows as when the run began (8), but others"),
        (data(y=1 - Y), "as many rows"),
        (data(x=X[torch.arange(7, -1, -1)]), "as many rows"),
        (data(x=X[:7], y=Y[:7]), "has 7 rows, the run began with 8"),
        (data(val=5), "the val split of Rows has 5 rows"),
        (data(x=torch.cat([X[:1], X]), y=torch.cat([Y[:1], Y])), "has 9 rows, the run began with 8"),
    ],
)
def test_other_rows_are_refused(now: Mapping[str, Any], says: str) -> None:
    with pytest.raises(UserError) as error:
        go_on(now)
    assert says in str(error.value) and "start a new run" in str(error.value)


def test_more_training_rows_behind_the_same_are_said(capsys: pytest.CaptureFixture[str]) -> None:
    go_on(data(x=torch.cat([X, X]), y=torch.cat([Y, Y])))
    assert "8 rows more than the 8 of then" in capsys.readouterr().err


def test_the_same_data_is_known_again_without_a_word(capsys: pytest.CaptureFixture[str]) -> None:
    go_on(data(x=X.clone()))
    go_on(data(x=REAL * (1 + 1e-7)), x=REAL)  # as another processor rounds
    assert capsys.readouterr().err == ""


def test_one_real_number_that_changed_is_seen() -> None:
    real = REAL.repeat(500, 1)
    y = Y.repeat(500)
    then = remember({"train": (real, y)}, {})
    with pytest.raises(UserError, match="as many rows"):
        refuse_other_data("Rows", then, {"train": (changed(real, 1234), y)}, {})


def test_sums_in_pieces_are_those_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = digest(REAL)
    x = REAL.flatten().double()
    place = (torch.arange(24, dtype=torch.float64) * GOLDEN).frac()
    assert whole == pytest.approx([float(s) for s in (x.sum(), x.abs().sum(), x.square().sum(), x @ place)])
    monkeypatch.setattr(data_digest, "PIECE", 7)
    assert digest(REAL) == pytest.approx(whole, rel=1e-12)


@pytest.mark.parametrize("names", [["b", "a"], ["a", "c"]])
def test_other_class_names_are_refused_though_the_rows_are_the_same(names: list[str]) -> None:
    with pytest.raises(UserError, match="the classes, the vocabulary or the columns"):
        go_on(data(), {**NAMES, "class_names": names})


def test_another_test_split_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    then = remember({"test": (X, Y)}, NAMES)
    say_other_data("Rows", then, {"test": (X, Y)}, "test")
    assert capsys.readouterr().err == ""
    say_other_data("Rows", then, {"test": (X[:3], Y[:3])}, "test")
    assert "3 rows, is not that of the run, 8 rows" in capsys.readouterr().err
