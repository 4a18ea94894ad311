"""Files of measured rows: a key stands once, whoever writes; what is replaced is whole or as it was."""

import csv
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from common.messages import UserError
from scripts.evidence import compare, learning_curves, optimizer_page, optimizers, paired, regret, scaling, study
from scripts.evidence.rows_file import append_row, locked, missing, read_unique, replace_text

KEY, COLUMNS = ("name", "seed"), ("name", "seed", "value")


def row(name: str, seed: int, value: float) -> dict[str, Any]:
    return {"name": name, "seed": seed, "value": value}


def test_a_row_comes_back_and_its_key_is_kept_once(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    for value in (1 / 3, 0.5):  # the second is another process's
        append_row(path, COLUMNS, KEY, row("a", 0, value))
    append_row(path, COLUMNS, KEY, row("a", 1, 2.0))
    assert path.read_text() == "name,seed,value\na,0,0.33333\na,1,2\n"
    path.write_text(path.read_text() + "a,0,0.9\n")  # as files of before may have it
    assert [found["value"] for found in read_unique(path, KEY)] == ["0.33333", "2"]
    assert read_unique(tmp_path / "nothing.csv", KEY) == []


def test_rows_that_were_added_in_the_meantime_are_not_missing(tmp_path: Path) -> None:
    path, asked = tmp_path / "rows.csv", []
    for name, seed in missing(path, KEY, [("a", 0), ("a", 0), ("b", 0)]):
        asked.append(name)
        append_row(path, COLUMNS, KEY, row("a", seed, 0.0))
        append_row(path, COLUMNS, KEY, row("b", seed, 0.0))  # the other process
    assert asked == ["a"]


def test_a_row_waits_for_another_process_and_looks_again(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    waiting = threading.Thread(target=append_row, args=(path, COLUMNS, KEY, row("a", 0, 0.1)))
    with locked(tmp_path):
        waiting.start()
        waiting.join(0.2)
        assert waiting.is_alive() and not path.exists()
        path.write_text("name,seed,value\na,0,0.7\n")
    waiting.join(10)
    assert path.read_text() == "name,seed,value\na,0,0.7\n" and [p.name for p in tmp_path.iterdir()] == ["rows.csv"]


def test_other_columns_are_one_line(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("name,seed,worth\na,0,1\n")
    with pytest.raises(UserError, match="the columns are name, seed, worth, not name, seed, value: move it away"):
        append_row(path, COLUMNS, KEY, row("b", 0, 1.0))
    path.write_text("name,worth\na,1\n")
    with pytest.raises(UserError, match="has no column seed"):
        read_unique(path, KEY)


def test_a_text_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "page.md"
    replace_text(path, "one\n")
    with pytest.raises(UnicodeEncodeError):
        replace_text(path, "two \ud800\n")
    assert path.read_text() == "one\n" and [p.name for p in path.parent.iterdir()] == ["page.md"]


# -- those who write rows ---------------------------------------------------------------------------------------------


def write_two(path: Path, columns: Any, key: dict[str, Any]) -> None:
    """What another process writes while this one trains: a row of the same key."""
    new = not path.is_file()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        if new:
            writer.writeheader()
        writer.writerow(key | {name: 1 for name in columns if name not in key})


def trains(module: Any, monkeypatch: pytest.MonkeyPatch, path: Path) -> Callable[[], Any]:
    """A command that measures one key, named twice, while another process measures it too."""
    name = module.__name__.rpartition(".")[2]
    columns = getattr(module, "COLUMNS", ("recipe", "seed", "ranks"))

    def fake(*key: Any, **found: Any) -> dict[str, Any]:
        facts = dict(zip(columns, key, strict=False))
        write_two(path, columns, facts)
        return facts | {column: 1.0 for column in columns if column not in facts} | found

    def fit(*words: str, runs: str) -> None:
        folder = Path(runs) / words[1] / "now"
        folder.mkdir(parents=True)
        (folder / "config.yaml").touch()
        write_two(path, columns, {"recipe": words[1], "seed": 0})

    def curve(*_: Any) -> tuple[list[float], float]:
        write_two(path, columns, {"number": 0})
        return [0.5] * learning_curves.EPOCHS, 1.0

    monkeypatch.setattr(module, "ROWS", path, raising=False)
    if name == "paired":
        monkeypatch.setattr(paired, "dive", fit)
        monkeypatch.setattr(paired, "ranks_of", lambda run: (None, [1, 2]))
        return lambda: paired.measure(["recommender/ease"] * 2, [0, 0])
    if name == "learning_curves":
        monkeypatch.setattr(learning_curves, "train", curve)
        monkeypatch.setattr(learning_curves, "digits", tuple)
        return lambda: learning_curves.extend(1, path)
    if name == "regret":
        monkeypatch.setattr(regret, "run_row", lambda *key: fake(*key, regrets=[1.0]))
        return lambda: regret.measure(["branin"] * 2, ["ei"] * 2, 1)
    monkeypatch.setattr(module, "run_row", lambda *key: fake(*key))
    if name == "study":
        monkeypatch.setattr(study, "test_digits", lambda: (None, [0]))
        return lambda: study.measure_rows("lenet", ["none", "none"], 1)
    if name == "optimizers":
        monkeypatch.setattr(optimizers, "rates", lambda name: [0.003])
        monkeypatch.setattr(optimizers, "run_row", lambda *key: fake(*key, steps=20))
        return lambda: optimizers.measure(["lenet"] * 2, ["Adam"], 1)
    if name == "compare":
        recall = compare.TASKS["recall"]._replace(networks={"LSTM": ""})
        monkeypatch.setitem(compare.TASKS, "recall", recall)
        return lambda: compare.measure(["recall", "recall"], [0, 0])
    monkeypatch.setattr(scaling, "WIDTHS", (16,))
    monkeypatch.setattr(scaling, "EPOCHS", (1, 1))
    monkeypatch.setattr(scaling, "LARGEST", (16, 1))
    monkeypatch.setattr(scaling, "PREDICTION", path)
    return lambda: scaling.measure([0, 0])


@pytest.mark.parametrize("module", [compare, learning_curves, optimizers, paired, regret, scaling, study])
def test_a_key_that_is_named_twice_or_measured_by_another_process_has_one_row(
    module: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "rows.csv"
    trains(module, monkeypatch, path)()
    assert path.read_text().count("\n") == 2  # the header and the row
    path.write_text(path.read_text() + path.read_text().splitlines()[1] + "\n")
    reading = {study: study.read_rows, optimizers: optimizer_page.read_rows, paired: paired.read_ranks}
    read = reading.get(module) or getattr(module, "read_rows", None) or module.read
    given = {study: [path, "lenet"], optimizers: [path], regret: [path], learning_curves: [path]}
    assert len(read(*given.get(module, []))) == 1


def test_the_stored_rows_have_these_columns_and_none_is_missing() -> None:
    for module in (compare, optimizers, regret, scaling, study):
        found = read_unique(module.ROWS, module.KEY)
        assert tuple(found[0]) == module.COLUMNS and tuple(found[0])[: len(module.KEY)] == module.KEY
    wanted = [("lenet", "Adam", rate, seed) for rate in optimizers.rates("Adam") for seed in range(3)]
    assert not list(missing(optimizers.ROWS, optimizers.KEY, wanted))
    assert not list(missing(regret.ROWS, regret.KEY, [("branin", "ei", k) for k in range(30)]))
