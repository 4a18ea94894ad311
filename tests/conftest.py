"""One thread, no network logger, runs in a temporary folder; a test over five CPU-seconds must be marked slow."""

import os
import time
from collections.abc import Generator
from pathlib import Path

import pytest
import torch
from threadpoolctl import threadpool_limits

import scripts.front.lightning_cli  # noqa: F401  the five seconds of importing Lightning belong to no single test

os.environ.setdefault("WANDB_MODE", "offline")
torch.set_num_threads(1)  # two workers with two threads each are up to 60 times slower
threadpool_limits(1)  # the same for NumPy's and SciPy's linear algebra
CPU_SECONDS = 5.0


@pytest.fixture(autouse=True)
def own_runs_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test writes its runs under its own temporary folder and starts without another test's run or seed."""
    monkeypatch.setenv("DIVE_RUNS", str(tmp_path / "runs"))
    monkeypatch.delenv("DIVE_RUN_DIR", raising=False)
    monkeypatch.setenv("PL_GLOBAL_SEED", "0")
    torch.manual_seed(0)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """The budget of the quick tests: CPU time of this process, so that a busy machine fails nobody."""
    start = time.process_time()
    result = yield
    used = time.process_time() - start
    if used > CPU_SECONDS and not item.get_closest_marker("slow"):
        pytest.fail(f"took {used:.1f} CPU-seconds: mark it slow or make it smaller (limit {CPU_SECONDS:.0f})")
    return result


def fail_missing_extra(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Under CI=true a test skipped for a package that is not installed has failed: a green run hides nothing."""
    if os.environ.get("CI") == "true" and report.skipped and "could not import" in str(report.longrepr):
        report.outcome = "failed"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    fail_missing_extra(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    fail_missing_extra(report)
    return report


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Real data is used where it lies under DIVE_DATA; a slow test runs only when asked for (``-m slow``)."""
    root = os.environ.get("DIVE_DATA", "")
    for item in items:
        if item.get_closest_marker("realdata") and not Path(root or "/nonexistent").is_dir():
            item.add_marker(pytest.mark.skip(reason="DIVE_DATA names no folder of public files"))
        if item.get_closest_marker("slow") and "slow" not in (config.option.markexpr or ""):
            item.add_marker(pytest.mark.skip(reason="slow: run by make test-all"))
