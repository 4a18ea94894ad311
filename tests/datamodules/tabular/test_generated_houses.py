"""Generated houses: all difficulties occur, the rule can be estimated, new rows have unseen values."""

import numpy as np
import pandas as pd
import torch

from datamodules.tabular.generated_houses import NOISE, GeneratedHouses, generate


def test_the_table_is_fixed_and_every_cell_is_text_or_missing() -> None:
    table = generate(200, seed=1)
    pd.testing.assert_frame_equal(table, generate(200, seed=1))
    cells = table.to_numpy().ravel()
    assert all(isinstance(cell, str) or np.isnan(cell) for cell in cells) and "nan" not in cells


def test_it_has_the_difficulties_of_a_real_table() -> None:
    table = generate(1200, seed=1)
    assert 0.1 < table["Lot"].isna().mean() < 0.2 and 0.15 < table["Garage"].isna().mean() < 0.25
    counts = table["District"].value_counts()
    assert counts.iloc[0] > 400 and counts.iloc[-1] < 15  # rare categories
    assert table["Street"].nunique() == 1


def test_new_rows_have_no_price_and_a_district_that_never_was() -> None:
    table = generate(300, seed=2, new=True)
    assert "SalePrice" not in table and "district new" in set(table["District"])
    assert "district new" not in set(generate(1200, seed=1)["District"])


def test_kinds_of_columns_are_recognized_and_an_unseen_district_is_all_zeros() -> None:
    data = GeneratedHouses()
    data.setup("fit")
    kinds = {column.name: column.kind for column in data.columns or []}
    assert kinds["Sold"] == "date" and kinds["Lot"] == "number" and kinds["District"] == "text"
    assert "Street" not in kinds and "Id" not in kinds
    data.setup("predict")
    (district,) = [c for c in data.columns or [] if c.name == "District"]
    assert district.encode(pd.Series(["district new"])).sum() == 0
    assert data.splits["predict"][0].shape == (300, data.num_features)


def test_the_noise_is_what_the_rule_leaves() -> None:
    """The same houses drawn with other noise would differ by it: least squares on all columns' squares come near."""
    data = GeneratedHouses()
    data.setup("fit")
    x, y = data.splits["train"]
    features = torch.cat([x, x**2, torch.ones(len(x), 1)], dim=1)
    rest = y - features @ torch.linalg.lstsq(features, y[:, None], driver="gelsd").solution[:, 0]
    assert NOISE * 0.9 < float(rest.std()) < 2 * NOISE
