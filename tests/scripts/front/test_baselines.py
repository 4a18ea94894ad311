"""What a number is read against: guessing, the simplest methods for each kind of data; a text is seen as words."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from datamodules.base import TensorDataModule
from datamodules.text.text_table import TextTable
from scripts.front.baselines import bag_of_tokens, baselines, regression_metrics


def test_tokens_are_counted_and_padding_is_not() -> None:
    bag = bag_of_tokens(np.array([[3.0, 1.0, 3.0, 0.0], [2.0, 0.0, 0.0, 0.0]]), 5)
    assert bag.toarray().tolist() == [[0, 1, 0, 2, 0], [0, 0, 1, 0, 0]]


def test_a_word_that_decides_is_found_wherever_it_stands(tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    fill = ["the", "a", "of", "it", "was", "and"]

    def line(word: str) -> str:
        words = [fill[i] for i in torch.randint(6, (5,), generator=generator).tolist()]
        words.insert(int(torch.randint(6, (1,), generator=generator)), word)
        return " ".join(words)

    path = tmp_path / "mails.csv"
    rows = [f"{line('good')},yes\n{line('bad')},no\n" for _ in range(200)]
    path.write_text("text,label\n" + "".join(rows))
    data = TextTable(path=str(path), vocab_size=20, seq_len=8)
    for what, found in (("counts of tokens", baselines(Plain(data))), ("TF-IDF", baselines(data))):
        assert found["baseline"]["metrics"]["test/acc"] == 1.0 and what in found["baseline"]["what"]


class Plain:
    """Texts with a class without a baseline of their own."""

    def __init__(self, data: TextTable) -> None:
        self.setup, self.splits, self.transform = data.setup, data.splits, data.transform

    vocabulary = ["token"] * 20


class Tensors(TensorDataModule):
    """Splits given as they are."""

    def __init__(self, train: tuple[torch.Tensor, ...], test: tuple[torch.Tensor, ...]) -> None:
        super().__init__()
        self.given = {"train": train, "val": test, "test": test}

    def load(self, stage: str) -> dict[str, tuple[torch.Tensor, ...]]:
        return self.given

    def transform(self, batch: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        return (batch[0].float() / 10, *batch[1:])


def test_baselines_of_classes_are_the_most_frequent_and_logistic_regression() -> None:
    x = torch.arange(100).reshape(100, 1, 1, 1)
    y = (torch.arange(100) >= 70).long()
    found = baselines(Tensors((x, y), (x[40:], y[40:])))
    chance = found["chance"]["metrics"]
    assert chance["test/acc"] == 0.5
    assert chance["test/loss"] == pytest.approx(-(np.log(0.7) + np.log(0.3)) / 2)
    assert found["baseline"]["metrics"]["test/acc"] > 0.95


def test_a_class_that_the_training_rows_do_not_have_is_never_predicted() -> None:
    x = torch.arange(100).reshape(100, 1, 1, 1)
    y = (torch.arange(100) >= 70).long() * 2  # class 1 is tested and was never seen
    seen, tested = torch.arange(90), torch.arange(60, 100)
    rare = y.clone()
    rare[95:] = 1
    data = Tensors((x[seen], y[seen]), (x[tested], rare[tested]))
    data.columns = []
    found = baselines(data)
    for kind in ("chance", "baseline", "trees"):
        metrics = found[kind]["metrics"]
        assert np.isfinite(metrics["test/loss"]) and metrics["test/acc"] <= 35 / 40
    assert found["baseline"]["metrics"]["test/acc"] > 0.6


def test_data_of_another_kind_has_baselines_of_its_own() -> None:
    class Own(Tensors):
        def baselines(self) -> dict[str, Any]:
            return {"chance": {"what": "guessing", "metrics": {"test/perplexity": 28.0}}}

    x, y = torch.randn(60, 3), torch.randn(60)
    assert baselines(Own((x, y), (x, y)))["chance"]["metrics"] == {"test/perplexity": 28.0}


def test_baselines_of_numbers_are_the_mean_and_least_squares() -> None:
    x = torch.randn(50, 3)
    y = x @ torch.tensor([1.0, 2.0, 3.0]) / 10 + 5
    found = baselines(Tensors((x, y), (x, y)))
    assert found["chance"]["metrics"]["test/rmse"] == pytest.approx(float(y.std(correction=0)), rel=1e-5)
    assert found["chance"]["metrics"]["test/r2"] == pytest.approx(0, abs=1e-9)
    assert found["baseline"]["metrics"]["test/rmse"] < 1e-5


def test_errors_are_in_the_units_that_the_recipe_logs() -> None:
    """A datamodule with a standardized target says how many units are one of its own."""
    x = torch.randn(50, 3)
    data = Tensors((x, x.sum(1)), (x, x.sum(1) + 1))
    plain, data.scale = baselines(data), 7.0  # type: ignore[attr-defined]
    for kind, found in baselines(data).items():
        assert found["metrics"]["test/rmse"] == pytest.approx(7 * plain[kind]["metrics"]["test/rmse"]), kind
        assert found["metrics"]["test/r2"] == plain[kind]["metrics"]["test/r2"]


class Table(Tensors):
    """Rows whose columns were of many kinds."""

    columns = ("one", "two")


def test_r2_is_the_mean_over_the_outputs_and_one_row_has_none() -> None:
    y = np.array([[0.0, 10.0], [2.0, 30.0]])
    found = regression_metrics(y + [[1.0, 0.0], [0.0, 0.0]], y)
    assert found["test/r2"] == pytest.approx((1 - 1 / 2 + 1) / 2) and found["test/rmse"] == pytest.approx(0.5)
    assert regression_metrics(y[:1] + 1, y[:1]) == {"test/loss": 0.5, "test/rmse": 1.0}


def test_a_table_is_held_against_ridge_regression_and_boosted_trees() -> None:
    x = torch.randn(300, 2)
    y = (x[:, 0] > 0).float() * x[:, 1].sign()
    found = baselines(Table((x, y), (x, y)))
    assert found["baseline"]["what"].startswith("ridge") and found["trees"]["what"].startswith("boosted trees")
    assert found["trees"]["metrics"]["test/rmse"] < found["baseline"]["metrics"]["test/rmse"] / 3
    classes = baselines(Table((x, (y > 0).long()), (x, (y > 0).long())))
    assert classes["baseline"]["what"].startswith("logistic") and classes["trees"]["metrics"]["test/acc"] > 0.99


def test_a_large_training_set_is_sampled_and_the_row_says_so() -> None:
    x = torch.randn(10_001, 2)
    assert "on 10,000 of 10,001 training rows" in baselines(Tensors((x, x[:, 0]), (x, x[:, 0])))["baseline"]["what"]


@pytest.mark.parametrize(
    "split",
    [
        (torch.zeros(8, 3), torch.zeros(8, 5, dtype=torch.long)),  # tokens
        (torch.zeros(8, 3), torch.zeros(8, 3), torch.zeros(8)),  # pairs
        (torch.zeros(8, 5000), torch.zeros(8)),  # more columns than a quick fit takes
    ],
)
def test_other_data_has_no_baseline(split: tuple[torch.Tensor, ...]) -> None:
    assert baselines(Tensors(split, split)) == {}
    assert baselines(object()) == {}


def test_pictures_with_masks_have_no_baseline_and_are_not_read_for_it() -> None:
    class Masks(TensorDataModule):
        def load(self, stage: str) -> dict[str, tuple[torch.Tensor, ...]]:
            assert stage == "test", "the training pictures are read"
            return {"test": (torch.zeros(4, 1, 8, 8), torch.zeros(4, 8, 8, dtype=torch.long))}

    data = Masks()
    data.setup("test")
    assert baselines(data) == {}
