"""Own ratings: any names, duplicates, new users, and every mistake in one line."""

from pathlib import Path
from typing import Any

import pytest

from common.messages import UserError
from datamodules.ratings.ratings_file import RatingsFile
from tests.datamodules.test_run_file import rows

ROWS = [("ana", "lamp", 4, 10), ("ana", "sofa", 5, 30), ("ana", "desk", 2, 20), ("bo", "lamp", 3, 5)]


def write(folder: Path, rows: Any, heading: str = "user,item,rating,timestamp") -> str:
    path = folder / "ratings.csv"
    path.write_text("\n".join([heading, *(",".join(map(str, row)) for row in rows)]) + "\n")
    return str(path)


def test_sizes_scale_and_names_are_those_of_the_file(tmp_path: Path) -> None:
    data = RatingsFile(write(tmp_path, ROWS))
    assert (data.num_users, data.num_items, data.min_rating, data.max_rating) == (2, 3, 2.0, 5.0)
    data.setup("fit")
    data.setup("test")
    assert data.user_names == ["ana", "bo"] and data.item_names == ["lamp", "sofa", "desk"]
    assert data.splits["test"][1].tolist() == [[1]] and data.splits["val"][1].tolist() == [[2]]
    assert "1 users with one or two ratings are trained on and not tested" in data.summary()


def test_a_duplicate_pair_is_counted_and_the_newest_kept(tmp_path: Path) -> None:
    rows = [*ROWS, ("ana", "lamp", 2, 99)]
    data = RatingsFile(
        write(tmp_path, rows), feedback="explicit", split="random", val_fraction=0.25, test_fraction=0.25
    )
    data.setup("fit")
    assert "1 duplicate pairs of user and item, the newest kept" in data.summary()
    assert sum(len(y) for _, y in (data.splits[n] for n in ("train", "val", "test"))) == 4


def test_columns_may_have_other_names_and_titles_and_no_ratings(tmp_path: Path) -> None:
    path = write(tmp_path, [(7, 1, "One"), (7, 2, "Two"), (7, 3, "")], "User_ID,Movie_ID,Title")
    data = RatingsFile(path)
    data.setup("test")
    assert data.titles == ["One", "Two", "3"] and data.splits["test"][1].tolist() == [[2]]  # the order of the rows


@pytest.mark.parametrize("times", [(0.75, 0.25, 0.5), ("3e30", "1e30", "2e30"), ("30", "10", "20.0")])
def test_the_order_of_time_is_that_of_fractions_too(tmp_path: Path, times: tuple[Any, ...]) -> None:
    data = RatingsFile(write(tmp_path, [("ana", f"i{k}", 4, time) for k, time in enumerate(times)]))
    data.setup("fit")
    data.setup("test")
    assert data.splits["test"][1].tolist() == [[0]] and data.splits["val"][1].tolist() == [[2]]


def test_a_new_file_is_predicted_with_the_items_of_the_run_and_its_new_users(tmp_path: Path) -> None:
    old = RatingsFile(write(tmp_path, ROWS))
    old.setup("fit")
    new_path = tmp_path / "new.csv"
    new_path.write_text("user,item\ncy,sofa\ncy,piano\nbo,desk\n")
    new = RatingsFile(str(new_path), old.num_users, old.num_items, 1.0, 5.0)
    new.load_processor(old.processor())
    new.setup("predict")
    users, history, _ = new.transform(new.splits["predict"])
    assert users.tolist() == [1, 2] and history.tolist() == [[2], [1]] and new.predict_names == ["bo", "cy"]
    assert "1 items that the model does not know left out (piano)" in new.summary()


@pytest.mark.parametrize(
    ("rows", "heading", "says"),
    [
        ([("a", 1)], "usr,rating", "no column 'user': did you mean 'usr'"),
        (
            [("a", "x", 4, "monday")],
            "user,item,rating,timestamp",
            "row 1: timestamp is 'monday', not a number",
        ),
        ([("a", "x", "good", 1)], "user,item,rating,timestamp", "row 1: rating is 'good', not a number"),
        ([("a", "x", "", 1)], "user,item,rating,timestamp", "row 1: rating is empty"),
        ([("a", "x", 4, 1), ("", "x", 4, 1)], "user,item,rating,timestamp", "row 2: no user"),
        ([], "user,item,rating,timestamp", "has a heading but no rows"),
        ([("a", "x", 4, 1)], "user,item,rating,timestamp", "too few ratings for a split"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_line(tmp_path: Path, rows: Any, heading: str, says: str) -> None:
    with pytest.raises(UserError, match=says):
        RatingsFile(write(tmp_path, rows, heading)).setup("fit")


@pytest.mark.parametrize(
    ("heading", "says"),
    [("user,item", "no column 'rating', and this model predicts"), ("user,item,rating", "all ratings are 4, and this")],
)
def test_a_model_of_ratings_needs_different_ones_and_one_of_rankings_does_not(
    tmp_path: Path, heading: str, says: str
) -> None:
    fields = heading.count(",") + 1
    path = write(tmp_path, [("ana", f"i{k}", 4)[:fields] for k in range(30)], heading)
    with pytest.raises(UserError, match=says):
        RatingsFile(path, feedback="explicit", split="random").setup("fit")
    data = RatingsFile(path)
    data.setup("fit")
    assert len(data.splits["train"][0]) == 28


def test_ratings_outside_of_a_given_scale_are_one_line(tmp_path: Path) -> None:
    path = write(tmp_path, [("ana", "sofa", 3, 1), *ROWS])  # the first row is left out: a newer one has its pair
    with pytest.raises(UserError, match="1 ratings are outside of 1 to 4, the first is 5 in row 3"):
        RatingsFile(path, min_rating=1.0, max_rating=4.0, feedback="explicit").setup("fit")


@pytest.mark.parametrize("options", [{}, {"feedback": "explicit", "split": "random"}])
def test_a_prediction_from_histories_takes_ratings_of_another_scale(tmp_path: Path, options: Any) -> None:
    stars = write(tmp_path, ROWS)
    new = RatingsFile(stars, 2, 3, 1.0, 1.0, **options)  # the run's file had no ratings
    new.setup("predict")
    assert new.transform(new.splits["predict"])[1].shape == (2, 3)
    with pytest.raises(UserError, match=r"4 ratings are outside of 1 to 1, the first is 4 in row 1"):
        RatingsFile(stars, 2, 3, 1.0, 1.0, feedback="explicit", batches="items").setup("predict")


def test_no_path_is_one_line() -> None:
    with pytest.raises(UserError, match=r"--data\.path FILE"):
        RatingsFile.infer("")


def test_a_changed_file_is_refused_where_its_split_is_random(tmp_path: Path) -> None:
    def of(many: int, split: Any) -> RatingsFile:
        table = [(f"u{k % 4}", f"i{k}", 1 + k % 5, k) for k in range(many)]
        feedback: Any = "explicit" if split == "random" else "implicit"
        return RatingsFile(write(tmp_path, table), 4, 20, 1.0, 5.0, feedback=feedback, split=split)

    data = of(20, "random")
    data.setup("fit")
    run = data.processor()
    assert rows(of(20, "random"), run)["test"] == 2
    with pytest.raises(UserError, match=r"ratings.csv: its content changed since training, and a .*: train again$"):
        rows(of(19, "random"), run)
    assert rows(of(19, "random"), run, "predict")
    latest = of(16, "leave_one_out")
    latest.setup("fit")
    again = of(20, "leave_one_out")  # newer ratings of the same users are what is tested
    assert rows(again, {**latest.processor(), "items": data.item_names, "titles": data.titles})["test"] == 4
