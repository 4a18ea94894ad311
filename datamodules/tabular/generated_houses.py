"""Houses that never stood: a generated table with the troubles of the real one, for house prices without a download.

Missing numbers, missing texts that mean "none", rare categories of which some appear in new rows only, dates, columns
that say nothing, and a price whose logarithm is no linear function of them. The right answer is known: the price's
logarithm is a rule of the columns and ``NOISE``, so no predictor's log-rmse is below 0.1 but by chance.
"""

import numpy as np
import pandas as pd

from datamodules.tabular.house_prices import HousePrices
from datamodules.tabular.tables import read_table

NOISE = 0.1  # of the price's logarithm: a tenth of the price
DISTRICTS = [f"district {k}" for k in range(1, 16)]
QUALITIES = ["poor", "fair", "good", "excellent"]


def generate(rows: int, seed: int, new: bool = False) -> pd.DataFrame:
    """A table with every cell as text, as ``read_table`` returns it; new rows have no price and one unseen district."""
    random = np.random.default_rng(seed)
    area = np.exp(random.normal(4.7, 0.35, rows))  # square meters
    lot = area * np.exp(random.normal(1.2, 0.5, rows))
    share = 1 / np.arange(1, len(DISTRICTS) + 1) ** 1.5  # the last districts have a house in a hundred
    district = random.choice(len(DISTRICTS), rows, p=share / share.sum())
    quality = random.choice(len(QUALITIES), rows, p=[0.1, 0.4, 0.4, 0.1])
    built = random.integers(1900, 2020, rows)
    sold = pd.Timestamp("2015-01-01") + pd.to_timedelta(random.integers(0, 2000, rows), "D")
    rooms = np.clip(np.round(area / 25 + random.normal(0, 1, rows)), 1, 10)
    pool = random.random(rows) < 0.03
    garage = random.choice(3, rows, p=[0.2, 0.5, 0.3])  # none, open, closed
    worth = np.random.default_rng(0).normal(0, 0.2, len(DISTRICTS))[district]  # the districts' own, for every table
    age = (2020 - built) / 50
    logarithm = 7.5 + 0.9 * np.log(area) + 0.15 * np.log(lot / area) + worth + 0.1 * garage + 0.1 * pool
    logarithm += np.where(quality >= 2, 0.25 * (quality - 1), -0.25 * age)  # age harms a house that is not kept
    logarithm += 0.1 * np.sin((rooms - 1) * 1.2) + 0.0001 * (sold - pd.Timestamp("2015-01-01")).days
    price = np.exp(logarithm + NOISE * random.normal(0, 1, rows))
    names = np.array([*DISTRICTS, "district new"])[np.where(random.random(rows) < (0.02 if new else 0), -1, district)]
    table = pd.DataFrame(
        {
            "Id": 1 + np.arange(rows) + 10_000 * new,
            "Area": np.round(area, 1),
            "Lot": np.where(random.random(rows) < 0.15, np.nan, np.round(lot)),  # one in seven is not known
            "Rooms": rooms,
            "District": names,
            "Quality": np.array(QUALITIES)[quality],
            "Built": built,
            "Sold": sold.strftime("%Y-%m-%d"),
            "Garage": np.array([None, "open", "closed"], dtype=object)[garage],  # missing means none
            "Pool": np.array([None, "yes"], dtype=object)[pool.astype(int)],
            "Street": "paved",  # says nothing
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

    @staticmethod
    def read(path: str) -> pd.DataFrame:
        return read_table(path) if path else generate(1200, seed=1)

    @staticmethod
    def read_new(path: str) -> pd.DataFrame:
        return read_table(path) if path else generate(300, seed=2, new=True)
