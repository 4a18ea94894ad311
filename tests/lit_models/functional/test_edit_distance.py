"""Edit distance, alignment and intervals; ``dive verify rnn/edit_distance`` compares with jiwer."""

import pytest

from lit_models.functional.edit_distance import alignment, edits, error_interval, error_rate


@pytest.mark.parametrize(
    ("true", "heard", "distance"),
    [("kitten", "sitting", 3), ("", "", 0), ("", "12", 2), ("12", "", 2), ("1234", "1234", 0), ("112", "12", 1)],
)
def test_edits_are_the_fewest(true: str, heard: str, distance: int) -> None:
    assert edits(true, heard) == distance
    pairs = alignment(true, heard)
    assert "".join(a for a, _ in pairs if a) == true and "".join(b for _, b in pairs if b) == heard


def test_an_alignment_says_what_was_taken_for_what() -> None:
    assert alignment("123", "143") == [("1", "1"), ("2", "4"), ("3", "3")]
    assert alignment("12", "132") == [("1", "1"), (None, "3"), ("2", "2")]


def test_the_rate_is_of_the_whole_set() -> None:
    assert error_rate([1, 0], [1, 9]) == 0.1
    assert error_rate([2], [0]) == 2


def test_the_interval_surrounds_the_rate_and_shrinks_with_more_texts() -> None:
    low, high = error_interval([0, 1] * 50, [5] * 100)
    assert low < 0.1 < high
    wider = error_interval([0, 1] * 5, [5] * 10)
    assert wider[1] - wider[0] > high - low
    assert error_interval([0] * 9, [5] * 9) == (0.0, 0.0)
