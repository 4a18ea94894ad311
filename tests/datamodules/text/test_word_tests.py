"""Files of similarity judgments and analogies, and what is wrong with a line."""

from pathlib import Path

import pytest

from common.messages import UserError
from datamodules.downloads import data_root
from datamodules.text.word_tests import published_tests, read_analogies, read_similarity


def test_pairs_and_sections_are_read_in_lower_case(tmp_path: Path) -> None:
    (tmp_path / "p").write_text("Tiger\tcat\t7.35\n\nbook paper 7.46\n")
    (tmp_path / "q").write_text(": family\nboy girl Son daughter\n: gram\na b c d\n")
    assert read_similarity(tmp_path / "p") == [("tiger", "cat", 7.35), ("book", "paper", 7.46)]
    sections = read_analogies(tmp_path / "q")
    assert sections["family"] == [("boy", "girl", "son", "daughter")] and len(sections["all"]) == 2


@pytest.mark.parametrize("line", ["tiger cat", "tiger cat many", "tiger big cat 7"])
def test_a_wrong_pair_is_one_line(line: str, tmp_path: Path) -> None:
    (tmp_path / "p").write_text(f"a b 1\n{line}\n")
    with pytest.raises(UserError, match="line 2: not two words and a score"):
        read_similarity(tmp_path / "p")


def test_a_question_of_three_words_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "q").write_text(": x\na b c\n")
    with pytest.raises(UserError, match="line 2: 3 words"):
        read_analogies(tmp_path / "q")


@pytest.mark.public
@pytest.mark.skipif(not (Path(data_root()) / "word-sim").is_dir(), reason="DIVE_DATA has no word-sim")
def test_published_sets_have_their_published_sizes() -> None:
    tests = published_tests()
    sizes = {name: len(rows) for kind in tests.values() for name, rows in kind.items()}
    assert sizes == {"ws353": 353, "men": 3000, "simlex": 999, "family": 506, "questions": 19544}
