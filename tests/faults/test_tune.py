"""A search that is killed, anywhere, is continued with nothing lost and nothing counted twice."""

import json
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from scripts.tune.engine import Engine
from tests.faults.tuning import RECIPE, dying, outcome, really_dying, search, trials, words
from tests.postgres import postgres
from tests.warm import dive, start, wait

MOMENTS = [
    ("claim", 2, False),  # a configuration is claimed, and there is no trial yet
    ("begin", 2, False),  # a trial without a process
    ("report", 2, False),  # in training, the value told, the checkpoint not saved
    ("note", 1, True),  # a trial that has paused and is not released
    ("end", 1, True),  # trained to its end, and not said so
]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A search that nothing has interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    search(folder)
    return folder


def test_the_uninterrupted_search_promotes_one_of_three(whole: Path) -> None:
    assert sorted(len(curve) for _, curve, _ in outcome(whole).values()) == [1, 1, 3]
    folder = whole / "runs" / RECIPE / "tune/a"
    report = json.loads((folder / "report.json").read_text())
    assert report["trials"] == "3 trials: 1 complete, 2 paused" and report["best"]["epochs"] == 3
    page = (folder / "report.html").read_text()
    assert page.count("data:image/png;base64,") == 3 and "http" not in page
    assert len((folder / "trials.csv").read_text().splitlines()) == 4


@pytest.mark.parametrize(
    "moment", [pytest.param(m, id=m[0], marks=[] if m[0] == "report" else [pytest.mark.slow]) for m in MOMENTS]
)
def test_a_killed_search_ends_as_one_that_was_not(moment: tuple[str, int, bool], whole: Path, tmp_path: Path) -> None:
    with dying(*moment):
        search(tmp_path)
    search(tmp_path, "--resume")
    assert outcome(tmp_path) == outcome(whole)


@pytest.mark.slow
def test_a_signal_saves_reports_and_is_continued(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    begin, calls = Engine.start, []

    def interrupted(self: Engine, *args: Any) -> None:
        begin(self, *args)
        calls.append(args)
        if len(calls) == 2:
            signal.raise_signal(signal.SIGTERM)  # Ctrl-C takes the same way, and is ignored in the background

    monkeypatch.setattr(Engine, "start", interrupted)
    with pytest.raises(SystemExit) as end:
        search(tmp_path)
    assert end.value.code == 143
    assert "dive: stopped by SIGTERM" in (said := capfd.readouterr()).err
    assert "2 trials: 2 paused" in said.out and "report.html" in said.out
    search(tmp_path, "--resume")
    assert outcome(tmp_path) == outcome(whole)


def killing(folder: Path, always: bool) -> list[str]:
    facts = {"flag": str(folder / "flag"), "always": always}
    return ["--trainer.callbacks+", json.dumps({"class_path": "tests.faults.tuning.KillOnce", "init_args": facts})]


@pytest.mark.slow
def test_a_killed_trial_is_taken_up_from_its_checkpoint(whole: Path, tmp_path: Path) -> None:
    search(tmp_path, *killing(tmp_path, False))
    assert (tmp_path / "flag").exists() and outcome(tmp_path) == outcome(whole)


@pytest.mark.slow
def test_a_trial_that_is_always_killed_has_failed_and_the_search_ends(tmp_path: Path) -> None:
    search(tmp_path, *killing(tmp_path, True))
    (failed,) = [t for t in trials(tmp_path).values() if t.user_attrs.get("error")]
    assert "killed 2 times by SIGKILL" in failed.user_attrs["error"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with postgres(tmp_path_factory.mktemp("postgres")) as url:
        yield url


@pytest.mark.slow
@pytest.mark.parametrize("storage", ["sqlite", "journal", "postgresql"])
def test_two_processes_share_a_study_and_one_is_killed(
    storage: str, whole: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """The same configurations and values; the process that lives takes up what the other has left."""
    env = {"DIVE_RUNS": str(tmp_path / "runs"), "OMP_NUM_THREADS": "1"}
    url = {"sqlite": "", "journal": str(tmp_path / "study.journal")}.get(storage)
    url = request.getfixturevalue("server") if url is None else url
    command = words(tmp_path, "--resume", "--jobs", "2", *(["--storage", url] if url else []))
    one = start(partial(really_dying, "report", 1, *command), log=tmp_path / "one", env=env, daemon=False)
    other = start(partial(dive, "tune", *command), log=tmp_path / "other", env=env, daemon=False)
    codes = wait(one, other)
    assert codes[1] == 0, (tmp_path / "other").read_text()
    if codes[0] != -signal.SIGKILL:  # the other had done everything before it began
        assert codes[0] == 0
    found, expected = outcome(tmp_path, url), outcome(whole)
    assert found.keys() == expected.keys()
    for draw, (params, curve, _) in found.items():
        assert params == expected[draw][0]
        assert all(curve[epoch] == expected[draw][1].get(epoch, curve[epoch]) for epoch in curve)
    assert any(len(curve) == 3 and finished for _, curve, finished in found.values())
