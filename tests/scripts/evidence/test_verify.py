"""`dive verify`: the comparison, the command and PARITY.md, on checks made up here."""

import json
import math
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest
import torch
from torch import Tensor

from scripts.cli import main
from scripts.evidence import verify
from scripts.evidence.verify import Check, Tensors, largest_difference


def gives(value: float) -> Tensors:
    return {"y": torch.tensor([1.0, value], dtype=torch.float64), "grad w": torch.zeros(2, dtype=torch.float64)}


def check(name: str = "a/right", ours: float = 2.0, reference: float = 2.0, control: float = 3.0) -> Check:
    return Check(
        name=name,
        claim="one number against another",
        package="numpy",
        ours=lambda: gives(ours),
        reference=lambda: gives(reference),
        control=lambda: gives(control),
        mistake="one too many",
    )


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to write into, and two checks that pass."""
    monkeypatch.setattr(verify, "ROOT", tmp_path)
    monkeypatch.setattr(verify, "all_checks", lambda: [check("a/right"), check("b/other")])
    return tmp_path


# -- comparing ------------------------------------------------------------------------------------------------------


def test_equal_passes_and_the_difference_is_the_largest_of_all() -> None:
    assert check().run().passed
    outcome = check(reference=2.5).run()
    assert outcome.difference == 0.5 and outcome.where == "y" and not outcome.passed


def test_difference_at_the_tolerance_passes_and_above_it_fails() -> None:
    assert check(reference=2.0 + 0.5e-10).run().passed
    assert not check(reference=2.0 + 2e-10).run().passed


def test_a_control_that_passes_fails_the_check() -> None:
    outcome = check(control=2.0).run()
    assert outcome.agrees and not outcome.passed
    assert "this check cannot fail" in outcome.line() and outcome.line().startswith("FAIL")


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_nan_and_infinity_are_not_close(bad: float) -> None:
    assert not check(ours=bad).run().passed
    assert check(control=bad).run().passed  # an overflowing control is rejected


def test_a_control_of_another_shape_is_refused() -> None:
    wrong = replace(check(), control=lambda: gives(3.0) | {"y": torch.ones(3, dtype=torch.float64)})
    with pytest.raises(ValueError, match="a/right: the control's y has another shape"):
        wrong.run()


def double(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def test_another_shape_is_infinitely_far() -> None:
    assert largest_difference({"y": double(1.0)}, {"y": double(1.0, 1.0)})[0] == math.inf


@pytest.mark.parametrize(
    ("a", "b", "says"),
    [
        ({"y": torch.ones(1)}, {"y": torch.ones(1)}, "float64"),
        ({"y": double(1.0)}, {"z": double(1.0)}, "different quantities"),
        ({}, {}, "different quantities"),
        ({"y": double()}, {"y": double()}, "with entries"),
    ],
)
def test_a_comparison_that_would_prove_nothing_is_refused(a: Tensors, b: Tensors, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        largest_difference(a, b)


def test_each_side_starts_from_the_same_seed() -> None:
    drawn = []

    def draw() -> Tensors:
        drawn.append(float(torch.rand(())))
        return gives(2.0)

    Check("a/b", "", "numpy", draw, draw, draw, "").run()
    assert len(set(drawn)) == 1 and len(drawn) == 3


# -- the command ----------------------------------------------------------------------------------------------------


def test_one_line_a_check_and_exit_code_0(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in lines] == ["a/right", "b/other"]
    assert not (project / "PARITY.md").exists()


def test_exit_code_1_when_one_fails(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "all_checks", lambda: [check("a/right"), check("a/wrong", ours=9.0)])
    assert main(["verify"]) == 1
    assert main(["verify", "a/right"]) == 0


def test_a_topic_or_a_name_chooses(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["verify", "b"])
    assert "b/other" in (out := capsys.readouterr().out) and "a/right" not in out


def test_an_unknown_name_is_a_mistake(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "a/rihgt"]) == 2
    assert "did you mean 'a/right'?" in capsys.readouterr().err


def test_write_renders_the_page_from_the_json(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checks = [check("a/right"), check("a/wrong", ours=9.0), check("b/nan", control=math.nan)]
    monkeypatch.setattr(verify, "all_checks", lambda: checks)
    assert main(["verify", "--write"]) == 1
    stored = json.loads((project / "results" / "parity.json").read_text())
    page = (project / "PARITY.md").read_text()
    assert page == verify.render(stored)
    assert [row["passed"] for row in stored["checks"]] == [True, False, True]
    assert "3 checks, 1 failed: a/wrong." in page and page.count("**FAILED**") == 1
    assert "not finite" in page and "1.0e+00" in page


def test_write_of_one_check_keeps_the_other_rows(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert main(["verify", "--write"]) == 0
    checks = [check("a/new"), check("b/other", ours=9.0)]
    monkeypatch.setattr(verify, "all_checks", lambda: checks)
    assert main(["verify", "a", "--write"]) == 0
    stored = json.loads((project / "results" / "parity.json").read_text())["checks"]
    assert [(row["name"], row["passed"]) for row in stored] == [("a/new", True), ("b/other", True)]
    assert main(["verify", "b", "--write"]) == 1
    assert "1 failed: b/other" in (project / "PARITY.md").read_text()


def test_parity_md_shows_every_check_and_is_the_rendering_of_its_json() -> None:
    stored = json.loads((verify.ROOT / "results" / "parity.json").read_text())
    assert [row["name"] for row in stored["checks"]] == [c.name for c in verify.all_checks()], "dive verify --write"
    assert (verify.ROOT / "PARITY.md").read_text() == verify.render(stored)


def test_every_module_in_parity_is_found() -> None:
    found = {id(c) for c in verify.all_checks()}
    for path in (verify.ROOT / "scripts" / "evidence" / "parity").glob("[a-z]*.py"):
        checks = import_module(f"scripts.evidence.parity.{path.stem}").CHECKS
        assert checks and all(id(c) in found and path.stem.startswith(c.name.split("/")[0]) for c in checks)
