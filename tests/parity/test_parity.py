"""Every check of ``dive verify``: ours agrees with the reference, the control does not. Every network has one."""

import ast
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from scripts.evidence.verify import Check, Tensors, all_checks, largest_difference
from tests.test_layout import ROOT, lit_files

EVERY = [pytest.param(check, id=check.name, marks=[pytest.mark.slow] * check.slow) for check in all_checks()]


@pytest.mark.parametrize("check", EVERY)
class TestCheck:
    def test_ours_agrees_and_the_control_is_rejected(self, check: Check) -> None:
        """And outputs and gradients are compared. One test: the networks are large."""
        names: set[str] = set()

        def ours() -> Tensors:
            found = check.ours()
            names.update(found)
            return found

        outcome = replace(check, ours=ours).run()
        assert outcome.agrees, f"{outcome.where} differs by {outcome.difference}"
        assert outcome.control_rejected, f"the control differs by {outcome.control_difference} only"
        kinds = {"gradients" if name.startswith("grad") else "outputs" for name in names}
        assert kinds == {"outputs", "gradients"} - {check.without.split(":")[0]}


def imported(path: Path) -> set[str]:
    found = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)]
    return {node.module for node in found if node.module} | {f"{n.module}.{a.name}" for n in found for a in n.names}


def test_every_network_that_is_trained_is_in_a_check() -> None:
    modules = {".".join(path.relative_to(ROOT).with_suffix("").parts) for path in lit_files()}
    checked = {name for check in (ROOT / "scripts/evidence/parity").glob("*.py") for name in imported(check)}
    assert modules and not modules - checked


def test_names_are_unique_and_another_tolerance_than_1e_10_has_a_reason() -> None:
    names = [check.name for check in all_checks()]
    assert len(names) == len(set(names))
    assert not [check.name for check in all_checks() if check.tolerance != 1e-10 and not check.why]


@pytest.mark.parametrize("check", all_checks()[:3], ids=lambda check: check.name)
def test_a_check_whose_control_is_right_fails(check: Check) -> None:
    outcome = replace(check, control=check.reference).run()
    assert outcome.agrees and not outcome.passed


@pytest.mark.parametrize("check", all_checks()[:3], ids=lambda check: check.name)
def test_a_check_whose_code_is_wrong_fails(check: Check) -> None:
    assert not replace(check, ours=check.control).run().passed


def test_a_wrong_gradient_alone_is_found() -> None:
    check = all_checks()[0]
    reference = check.reference()
    name = next(name for name in reference if name.startswith("grad"))
    wrong = {**reference, name: reference[name] + 1e-6 * torch.ones_like(reference[name])}
    difference, where = largest_difference(reference, wrong)
    assert where == name and difference > check.tolerance
