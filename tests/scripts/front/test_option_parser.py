"""A verb's own options: each error is one line that suggests the right option."""

import pytest

from common.messages import UserError
from scripts.cli import main
from scripts.front.option_parser import OptionParser


def parser() -> OptionParser:
    made = OptionParser("dive study")
    made.add_argument("--seeds", type=int, default=10)
    return made


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--seedz", "3"], "unknown option --seedz: did you mean '--seeds'[?]"),
        (["--seedz=3"], "unknown option --seedz: did you mean '--seeds'[?]"),
        (["--wings"], "unknown option --wings: see `dive study --help`"),
        (["rl/ppo"], "unknown word rl/ppo: see `dive study --help`"),
        (["--seeds", "many"], "invalid int value: 'many'; see `dive study --help`"),
    ],
)
def test_a_wrong_option_or_value_is_one_line(words: list[str], says: str) -> None:
    with pytest.raises(UserError, match=says):
        parser().parse_args(words)
    assert parser().parse_args(["--seeds", "3"]).seeds == 3


@pytest.mark.parametrize(
    ("line", "option"),
    [
        ("study --seedz 3", "--seeds"),
        ("replay --repeat 3", "--repeats"),
        ("results --rendr", "--render"),
        ("verify --wirte", "--write"),
        ("bench --repeat 3", "--repeats"),
        ("transcribe rnn/speech --fil a.wav", "--file"),
        ("serve --prot 3 recommender/mf", "--port"),
        ("play rl/ppo --sed 3", "--seed"),
    ],
)
def test_a_verb_suggests_the_option_that_was_meant(line: str, option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(line.split()) == 2
    said = capsys.readouterr().err.splitlines()
    assert said[-1].startswith("dive: unknown option --") and said[-1].endswith(f": did you mean '{option}'?")
    assert all(line.startswith("note: ") for line in said[:-1])
