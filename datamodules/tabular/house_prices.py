"""House prices: 1,460 sales in Ames, Iowa, with 79 columns each, and 1,459 houses whose price is to be predicted.

De Cock 2011; the files are those of Kaggle's competition as D2L 5.7 publishes them.
Departs from the book: statistics and categories come from the training rows only, where the book standardizes training
and test tables together; rows are shuffled before they are divided into folds; a fold is used for its test only, and
part of the other folds for validation.
"""

from collections.abc import Sequence
from typing import Any, Literal

import pandas as pd
from torch import Tensor

from datamodules.downloads import fetch
from datamodules.tabular.csv_table import CSVTable
from datamodules.tabular.tables import read_table

URL = "https://d2l-data.s3-accelerate.amazonaws.com/"
TRAIN = "kaggle_house_pred_train.csv"
FILES = {
    TRAIN: "1e18addf81e5e4d347cc17ee6075bbe4a42b7fa26b9e5b063e8f692a5f929d41",
    "kaggle_house_pred_test.csv": "8fdd3d829d4d986b58f845c9553b225e67dd8383624d90fb6ca1d4bed5798c1e",
}


def kaggle_file(name: str) -> str:
    return str(fetch(URL + name, FILES[name], f"kaggle_house/{name}"))


class HousePrices(CSVTable):
    """Rows x (B, num_features) and the logarithm of the price in dollars y (B,); the error is a log-rmse.

    Args:
        path: A table of your own with the same columns; empty means Kaggle's, whose test table is predicted.
        target, task, ignore, num_folds, log_target: As in ``CSVTable``, with defaults for this table.
        missing: What is not there (an alley, a masonry veneer) is a category, the same as a missing one.
        val_fraction: Fraction of the rows outside of the fold that choose the best epoch.
        **table: See ``CSVTable``.
    """

    id_column = "Id"

    def __init__(
        self,
        path: str = "",
        target: str = "SalePrice",
        task: Literal["auto", "classification", "regression"] = "regression",
        num_features: int = 0,
        num_outputs: int = 0,
        ignore: Sequence[str] | str = ("Id",),
        val_fraction: float = 0.1,
        num_folds: int = 5,
        fold: int = 0,
        log_target: bool = True,
        missing: Sequence[str] | str = ("NA", "None"),
        **table: Any,
    ) -> None:
        super().__init__(
            path,
            target,
            task,
            num_features=num_features,
            num_outputs=num_outputs,
            ignore=ignore,
            val_fraction=val_fraction,
            num_folds=num_folds,
            fold=fold,
            log_target=log_target,
            missing=missing,
            **table,
        )

    @staticmethod
    def read(path: str, encoding: str = "", text: Sequence[str] | None = ()) -> pd.DataFrame:
        return read_table(path or kaggle_file(TRAIN), encoding, text)

    @staticmethod
    def read_new(path: str, encoding: str = "") -> pd.DataFrame:
        return read_table(path or kaggle_file("kaggle_house_pred_test.csv"), encoding, None)

    def own_files(self) -> dict[str, str]:
        """Also Kaggle's table, which a person may have put there: its folds are drawn from it."""
        return {"path": self.path or kaggle_file(TRAIN)}

    def load_new(self) -> Tensor:
        x = super().load_new()
        self.predict_names = self.predict_cells.get(self.id_column, self.predict_names)
        return x
