"""The rules of the test run itself, shown on small test runs of their own."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]
CONFTEST = Path(__file__).with_name("conftest.py").read_text()
MARKERS = "[pytest]\nmarkers =\n    slow\n    realdata\n    public\n"


def outcomes(pytester: pytest.Pytester, test: str, *options: str) -> dict[str, int]:
    pytester.makeini(MARKERS)
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(test)
    return pytester.runpytest_inprocess("-p", "no:cacheprovider", *options).parseoutcomes()


@pytest.mark.parametrize(("ci", "outcome"), [("true", "failed"), ("", "skipped")])
def test_a_missing_package_skips_a_test_and_fails_it_under_ci(
    ci: str, outcome: str, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", ci)
    test = "import pytest\n\ndef test_it():\n    pytest.importorskip('no_such_package')\n"
    assert outcomes(pytester, test) == {outcome: 1}


def test_a_quick_test_may_not_take_long(pytester: pytest.Pytester) -> None:
    test = """
        import time

        def test_long(monkeypatch):
            now = time.process_time()
            monkeypatch.setattr(time, "process_time", lambda: now + 21)

        def test_short(): pass
    """
    assert outcomes(pytester, test) == {"failed": 1, "passed": 1}


def test_slow_tests_run_when_asked_for(pytester: pytest.Pytester) -> None:
    test = "import pytest\n\n@pytest.mark.slow\ndef test_it(): pass\n"
    assert outcomes(pytester, test) == {"deselected": 1}
    assert outcomes(pytester, test, "-m", "slow") == {"passed": 1}


def test_real_data_is_used_where_it_lies(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    test = "import pytest\n\n@pytest.mark.realdata\ndef test_it(): pass\n"
    monkeypatch.setenv("DIVE_DATA", str(tmp_path / "nowhere"))
    assert outcomes(pytester, test) == {"skipped": 1}
    monkeypatch.setenv("DIVE_DATA", str(tmp_path))
    assert outcomes(pytester, test) == {"passed": 1}


# -- the budget of a topic ------------------------------------------------------------------------------------------

#: Two tests of recipes, by their ids; each says that another process took so many CPU-seconds for it.
HEAVY = """
    import pytest

    @pytest.mark.parametrize("recipe", ["text/names", {second}])
    def test_recipe(recipe, record_property):
        record_property("cpu_seconds", {seconds})
"""


@pytest.fixture
def heavy(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Callable[..., pytest.RunResult]:
    """Runs the two tests on a machine with a load of so much."""

    def run(second: str, *options: str, seconds: int = 21, load: float = 1.0) -> pytest.RunResult:
        monkeypatch.setattr(os, "getloadavg", lambda: (load, load, load))
        pytester.makeini(MARKERS)
        pytester.makeconftest(CONFTEST)
        pytester.makepyfile(HEAVY.format(second=second, seconds=seconds))
        return pytester.runpytest_inprocess("-p", "no:cacheprovider", *options)

    return run


@pytest.mark.parametrize(
    "options", [[], pytest.param(["-n", "2"], marks=pytest.mark.slow)], ids=["one process", "workers"]
)
def test_a_topic_that_takes_three_times_its_budget_fails(
    options: list[str], heavy: Callable[..., pytest.RunResult]
) -> None:
    """Its tests are added up over the processes that ran them."""
    result = heavy('"text/text_cnn"', *options, seconds=61)
    assert result.ret == 1 and result.parseoutcomes() == {"passed": 2}
    result.stdout.fnmatch_lines(["FAILED the budget of text: 122.* CPU-seconds*"])


def test_a_topic_just_above_its_budget_is_named(heavy: Callable[..., pytest.RunResult]) -> None:
    """Another processor takes longer for the same work."""
    result = heavy('"text/text_cnn"')
    assert result.ret == 0
    result.stdout.fnmatch_lines(["above the budget of text: 42.* CPU-seconds*"])


def test_a_busy_machine_fails_no_topic(heavy: Callable[..., pytest.RunResult]) -> None:
    result = heavy('"text/text_cnn"', seconds=61, load=1000.0)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["CPU-seconds of each topic's quick tests, at most 40, *text 122*"])


@pytest.mark.parametrize("second", ['"mlp/mlp"', '"trainer/ddp"', 'pytest.param("text/b", marks=pytest.mark.public)'])
def test_another_topics_and_public_recipes_do_not_count(second: str, heavy: Callable[..., pytest.RunResult]) -> None:
    result = heavy(second)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["CPU-seconds of each topic's quick tests, at most 40, *text 21*"])
