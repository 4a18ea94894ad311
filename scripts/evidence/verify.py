"""``dive verify``: every network against an independent implementation, outputs and gradients, in double precision.

    dive verify                    all checks, a line each; exit code 1 when one fails
    dive verify linear cnn/lenet   those of a topic, or one
    dive verify --write            all checks, then results/parity.json and PARITY.md
    dive verify linear --write     those of a topic, then their rows there

A check is in ``parity/<topic>.py``, in that module's list ``CHECKS``. It computes the same quantities three
times: with our code, with the reference, and with a control, a plausible wrong implementation (the book's bug if
there is one). Ours must agree with the reference and disagree with the control: a comparison that does not
detect the control proves nothing, and fails.
"""

import json
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from common.messages import UserError, did_you_mean
from scripts.evidence.rows_file import locked, replace_text
from scripts.front.option_parser import OptionParser

ROOT = Path(__file__).resolve().parents[2]
Tensors = dict[str, Tensor]


@dataclass(frozen=True)
class Check:
    """One comparison. The three functions return float64 tensors under the same names.

    Names of gradients begin with ``grad``. The functions are called one after the other with the same torch seed.
    A control is close to ours: it has the same shapes, so that the numbers are compared.

    Args:
        name: ``topic/what``.
        claim: What is compared with what, for PARITY.md.
        package: Distribution of the reference; its version is reported.
        ours: With the project's code.
        reference: With the reference, on the same weights and inputs.
        control: As ``reference``, but wrong.
        mistake: What is wrong in the control.
        tolerance: Largest absolute difference that counts as equal.
        why: The reason for a tolerance other than 1e-10.
        without: What is not compared, and why: "gradients: tokens have none".
        slow: A larger form of a network that another check compares: `make test-all` runs it, `make test` does not.
    """

    name: str
    claim: str
    package: str
    ours: Callable[[], Tensors]
    reference: Callable[[], Tensors]
    control: Callable[[], Tensors]
    mistake: str
    tolerance: float = 1e-10
    why: str = ""
    without: str = ""
    slow: bool = False

    def run(self) -> "Outcome":
        results = []
        for function in (self.ours, self.reference, self.control):
            torch.manual_seed(0)
            results.append(function())
        ours, reference, control = results
        other = [name for name in ours.keys() & control.keys() if ours[name].shape != control[name].shape]
        if other:
            raise ValueError(f"{self.name}: the control's {other[0]} has another shape, so that no number is compared")
        return Outcome(self, *largest_difference(ours, reference), *largest_difference(ours, control))


@dataclass(frozen=True)
class Outcome:
    """What a check found: the largest difference from the reference and from the control, and where."""

    check: Check
    difference: float
    where: str
    control_difference: float
    control_where: str

    @property
    def agrees(self) -> bool:
        return self.difference <= self.check.tolerance

    @property
    def control_rejected(self) -> bool:
        return not self.control_difference <= self.check.tolerance

    @property
    def passed(self) -> bool:
        return self.agrees and self.control_rejected

    def line(self) -> str:
        check = self.check
        verdict = "ok  " if self.passed else "FAIL"
        text = f"{verdict}  {check.name:<32} {self.difference:8.1e}  {check.package} {version(check.package)}"
        if not self.agrees:
            text += f"  differs in {self.where}, tolerance {check.tolerance:.0e}"
        if not self.control_rejected:
            text += f"  the control passes too ({check.mistake}): this check cannot fail"
        return text

    def row(self) -> dict[str, Any]:
        check = self.check
        return {
            "name": check.name,
            "claim": check.claim,
            "reference": check.package,
            "version": version(check.package),
            "tolerance": check.tolerance,
            "why": check.why,
            "difference": self.difference,
            "where": self.where,
            "mistake": check.mistake,
            "control_difference": finite(self.control_difference),
            "control_where": self.control_where,
            "passed": self.passed,
        }


def largest_difference(a: Tensors, b: Tensors) -> tuple[float, str]:
    """The largest absolute difference over all entries and the name of its tensor.

    Infinite where a shape differs or an entry is NaN in one: such results do not agree with anything.

    Raises:
        ValueError: The names differ, nothing is compared, or a tensor is not float64.
    """
    if set(a) != set(b) or not a:
        raise ValueError(f"the sides of a check name different quantities: {sorted(a)} and {sorted(b)}")
    worst = (-1.0, "")
    for name in a:
        for tensor in (a[name], b[name]):
            if tensor.dtype != torch.float64 or not tensor.numel():
                raise ValueError(f"{name} must be a float64 tensor with entries, not {tensor.dtype} {tensor.shape}")
        same_shape = a[name].shape == b[name].shape
        difference = float((a[name] - b[name]).detach().abs().max()) if same_shape else math.inf
        worst = max(worst, (math.inf if math.isnan(difference) else difference, name))
    return worst


