"""The verbs of `dive`: found as files, each with a line in `dive --help` and a help of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.cli import main
from scripts.front.verbs import EVIDENCE, LIGHTNING, SCRIPTS, find_verbs, read_verb, verb_lines


def test_every_file_of_verbs_is_a_verb() -> None:
    files = {path.stem for path in (SCRIPTS / "verbs").glob("*.py")} - {"__init__"}
    assert files == {name for name, verb in find_verbs().items() if verb.module.startswith("scripts.verbs.")}


def test_the_evidence_that_an_installed_dive_lacks_is_known() -> None:
    assert {n for n, verb in find_verbs().items() if verb.module.startswith("scripts.evidence.")} == set(EVIDENCE)


def test_the_first_line_is_usage_and_summary(tmp_path: Path) -> None:
    (tmp_path / "sing.py").write_text('"""``dive sing SONG``: a song, to\nthe end. And more.\n\nText.\n"""\n')
    (tmp_path / "notes.py").write_text('"""What singing needs."""\n')
    verb = read_verb(tmp_path / "sing.py")
    assert verb is not None and (verb.usage, verb.summary) == ("sing SONG", "a song, to the end")
    assert read_verb(tmp_path / "notes.py") is None


@pytest.mark.parametrize("verb", [*LIGHTNING, *find_verbs()])
def test_each_verb_stands_in_the_help_and_has_its_own(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert f"  dive {verb} " in verb_lines()
    try:
        code = main([verb, "--help"])
    except SystemExit as end:  # argparse's
        code = int(end.code or 0)
    said = capsys.readouterr().out
    assert code == 0 and f"dive {verb}" in said and "cli.py" not in said


def test_evidence_without_a_checkout_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("scripts.cli.find_verbs", dict)
    assert main(["verify"]) == 2
    assert "needs a checkout" in capsys.readouterr().err


def test_a_program_is_named_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["results"]) == 2
    assert capsys.readouterr().err.startswith("dive: results needs one of")


def test_a_reader_who_has_enough_ends_the_list_quietly() -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([sys.executable, "-m", "scripts.cli", "list"], stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_terminal_that_is_not_utf8_shows_no_trace() -> None:
    code = "import scripts.cli as cli; cli.PAGE += '\\u00fc\\u4e16'; raise SystemExit(cli.main(['--help']))"
    env = os.environ | {"PYTHONIOENCODING": "ascii"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True)
    assert done.returncode == 0 and done.stdout.rstrip().endswith(b"??") and not done.stderr
