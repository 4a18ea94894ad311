"""MovieLens 100K: the published files, and a damaged one."""

from pathlib import Path

import pytest

from common.messages import UserError
from datamodules.ratings.movielens import MovieLens100K, read_ratings


def test_a_damaged_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "u.data").write_text("1\t2\t3\n")
    with pytest.raises(UserError, match="has 3 columns"):
        read_ratings(tmp_path / "u.data")
    (tmp_path / "u.data").write_text("1\tx\t3\t4\n")
    with pytest.raises(UserError, match="cannot be read as ratings"):
        read_ratings(tmp_path / "u.data")


@pytest.mark.realdata
def test_sizes_are_those_of_the_readme_and_u1_is_the_test() -> None:
    data = MovieLens100K(feedback="explicit", published=True)
    data.setup("fit")
    data.setup("test")
    assert [len(data.splits[name][1]) for name in ("train", "val", "test")] == [72_000, 8_000, 20_000]
    assert data.titles[0] == "Toy Story (1995)" and data.splits["test"][0][0].tolist() == [0, 5]


@pytest.mark.realdata
def test_each_persons_last_film_is_the_test() -> None:
    data = MovieLens100K()
    data.setup("test")
    assert len(data.splits["test"][0]) == 943 and len(data.positives) == 100_000 - 2 * 943
