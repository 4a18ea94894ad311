"""``dive study``: pairs, intervals and signs; rows that are there stay; a row is what its words say."""

import csv
from pathlib import Path
from typing import Any

import pytest
import torch

from common.messages import UserError
from scripts.evidence import study, study_page
from scripts.evidence.study_methods import DEMANDED, METHODS
from scripts.evidence.study_page import effect, read_rows, table

ROW = {"test_digits": 1000.0, "gap": 0.1, "nll": 0.5, "ece": 0.05, "robust_acc": 0.3, "seconds": 1.0}


def rows(**accuracies: list[float]) -> list[dict[str, Any]]:
    return [
        {"network": "lenet", "method": name, "seed": float(seed), "test_acc": value, **ROW}
        for name, values in accuracies.items()
        for seed, value in enumerate(values)
    ]


def test_the_interval_is_students_on_the_differences_of_the_same_seeds() -> None:
    found = effect(rows(none=[0.5, 0.9, 0.7], mixup=[0.6, 1.0, 0.9]), "mixup", "test_acc")
    assert found is not None and found.seeds == 3
    assert found.difference == pytest.approx(0.4 / 3)
    assert found.half == pytest.approx(4.302653 * torch.tensor([0.1, 0.1, 0.2]).std().item() / 3**0.5, rel=1e-5)
    assert effect(rows(none=[0.5], mixup=[0.6]), "mixup", "test_acc") is None


def test_a_wrong_sign_stays_in_the_table_and_is_the_exit_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study_page, "PAGE", tmp_path / "page.md")
    monkeypatch.setattr(study_page, "PICTURES", tmp_path)
    monkeypatch.setattr(study, "ROWS", tmp_path / "rows.csv")
    (tmp_path / "page.md").write_text("a\n<!--study lenet-->\nold\n<!--/study-->\nb\n")
    for row in rows(none=[0.8, 0.9], rand_augment=[0.7, 0.85], l1=[0.9, 0.95]):
        study.append_row(study.ROWS, study.COLUMNS, study.KEY, row)
    assert study.main(["--render"]) == 1
    text = (tmp_path / "page.md").read_text()
    assert text.startswith("a\n<!--study lenet-->\n| method") and text.endswith("<!--/study-->\nb\n")
    assert "\nold\n" not in text
    assert "-0.075 ± 0.318 ✗" in text and (tmp_path / "regularization_study_lenet.png").stat().st_size > 1000
    assert table(read_rows(tmp_path / "rows.csv", "lenet")).count("\n|") == 4


def test_rows_that_are_there_are_not_trained_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study, "ROWS", tmp_path / "rows.csv")
    monkeypatch.setattr(study, "test_digits", lambda: (None, [0] * 1000))
    trained: list[tuple[str, str, int]] = []

    def run(network: str, name: str, seed: int) -> dict[str, Any]:
        trained.append((network, name, seed))
        return {"network": network, "method": name, "seed": seed, "test_acc": 0.5, **ROW, "test_digits": 1000}

    monkeypatch.setattr(study, "run_row", run)
    study.measure_rows("lenet", ["none", "l1"], 1)
    study.measure_rows("lenet", ["none", "l1"], 2)
    study.measure_rows("resnet", ["none", "drop_connect"], 1)  # which this network cannot have
    rows = [("lenet", "none", 0), ("lenet", "l1", 0), ("lenet", "none", 1), ("lenet", "l1", 1), ("resnet", "none", 0)]
    assert trained == rows
    with (tmp_path / "rows.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 5
    monkeypatch.setattr(study, "test_digits", lambda: (None, [0] * 10_000))
    with pytest.raises(UserError, match="rows of 1000 test digits, here are 10000"):
        study.measure_rows("lenet", ["none"], 1)


def test_a_method_begins_as_none_with_the_same_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    both = "-c regularizer/dropout -c regularizer/mixup"
    for words in ("", both):  # no steps: the initial weights
        monkeypatch.setattr(study.builder("lenet", words).config.trainer, "max_epochs", 0)
    (none, digits, *_), (dropout, same, callbacks, _), (other, others, *_) = (
        study.train("lenet", words, seed) for words, seed in (("", 3), (both, 3), ("", 4))
    )
    assert not none.regularizers and [type(r).__name__ for r in dropout.regularizers] == ["Mixup"]
    assert [type(c).__name__ for c in callbacks] == ["Dropout"]
    first, second, third = (next(model.parameters()) for model in (none, dropout, other))
    assert torch.equal(first, second) and not torch.equal(first, third)
    assert torch.equal(digits.splits["train"][0], same.splits["train"][0])
    assert not torch.equal(digits.splits["train"][0], others.splits["train"][0])


def test_what_is_demanded_is_measured_and_bad_words_are_one_line() -> None:
    assert {method for method, _ in DEMANDED} <= set(METHODS) and {m for _, m in DEMANDED} <= set(study.COLUMNS)
    for words, says in (
        (["--methods", "mixupp"], "did you mean 'mixup'"),
        (["--networks", "vgg"], "no network 'vgg': lenet, resnet"),
        (["--seeds", "1"], "needs at least 2"),
    ):
        with pytest.raises(UserError, match=says):
            study.main(words)
