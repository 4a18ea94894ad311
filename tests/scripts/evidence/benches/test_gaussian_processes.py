"""The bench of Gaussian processes: the same likelihood on both sides, and how the time grows."""

import pytest

from scripts.evidence.benches import gaussian_processes
from scripts.evidence.benches.page import growth, render
from tests.scripts.evidence.test_bench import fake, row


def test_gaussian_processes_have_the_same_likelihood_and_their_growth_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"POINTS": (40, 80), "STEPS": 1, "SPARSE_STEPS": 2}.items():
        monkeypatch.setattr(gaussian_processes, name, value)
    rows = gaussian_processes.measure(1, 1, lambda line: None)
    assert [row["side"] for row in rows[-2:]] == ["ours", "GPyTorch's loop"] and rows[-1]["samples"] == 512
    page = render(fake(gp=rows))
    assert "conjugate gradients: the time of a step grows with n^" in page and "| SVGP | 1 | ours |" in page
    doubled = [{**row("x", "ours", 1 / n**3), "points": n} for n in (10, 100)]
    assert growth(doubled) == "ours: the time of a step grows with n^3.00."
