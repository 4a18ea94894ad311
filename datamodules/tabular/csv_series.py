"""Your own time series: one column of a CSV file, one row per time, the oldest first or with a column of times.

    dive fit rnn/autoregressive_co2 --data CSVSeries --data.path sales.csv --data.column sold
    dive predict rnn/autoregressive_co2 --data.path sales.csv          the values after its last row, in its units

The file is read as a table is (``datamodules/tabular/csv_table.py``). A forecast begins with the last rows of the file
that is given; mean and scale are those of the run's training rows.
"""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from common.messages import UserError, did_you_mean
from datamodules.reading import some
from datamodules.run_file import KnowsItsFile
from datamodules.tabular import formats
from datamodules.tabular.column import Column
from datamodules.tabular.columns import decimal_of, how_read, is_counter
from datamodules.tabular.series import Series
from datamodules.tabular.tables import forget_tables, read_table

MOST_FEATURES = 24  # past values where the file has enough; give num_features for more
MOST_STEPS = 16


class CSVSeries(KnowsItsFile, Series):
    """Windows x (B, num_features) with the next values y, standardized by the training part; see ``Series``.

    Missing values are put on the line between their neighbors, which is said. Rows that are not in the order of the
    times are sorted.

    Args:
        path: The file. At test time all of a file that is not the run's is tested.
        column: The heading of the values; empty: the only column of numbers.
        time: The heading of the times; empty: the first column of dates, if there is one.
        num_features, num_outputs: Past values, and steps ahead; 0: 24 and 16, or fewer in a short file (``infer``).
        decimal, day_first, encoding: As in ``CSVTable``.
        **series: See ``Series``.

    Raises:
        UserError: The file or the column is missing or cannot be used, or the run's own file changed before a test.
    """

    items = "windows"

    def __init__(
        self,
        path: str = "",
        column: str = "",
        time: str = "",
        num_features: int = 0,
        num_outputs: int = 0,
        decimal: Literal["auto", ".", ","] = "auto",
        day_first: bool | None = None,
        encoding: str = "",
        **series: Any,
    ) -> None:
        found = self.infer(path, num_features, num_outputs, encoding)
        super().__init__(found["num_features"], found["num_outputs"], **series)
        self.path, self.column, self.time, self.encoding = path, column, time, encoding
        self.decimal, self.day_first = decimal, day_first
        self.predict_steps: list[str] = []

    @property
    def own_path(self) -> str:  # type: ignore[override]
        return self.path

    @staticmethod
    def infer(path: str = "", num_features: int = 0, num_outputs: int = 0, encoding: str = "") -> dict[str, int]:
        """Sizes that leave windows in each part of a short file; arguments that are not 0 are kept."""
        if num_features and num_outputs:
            return {"num_features": num_features, "num_outputs": num_outputs}
        rows = len(read_table(path, encoding))
        return {
            "num_features": num_features or max(1, min(MOST_FEATURES, rows // 10)),
            "num_outputs": num_outputs or max(1, min(MOST_STEPS, rows // 10)),
        }

    def processor(self) -> dict[str, Any]:
        return {**super().processor(), "column": self.column, "time": self.time}

    def load_processor(self, processor: dict[str, Any]) -> None:
        super().load_processor(processor)
        self.column, self.time = processor.get("column", self.column), processor.get("time", self.time)

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        if self.is_another(stage) and self.standard:
            (self.mean, self.scale), values = self.standard, self.values()
            self.series = torch.from_numpy((values - self.mean) / self.scale).float()
            windows = self._windows(self.num_features, len(values), self.num_outputs)
            return {"test" if stage == "test" else "val": windows}
        if stage != "predict":
            return {name: split for name, split in super().load(stage).items() if name != "predict"}
        values = self.values()
        if len(values) < self.num_features:
            raise UserError(
                f"{self.path} has {len(values)} rows: a forecast begins with data.num_features {self.num_features}"
            )
        self.mean, self.scale = self.standard or (float(values.mean()), float(values.std()) or 1.0)
        start = torch.from_numpy((values[-self.num_features :] - self.mean) / self.scale).float()
        return {"predict": (start[None],)}

    def values(self) -> np.ndarray:
        """The series (N,), in its own units; says what was read, and names the steps that follow."""
        table = read_table(self.path, self.encoding)
        forget_tables()
        sign = decimal_of(table) if self.decimal == "auto" else self.decimal
        kinds = {}
        for name in table.columns:
            kind, decimal, style = how_read(
                table[name], sign, sign == "," if self.day_first is None else self.day_first
            )
            kinds[str(name)] = Column(str(name), kind, decimal=decimal, style=style)
            if kind == "number" and formats.has_texts(table[name]):
                kinds[str(name)].unit = formats.unit_of(list(table[name].dropna().unique()[:100]), decimal)
        self._find_columns(table, kinds)
        if kinds[self.column].kind != "number":
            raise UserError(f"{self.path}: {self.column!r} is not a column of numbers: name another --data.column")
        values = pd.Series(kinds[self.column].numbers(table[self.column]))
        unit = kinds[self.column].unit
        self.unit = self.unit or unit
        times = self._times(table, kinds)
        if times is not None:
            order = times.argsort(kind="stable").to_numpy()
            if not times.is_monotonic_increasing:
                self.facts.append("the rows are sorted by their times")
            values, times = values.iloc[order].reset_index(drop=True), times.iloc[order].reset_index(drop=True)
        if gaps := int(values.isna().sum()):
            values = values.interpolate(limit_direction="both")
            self.facts.append(f"{gaps:,} missing values are put on the line between their neighbors")
        self.predict_steps = self._steps(len(values), times, kinds)
        low, high = values.min(), values.max()
        self.facts.append(
            f"{len(values):,} values of {self.column!r} from {low:,.6g} to {high:,.6g}{' ' + unit if unit else ''}; "
            f"{self.num_features} past values, {self.num_outputs} steps ahead"
        )
        if not low < high:
            raise UserError(f"{self.path}: {self.column!r} is {low:g} in all rows: name another --data.column")
        return values.to_numpy(dtype=np.float64)

    def _find_columns(self, table: pd.DataFrame, kinds: dict[str, Column]) -> None:
        names = list(kinds)
        for option, name in (("column", self.column), ("time", self.time)):
            if name and name not in kinds:
                has = ", ".join(names)
                raise UserError(
                    f"{self.path}: no column {name!r} for data.{option}; it has {has}{did_you_mean(name, names)}"
                )
        if not self.time:
            self.time = next((name for name, column in kinds.items() if column.kind == "date"), "")
        if not self.column:
            numbers = [
                n for n, c in kinds.items() if c.kind == "number" and n != self.time and not is_counter(table[n])
            ]
            if len(numbers) != 1:
                what = (
                    f"several columns of numbers, {some(numbers)}"
                    if numbers
                    else f"no column of numbers in {some(names)}"
                )
                raise UserError(f"{self.path} has {what}: name one with --data.column")
            self.column = numbers[0]

    def _times(self, table: pd.DataFrame, kinds: dict[str, Column]) -> pd.Series | None:
        """The times of the rows; None without a column of times."""
        if not self.time:
            return None
        column = kinds[self.time]
        if column.kind != "date":
            raise UserError(
                f"{self.path}: {self.time!r} is not a column of dates: leave data.time out, or name another"
            )
        days = column.numbers(table[self.time])
        if np.isnan(days).any():
            raise UserError(
                f"{self.path}: {self.time!r} is empty in row {int(np.isnan(days).argmax()) + 1}: fill it in"
            )
        return pd.Series(pd.to_datetime(table[self.time].to_numpy(), format=column.style, utc=True).tz_localize(None))

    def _steps(self, rows: int, times: pd.Series | None, kinds: dict[str, Column]) -> list[str]:
        """The times of the next steps, or the numbers of their rows."""
        if times is None or len(times) < 3:
            return [str(rows + k) for k in range(1, self.num_outputs + 1)]
        index = pd.DatetimeIndex(times)
        steps = index[1:] - index[:-1]
        every = pd.infer_freq(index) if steps.min() > pd.Timedelta(0) else None
        if every is None:
            every = steps.to_series().median()
            if not every > pd.Timedelta(0):
                raise UserError(
                    f"{self.path}: most times in {self.time!r} come several times: a series has one value for each, so "
                    "leave one row of each, or its sum"
                )
            self.facts.append(
                f"the times are not equally far apart ({steps.min()} to {steps.max()}): taken as if they were"
            )
        coming = pd.date_range(index[-1], periods=self.num_outputs + 1, freq=every)[1:]
        style = kinds[self.time].style
        if style == formats.ISO:
            style = "%Y-%m-%d" if (index == index.normalize()).all() else "%Y-%m-%dT%H:%M:%S"
        return [time.strftime(style) for time in coming]

    @staticmethod
    def described(path: str = "", encoding: str = "", decimal: str = "auto") -> Sequence[str]:
        """A line for each column, for ``dive describe``."""
        from datamodules.tabular.csv_table import CSVTable

        return CSVTable.described(path, decimal=decimal, encoding=encoding)[:-1]
