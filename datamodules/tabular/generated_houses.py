"""Generated houses: a table with the difficulties of the real one, for house prices without a download.

It has missing numbers, missing texts that mean "none", rare categories of which some occur in new rows only, dates,
constant columns, and a price whose logarithm is not a linear function of them. The logarithm is a known function of the
columns plus ``NOISE``, so the best possible log-rmse is 0.1, up to chance.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from datamodules.tabular.house_prices import HousePrices
from datamodules.tabular.tables import read_table

NOISE = 0.1  # of the logarithm of the price: about a tenth of the price
DISTRICTS = [f"district {k}" for k in range(1, 16)]
QUALITIES = ["poor", "fair", "good", "excellent"]


def generate(rows: int, seed: int, new: bool = False) -> pd.DataFrame:
    """A table with every cell as text, as ``read_table`` returns it; new rows have no price and one unseen district."""
    random = np.random.default_rng(seed)
    area = np.exp(random.normal(4.7, 0.35, rows))  # square meters
    lot = area * np.exp(random.normal(1.2, 0.5, rows))
    weight = 1 / np.arange(1, len(DISTRICTS) + 1) ** 1.5  # the last districts have one house in a hundred
    district = random.choice(len(DISTRICTS), rows, p=weight / weight.sum())
    quality = random.choice(len(QUALITIES), rows, p=[0.1, 0.4, 0.4, 0.1])
    built = random.integers(1900, 2020, rows)
    sold = pd.Timestamp("2015-01-01") + pd.to_timedelta(random.integers(0, 2000, rows), "D")
    rooms = np.clip(np.round(area / 25 + random.normal(0, 1, rows)), 1, 10)
    pool = random.random(rows) < 0.03
    garage = random.choice(3, rows, p=[0.2, 0.5, 0.3])  # none, open, closed
    worth = np.random.default_rng(0).normal(0, 0.2, len(DISTRICTS))[
        district
    ]  # of each district, the same in every table
    age = (2020 - built) / 50
    logarithm = 7.5 + 0.9 * np.log(area) + 0.15 * np.log(lot / area) + worth + 0.1 * garage + 0.1 * pool
    logarithm += np.where(
        quality >= 2, 0.25 * (quality - 1), -0.25 * age
    )  # age lowers the price of houses of low quality
    logarithm += 0.1 * np.sin((rooms - 1) * 1.2) + 0.0001 * (sold - pd.Timestamp("2015-01-01")).days
    price = np.exp(logarithm + NOISE * random.normal(0, 1, rows))
    names = np.array([*DISTRICTS, "district new"])[np.where(random.random(rows) < (0.02 if new else 0), -1, district)]
    table = pd.DataFrame(
        {
            "Id": 1 + np.arange(rows) + 10_000 * new,
            "Area": np.round(area, 1),
            "Lot": np.where(random.random(rows) < 0.15, np.nan, np.round(lot)),  # one in seven is missing
            "Rooms": rooms,
            "District": names,
            "Quality": np.array(QUALITIES)[quality],
            "Built": built,
            "Sold": sold.strftime("%Y-%m-%d"),
            "Garage": np.array([None, "open", "closed"], dtype=object)[garage],  # missing means "none"
            "Pool": np.array([None, "yes"], dtype=object)[pool.astype(int)],
            "Street": "paved",  # constant
        }
    )
    if not new:
        table["SalePrice"] = np.round(price)
    return table.astype(object).map(str, na_action="ignore").where(table.notna(), np.nan)


class GeneratedHouses(HousePrices):
    """Rows x (B, num_features) and the logarithm of the price y (B,), from 1,200 generated houses.

    The arguments are those of ``HousePrices``; ``path`` is a table of your own with the same headings. The table is
    fixed (seed 1), and so are the 300 new houses that are predicted (seed 2).
    """

    def own_files(self) -> dict[str, str]:
        return {"path": self.path}  # generated houses do not change

    @staticmethod
    def read(path: str, encoding: str = "", text: Sequence[str] | None = ()) -> pd.DataFrame:
        return read_table(path, encoding, text) if path else generate(1200, seed=1)

    @staticmethod
    def read_new(path: str, encoding: str = "") -> pd.DataFrame:
        return read_table(path, encoding, None) if path else generate(300, seed=2, new=True)
