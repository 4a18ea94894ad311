"""What is written comes back: every number to its last digit, folds, missing answers."""

from pathlib import Path
from typing import Any

from scripts.evidence.results_files import read_csv, read_topic, write_topic


def run(seed: int, **more: Any) -> dict[str, Any]:
    taken = {"seconds": 9.62, "cpu_seconds": None, "epochs": 3, "samples_per_second": 35445.8, "parameters": 2049}
    return {"seed": seed, **taken, "metrics": {"test/loss": 0.1 + seed / 3, "test/rmse": 1e-7}, **more}


def result(name: str, **more: Any) -> dict[str, Any]:
    origin = {
        "commit": "abc+",
        "device": "cpu, 1 threads",
        "fingerprint": "12",
        "checked": "34",
        "differs": "a, 'b' | c",
    }
    digest = {"settings": "max_epochs=3", "losses": "2.3 2.2"}
    versions = {"python": "3", "torch": "2", "lightning": "2.6"}
    return {"recipe": name, "extra": [], "versions": versions, "digest": digest, "runs": [run(0)], **origin, **more}


def test_what_is_written_comes_back(tmp_path: Path) -> None:
    folds = [{"test/loss": 0.1 + k / 7, "test/rmse": 1.0 * k} for k in range(3)]
    one = result("toy/one", extra=["--model.x", "[1, 2]"], runs=[run(0, folds=folds), run(2)])
    one["ablation"] = {"arguments": "--model.width 1", **run(0, folds=folds)}
    one["chance"] = {"what": 'the mean, "so to speak"', "metrics": {"test/rmse": 1 / 3}}
    one["trees"] = {"what": "trees", "metrics": {"test/loss": float("inf")}}
    write_topic(tmp_path, "toy", {"toy/two": result("toy/two"), "toy/one": one})
    back = read_topic(tmp_path, "toy")
    assert list(back) == ["toy/one", "toy/two"]
    assert {name: back["toy/one"][name] for name in one} == one
    assert back["toy/one"]["seeds"] == [0, 2] and back["toy/two"]["metrics"]["test/loss"] == {"mean": 0.1, "std": None}
    assert "ablation" not in back["toy/two"] and "chance" not in back["toy/two"]


def test_a_row_is_a_seed_and_what_all_share_stands_once(tmp_path: Path) -> None:
    write_topic(tmp_path, "toy", {"toy/one": result("toy/one", runs=[run(0), run(1), run(2)])})
    assert [row["seed"] for row in read_csv(tmp_path / "toy.csv")] == ["0", "1", "2"]
    assert len(read_csv(tmp_path / "toy.digests.csv")) == 1
    assert "abc+" not in (tmp_path / "toy.csv").read_text()


def test_metrics_that_one_recipe_lacks_are_not_its_own(tmp_path: Path) -> None:
    other = result("toy/two", runs=[run(0) | {"metrics": {"test/acc": 0.5}}])
    write_topic(tmp_path, "toy", {"toy/one": result("toy/one"), "toy/two": other})
    assert list(read_topic(tmp_path, "toy")["toy/two"]["metrics"]) == ["test/acc"]


def test_nothing_measured_is_nothing(tmp_path: Path) -> None:
    assert read_topic(tmp_path, "toy") == {}
