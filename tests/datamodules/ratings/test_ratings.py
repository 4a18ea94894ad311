"""Splits without leaks, and the three kinds of batches."""

from typing import Any

import pytest
import torch

from common.messages import UserError
from datamodules.ratings.planted_films import PlantedFilms
from datamodules.ratings.ratings import Ratings


def small(**options: Any) -> PlantedFilms:
    data = PlantedFilms(num_users=40, num_items=50, shortest=5, longest=12, **options)
    data.setup("fit")
    data.setup("test")
    return data


@pytest.mark.parametrize("split", ["leave_one_out", "random"])
def test_no_history_has_a_target_and_no_target_is_trained_on(split: str) -> None:
    data = small(split=split)
    trained = set(data.positives.tolist())
    for name in ("val", "test"):
        users, history, targets = data.transform(data.splits[name])
        for user, known, wanted in zip(users.tolist(), history.tolist(), targets.tolist(), strict=True):
            wanted_items = {item for item in wanted if item < 50}
            assert wanted_items and not wanted_items & set(known)
            assert not {user * 50 + item for item in wanted_items} & trained
    assert set(data.splits["val"][0][:, 0].tolist()) and len(trained) == len(data.splits["train"][0])


def test_times_never_run_backwards() -> None:
    """A history is in order of time, and its target is newer than all of it."""
    data = small()
    when = data.histories.times
    for name in ("val", "test"):
        for _, start, end in data.splits[name][0].tolist():
            assert bool((when[start : end + 1].diff() > 0).all())


def test_the_test_of_a_person_is_their_last_film() -> None:
    data = small()
    table = data.interactions()
    users, _, targets = data.transform(data.splits["test"])
    for user, target in zip(users.tolist(), targets[:, 0].tolist(), strict=True):
        own = table.user == user
        assert table.item[own][table.time[own].argmax()] == target


def test_pairs_are_all_training_interactions_and_have_no_history() -> None:
    data = small(batches="pairs")
    users, history, targets = data.transform(data.splits["train"])
    assert history.shape == (len(users), 0) and targets.shape == (len(users), 1)
    assert torch.equal((users * 50 + targets[:, 0]).sort().values, data.positives)
    assert int(data.item_counts.sum()) == len(users)


def test_a_row_of_users_has_the_whole_training_history_as_its_targets() -> None:
    data = small(batches="users")
    users, history, targets = data.transform(data.splits["train"])
    assert len(users) == 40 and torch.equal(history, targets)
    assert int((history < 50).sum()) == len(data.positives)


def test_a_window_is_what_comes_before_its_target() -> None:
    data = small(batches="windows", window=3)
    users, history, targets = data.transform(data.splits["train"])
    whole = data.transform(small(batches="users").splits["train"])[1]
    for user, window, target in zip(users.tolist(), history.tolist(), targets[:, 0].tolist(), strict=True):
        own = [item for item in whole[user].tolist() if item < 50]
        place = own.index(target)
        assert [item for item in window if item < 50] == own[max(0, place - 3) : place]
    assert len(users) == len(data.positives) - 40  # a first film has nothing before it


def test_explicit_rows_are_pairs_and_ratings_of_the_three_parts() -> None:
    data = small(feedback="explicit", split="random")
    pairs, y = data.transform(data.splits["train"])
    assert pairs.dtype == torch.int64 and pairs.shape == (len(y), 2) and 1 <= float(y.min()) <= float(y.max()) <= 5
    keys = torch.cat([p[:, 0].long() * 50 + p[:, 1] for p, _ in (data.splits[n] for n in ("train", "val", "test"))])
    assert len(keys.unique()) == len(keys)
    assert data.target_mean == pytest.approx(float(y.mean()), abs=1e-5)


def test_baselines_are_below_the_ceiling() -> None:
    found = small().baselines()
    assert 0 < found["chance"]["metrics"]["test/ndcg@10"] < found["ceiling"]["metrics"]["test/ndcg@10"]


def test_prediction_is_for_the_users_that_were_asked_for_with_all_that_they_have() -> None:
    data = PlantedFilms(num_users=40, num_items=50, shortest=5, longest=12, users="5, 17")
    data.setup("predict")
    users, history, _ = data.transform(data.splits["predict"])
    table = data.interactions()
    assert users.tolist() == [4, 16] and data.predict_names == ["5", "17"]
    assert int((history[0] < 50).sum()) == int((table.user == 4).sum())


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"users": ["zoe"]}, "--users zoe: no ratings of theirs"),
        ({"top": 0}, "data.top is 0"),
        ({"window": 0}, "data.window is 0"),
        ({"min_rating": 4.0, "feedback": "explicit", "batches": "items"}, "ratings are outside of 4 to 5"),
    ],
)
def test_what_cannot_be_is_one_line(options: dict[str, Any], says: str) -> None:
    with pytest.raises(UserError, match=says):
        PlantedFilms(num_users=40, num_items=50, shortest=5, longest=12, **options).setup("predict")


def test_an_empty_catalog_is_one_line() -> None:
    class Nothing(Ratings):
        def interactions(self) -> Any:
            from datamodules.ratings.interactions import Interactions

            none = torch.zeros(0, dtype=torch.long)
            return Interactions(none, none, none.float(), none, [], [])

    with pytest.raises(UserError, match="Nothing has no ratings"):
        Nothing(3, 4).setup("fit")
