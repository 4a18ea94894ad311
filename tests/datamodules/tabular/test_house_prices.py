"""House prices: Kaggle's files, folds without leaks, and the submission's names."""

from pathlib import Path

import pandas as pd
import pytest
import torch

from common.messages import UserError
from datamodules.tabular.generated_houses import generate
from datamodules.tabular.house_prices import HousePrices
from tests.datamodules.test_run_file import rows


def own(tmp_path: Path) -> str:
    generate(60, seed=3).to_csv(tmp_path / "houses.csv", index=False)
    return str(tmp_path / "houses.csv")


def test_a_table_of_ones_own_needs_no_download(tmp_path: Path) -> None:
    data = HousePrices(path=own(tmp_path), fold=2)
    data.setup("fit")
    prices = pd.read_csv(own(tmp_path))["SalePrice"]
    sizes = {name: len(y) for name, (_, y) in data.splits.items()}
    assert sizes == {"train": 43, "val": 5, "test": 12}
    assert float(data.splits["train"][1].exp().max()) <= prices.max() * 1.0001


def test_the_identifier_is_not_a_feature_and_names_the_predictions(tmp_path: Path) -> None:
    data = HousePrices(path=own(tmp_path))
    data.setup("fit")
    assert "Id" not in [column.name for column in data.columns or []]
    data.setup("predict")
    assert data.predict_names == [str(k) for k in range(1, 61)] and data.processor()["id"] == "Id"


@pytest.mark.realdata
def test_kaggles_files_have_their_rows_and_the_fold_gives_no_statistics() -> None:
    data = HousePrices(fold=1)
    data.setup("fit")
    assert sum(len(y) for _, y in data.splits.values()) == 1460 and len(data.splits["test"][1]) == 292
    means = data.splits["train"][0].mean(0)
    standardized = [i for i in range(len(means)) if data.splits["train"][0][:, i].min() < 0]
    assert float(means[standardized].abs().max()) < 1e-5
    assert float(data.splits["test"][0].mean(0)[standardized].abs().max()) > 0.02
    data.setup("predict")
    assert data.splits["predict"][0].shape == (1459, data.num_features)
    assert data.predict_names is not None and (data.predict_names[0], data.predict_names[-1]) == ("1461", "2919")


@pytest.mark.realdata
def test_features_are_those_of_the_book_but_for_what_the_training_rows_do_not_show() -> None:
    """331 with all rows and a column for every missing (D2L 5.7); fewer categories in the training rows of a fold."""
    widths = [HousePrices(fold=fold).num_features for fold in range(5)]
    assert all(290 <= width <= 305 for width in widths)
    assert torch.tensor(widths).float().std() > 0  # the folds differ: categories come from the training rows alone


def test_kaggles_own_table_is_known_again_and_another_is_tested_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIVE_DATA", str(tmp_path))
    (tmp_path / "kaggle_house").mkdir()
    table = tmp_path / "kaggle_house" / "kaggle_house_pred_train.csv"
    generate(60, seed=3).to_csv(table, index=False)
    data = HousePrices()
    assert rows(data, stage="fit")["test"] == 12
    run, sizes = data.processor(), {"num_features": data.num_features, "num_outputs": 1}
    assert rows(HousePrices(**sizes), run)["test"] == 12  # type: ignore[arg-type]
    generate(20, seed=4).to_csv(tmp_path / "mine.csv", index=False)
    assert rows(HousePrices(str(tmp_path / "mine.csv"), **sizes), run) == {"test": 20}  # type: ignore[arg-type]
    generate(61, seed=3).to_csv(table, index=False)
    with pytest.raises(UserError, match=r"kaggle_house_pred_train.csv: its content changed since training"):
        rows(HousePrices(**sizes), run)  # type: ignore[arg-type]