def finite(value: float) -> float | None:
    """JSON does not have infinity."""
    return value if math.isfinite(value) else None


def all_checks() -> list[Check]:
    """The checks of every module in ``scripts/evidence/parity``, by name."""
    modules = sorted(p.stem for p in (ROOT / "scripts" / "evidence" / "parity").glob("*.py") if p.stem != "__init__")
    checks = [check for module in modules for check in import_module(f"scripts.evidence.parity.{module}").CHECKS]
    return sorted(checks, key=lambda check: check.name)


def choose(checks: Iterable[Check], names: list[str]) -> list[Check]:
    """The checks named, by topic or in full; all without names.

    Raises:
        UserError: No check of that name.
    """
    checks = list(checks)
    topics = {check.name.split("/")[0] for check in checks}
    for name in names:
        if name not in topics and all(check.name != name for check in checks):
            known = [*sorted(topics), *(check.name for check in checks)]
            raise UserError(f"no check {name!r}{did_you_mean(name, known) or ': ' + ', '.join(known)}")
    return [c for c in checks if not names or c.name in names or c.name.split("/")[0] in names]


def write(outcomes: list[Outcome], root: Path, names: list[str]) -> None:
    """Keeps the outcomes in ``results/parity.json`` and renders ``PARITY.md`` from it.

    Args:
        outcomes: Of some checks or of all.
        root: The project's folder.
        names: Of all checks, in order. The stored rows of those without an outcome stay, rows of no check go.
    """
    file = root / "results" / "parity.json"
    with locked(root / "results"):  # another process may write the rows of another topic
        stored = json.loads(file.read_text(encoding="utf-8"))["checks"] if file.is_file() else []
        rows = {row["name"]: row for row in [*stored, *(o.row() for o in outcomes)]}
        parity = {"checks": [rows[name] for name in names if name in rows]}
        text = json.dumps(parity, indent=1, ensure_ascii=False) + "\n"
        replace_text(file, text)
        replace_text(root / "PARITY.md", render(json.loads(text)))


def render(parity: dict[str, Any]) -> str:
    """PARITY.md from the contents of ``results/parity.json``."""
    rows = parity["checks"]
    failed = [row["name"] for row in rows if not row["passed"]]
    lines = [
        "# Parity",
        "",
        "Generated by `dive verify --write` from `results/parity.json`; do not edit.",
        "",
        "Each row: our code and an independent implementation on the same weights and inputs, in float64; the largest",
        "absolute difference over all outputs and gradients, which must not exceed the tolerance. The control is a",
        "plausible wrong implementation, which the same comparison must reject.",
        "",
        f"{len(rows)} checks, {len(failed)} failed{': ' + ', '.join(failed) if failed else ''}.",
        "",
        "| check | what is compared | reference | difference | tolerance | control | its difference | verdict |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        wrong = row["control_difference"]
        tolerance = f"{row['tolerance']:.0e}" + (f" ({row['why']})" if row["why"] else "")
        cells = [
            f"`{row['name']}`",
            row["claim"],
            f"{row['reference']} {row['version']}",
            f"{row['difference']:.1e}",
            tolerance,
            row["mistake"],
            "not finite" if wrong is None else f"{wrong:.1e}",
            "ok" if row["passed"] else "**FAILED**",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main(argv: list[str]) -> int:
    """Runs the checks named, all without names; returns 1 when one fails."""
    parser = OptionParser(prog="dive verify", description="Compare with references.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="a topic or a check; all without names")
    parser.add_argument("--write", action="store_true", help="write results/parity.json and PARITY.md")
    options = parser.parse_args(argv)
    outcomes, checks = [], all_checks()
    for check in choose(checks, options.names):
        outcomes.append(check.run())
        print(outcomes[-1].line(), flush=True)
    if options.write:
        write(outcomes, ROOT, [check.name for check in checks])
    return 0 if all(outcome.passed for outcome in outcomes) else 1
