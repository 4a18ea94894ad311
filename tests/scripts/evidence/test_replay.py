"""The replay of D2L 19: the table is what its command makes, the page says what is stored, a search helps."""

import json
from pathlib import Path

import numpy as np
import pytest

from common.messages import UserError
from scripts.evidence import learning_curves, replay
from scripts.tune.simulate import Event


def rows(count: int) -> list[dict[str, float]]:
    """Planted curves: the error falls faster, the nearer the learning rate is to the middle of its range."""
    found = []
    for number in range(count):
        row = learning_curves.configuration(number)
        away = abs(learning_curves.encode(row)[0] - 0.5)
        curve = {f"e{k}": 0.02 + away + 0.5 / k + 1e-6 * number for k in range(1, learning_curves.EPOCHS + 1)}
        found.append({"number": number, "seconds": 0.1, **row, **curve})
    return found


def test_a_configuration_and_its_place_in_the_unit_cube() -> None:
    for number in range(5):
        row = learning_curves.configuration(number)
        again = learning_curves.decode(learning_curves.encode(row))
        assert again["lr"] == pytest.approx(row["lr"]) and again["batch_size"] == row["batch_size"]
        assert 0.001 <= row["lr"] <= 1 and 16 <= row["batch_size"] <= 256 and 0 <= row["momentum"] <= 0.95


def test_a_table_is_continued_by_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained = []

    def train(config: dict[str, float], data: object) -> tuple[list[float], float]:
        trained.append(config)
        return [0.5] * learning_curves.EPOCHS, 0.1

    monkeypatch.setattr(learning_curves, "train", train)
    monkeypatch.setattr(learning_curves, "digits", lambda: ())
    path = tmp_path / "curves.csv"
    assert learning_curves.extend(2, path) == 2 and learning_curves.extend(4, path) == 2
    assert learning_curves.extend(4, path) == 0 and len(trained) == 4
    table = learning_curves.read(path)
    assert [row["number"] for row in table] == [0, 1, 2, 3] and table[3]["e27"] == 0.5


def test_asha_and_models_are_faster_than_random_search_where_they_can_be() -> None:
    result = replay.study(rows(120), 2)
    found = {name: row["seconds_to_target"] for name, row in result["methods"].items()}
    assert found["asha"] < found["async_random"] / 3 and found["gp"] < found["async_random"]
    assert result["methods"]["asha"]["trials"] > 2 * result["methods"]["async_random"]["trials"]
    assert "Goal: ASHA reaches random search's error 3 times faster. Measured: " in replay.table(result)
    missed = json.loads(json.dumps(result))
    missed["methods"]["asha"]["seconds_to_target"] = result["methods"]["async_random"]["seconds_to_target"]
    assert "Measured: 1.0 times" in replay.sentence(missed)


def test_the_best_so_far_at_a_time_and_chance_before() -> None:
    events = [Event(1.0, 1, 0, 1, 0.5), Event(2.0, 2, 1, 1, 0.7), Event(3.0, 3, 0, 2, 0.3)]
    assert replay.best_at(events, np.array([0.5, 1.0, 2.5, 9.0]), "time").tolist() == [0.9, 0.5, 0.5, 0.3]
    assert replay.reach(np.array([1.0, 2.0]), np.array([0.5, 0.3]), 0.3) == 2.0
    assert replay.reach(np.array([1.0, 2.0]), np.array([0.5, 0.3]), 0.2) is None


def test_the_page_says_what_is_stored() -> None:
    result = json.loads(replay.RESULT.read_text())
    text = replay.PAGE.read_text()
    assert replay.fill_page(text, result) == text and replay.table(result) in text
    assert result["rows"] == len(learning_curves.read())


def test_without_a_table_the_remedy_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "TABLE", tmp_path / "nothing.csv")
    with pytest.raises(UserError, match="dive replay --train 200"):
        replay.main([])


@pytest.mark.slow
def test_a_row_of_the_table_is_what_training_gives() -> None:
    row = learning_curves.read()[0]
    errors, _ = learning_curves.train(learning_curves.configuration(int(row["number"])), learning_curves.digits())
    assert errors == pytest.approx([row[f"e{k}"] for k in range(1, learning_curves.EPOCHS + 1)], abs=0.02)
