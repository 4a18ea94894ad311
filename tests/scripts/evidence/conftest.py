"""Fixtures: the toy project with nothing run, and a witness that counts what a benchmark really does."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scripts.cli import main
from scripts.evidence import results
from scripts.front import recipes
from tests.scripts.evidence.toy_project import SIMPLE, STEPS, record, write_project
from tests.scripts.evidence.witness import Witness


@pytest.fixture
def witness() -> Iterator[Witness]:
    witness = Witness()
    yield witness
    for hook in witness.hooks:
        hook.remove()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of one recipe, ``toy/one``, with nothing run."""
    root = write_project(tmp_path / "project")
    monkeypatch.setattr(recipes, "CONFIGS", root / "configs")
    monkeypatch.setattr(results, "ROOT", root)
    monkeypatch.setattr(results, "RESULTS", root / "results")
    monkeypatch.setattr(results, "PAGE", root / "RESULTS.md")
    monkeypatch.setattr(results, "simple_baselines", lambda argv: SIMPLE)
    monkeypatch.setattr(results, "digest", lambda recipe, extra: dict(STEPS))
    return root


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> dict[int, float]:
    """What each seed's run answers; an ablation answers 0.5. Filled and changed by the tests."""
    answers = {0: 0.94, 1: 0.95, 2: 0.96}

    def run_once(recipe: Any, seed: int, arguments: list[str]) -> dict[str, Any]:
        return record(0.5 if "--model.width" in arguments else answers[seed])

    monkeypatch.setattr(results, "run_once", run_once)
    return answers


@pytest.fixture
def steps(project: Path, runs: dict[int, float], monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The digest of ``toy/one``, which is measured; changed by the tests."""
    steps = {"losses": "2.3 2.2", "ablation": "losses: 2.5 2.4"}
    monkeypatch.setattr(results, "digest", lambda recipe, extra: dict(steps))
    main(["results", "toy/one"])
    return steps
