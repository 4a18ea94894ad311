"""One thread, no network logger, runs in a temporary folder; a test over five CPU-seconds must be marked slow, and the
tests of a topic together stay under forty.
"""

import os
import re
import time
from collections import Counter
from collections.abc import Generator
from pathlib import Path

import pytest
import torch
from threadpoolctl import threadpool_limits

import scripts.front.lightning_cli  # noqa: F401  the five seconds of importing Lightning belong to no single test
from scripts.front.recipes import CONFIGS, PRESETS, all_recipes

os.environ.setdefault("WANDB_MODE", "offline")
torch.set_num_threads(1)  # two workers with two threads each are up to 60 times slower
threadpool_limits(1)  # the same for NumPy's and SciPy's linear algebra
CPU_SECONDS = 5.0  # of a test
TOPIC_SECONDS = 40.0  # of all quick tests of a topic, which is a third of the time of `make test`
RECIPE_SECONDS = 8.0  # of those for each offline recipe, where a topic has so many that this is more (cnn)
SECONDS_OF_A_SLOW_TEST = 7200  # others have pyproject.toml's: both only end what hangs
BEGAN = pytest.StashKey[float]()
spent: Counter[str] = Counter()  # CPU-seconds of each topic


@pytest.fixture(autouse=True)
def own_runs_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test writes its runs under its own temporary folder and starts without another test's run or seed."""
    monkeypatch.setenv("DIVE_RUNS", str(tmp_path / "runs"))
    monkeypatch.delenv("DIVE_RUN_DIR", raising=False)
    monkeypatch.setenv("PL_GLOBAL_SEED", "0")
    torch.manual_seed(0)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    item.stash[BEGAN] = time.process_time()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """The budget of a quick test: CPU time of this process, and four times the aim, since slower processors
    need more for the same work.
    """
    start = time.process_time()
    result = yield
    used = time.process_time() - start
    if used > 4 * CPU_SECONDS and not item.get_closest_marker("slow"):
        pytest.fail(f"took {used:.1f} CPU-seconds: mark it slow or make it smaller (the aim is {CPU_SECONDS:.0f})")
    return result


def fail_missing_extra(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Under CI=true a test skipped for a package that is not installed has failed: a green run hides nothing."""
    if os.environ.get("CI") == "true" and report.skipped and "could not import" in str(report.longrepr):
        report.outcome = "failed"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Notes a test's CPU-seconds with its last report: those of this process, and of others that the test recorded."""
    report = yield
    fail_missing_extra(report)
    if report.when == "teardown":
        own = time.process_time() - item.stash[BEGAN]
        others = sum(float(value) for name, value in item.user_properties if name == "cpu_seconds")  # type: ignore[arg-type]
        report.user_properties.append(("cpu_seconds_in_all", own + others))
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    fail_missing_extra(report)
    return report


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Real data is used where it lies under DIVE_DATA; a slow test is left out unless asked for (``-m slow``)."""
    root = os.environ.get("DIVE_DATA", "")
    if "slow" not in (config.option.markexpr or ""):
        slow = [item for item in items if item.get_closest_marker("slow")]
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if not item.get_closest_marker("slow")]
    for item in items:
        if item.get_closest_marker("realdata") and not Path(root or "/nonexistent").is_dir():
            item.add_marker(pytest.mark.skip(reason="DIVE_DATA names no folder of public files"))
        if item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.timeout(SECONDS_OF_A_SLOW_TEST))


# -- the budget of a topic ------------------------------------------------------------------------------------------


def topic_of(test: str) -> str | None:
    """``cnn`` of tests/lit_models/cnn/... and of a test whose parameter, a recipe or a check, begins with ``cnn/``."""
    found = re.match(r"tests/lit_models/(\w+)/", test) or re.search(r"\[(\w+)/", test)
    return found[1] if found and found[1] not in PRESETS and (CONFIGS / found[1]).is_dir() else None


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """In the process that prints, also for tests that ran in others: the report brings its seconds along."""
    topic = topic_of(report.nodeid)
    if topic and not {"slow", "public"} & set(report.keywords):
        spent[topic] += sum(float(value) for name, value in report.user_properties if name == "cpu_seconds_in_all")  # type: ignore[arg-type,misc]


def budget_of(topic: str) -> float:
    """CPU-seconds that the quick tests of a topic may take."""
    return max(TOPIC_SECONDS, RECIPE_SECONDS * sum(r.offline for r in all_recipes() if r.topic == topic))


def over_budget(factor: float = 1.0) -> dict[str, float]:
    """The topics that took more than so many times their budget, with their CPU-seconds."""
    return {topic: seconds for topic, seconds in spent.items() if seconds > factor * budget_of(topic)}


def failing_budgets() -> dict[str, float]:
    """The topics that fail the run: above three times their budget, since slower processors need more for the same
    work. None where the machine had twice as much to do as it has cores.
    """
    return {} if os.getloadavg()[1] > 2 * (os.cpu_count() or 1) else over_budget(3.0)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if spent:
        text = ", ".join(f"{topic} {seconds:.0f}" for topic, seconds in spent.most_common())
        terminalreporter.write_line(
            f"CPU-seconds of each topic's quick tests, at most {TOPIC_SECONDS:.0f}, or "
            f"{RECIPE_SECONDS:.0f} for each offline recipe: {text}"
        )
    failing = failing_budgets()
    for topic, seconds in over_budget().items():
        terminalreporter.write_line(
            f"{'FAILED' if topic in failing else 'above'} the budget of {topic}: {seconds:.1f} CPU-seconds (at most "
            f"{budget_of(topic):.0f}; three times fails). --durations=20 shows the longest tests: make them smaller, "
            "give a recipe `small:` in its header, or mark what is rarely needed slow",
            red=topic in failing,
            yellow=topic not in failing,
        )


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    if not hasattr(session.config, "workerinput") and failing_budgets():
        session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED
