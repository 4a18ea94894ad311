"""``metrics.csv``: one row for each recorded step, kept over a resume.

Lightning's own CSVLogger deletes the file when a run is resumed in its folder. This one reads the existing rows, drops
those that the resumed run will write again, and appends to the rest. It is a logger, not a callback; it is here with
the other parts that record a run.
"""

import csv
import os
from pathlib import Path
from typing import Any, TextIO

from lightning.pytorch.loggers.logger import Logger
from lightning.pytorch.utilities import rank_zero_only


class MetricsCSV(Logger):
    """Writes ``save_dir/metrics.csv``. A new metric adds a column; empty cells mean: not recorded at that step.

    Args:
        save_dir: The run's folder.
    """

    def __init__(self, save_dir: str = ".") -> None:
        super().__init__()
        self._save_dir = Path(save_dir)
        self.path = self._save_dir / "metrics.csv"
        self.rows: list[dict[str, Any]] | None = None
        self.columns: list[str] = []
        self.written = -1  # rows in the file; -1: the whole file is to be written
        self.ends: list[int] = []  # where each row begins, and where the last one ends

    @property
    def save_dir(self) -> str:
        return str(self._save_dir)

    @property
    def name(self) -> str:
        return ""

    @property
    def version(self) -> str:
        return ""

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """Hyper-parameters are in the run's config.yaml."""

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        rows = self._load()
        row = {"step": step, **metrics}
        if rows and rows[-1]["step"] == step and not (row.keys() & rows[-1].keys()) - {"step", "epoch"}:
            rows[-1].update(row)  # several calls for one step make one row
            self.written = min(self.written, len(rows) - 1)
        else:
            rows.append(row)
        new = [name for name in row if name not in self.columns]
        if new:
            self.columns += sorted(new)
            self.written = -1

    @rank_zero_only
    def save(self) -> None:
        """Appends the new rows; after a new column, rewrites the whole file through a temporary file."""
        if not self.rows or self.written == len(self.rows):
            return
        self._save_dir.mkdir(parents=True, exist_ok=True)
        if self.written < 0:
            self._write_all()
            return
        with open(self.path, "r+", newline="") as file:
            file.seek(self.ends[self.written])
            file.truncate()
            self._write_rows(file, self.written)

    @rank_zero_only
    def finalize(self, status: str) -> None:
        self.save()

    @rank_zero_only
    def resume_at(self, step: int, last: dict[str, float] | None = None) -> None:
        """Drops the rows of steps from ``step`` on: the resumed run writes them again.

        Args:
            step: The resumed step.
            last: For a checkpoint of an epoch's end, the values of the row before: they are added where they are
                missing, since a kill may have come between the checkpoint and the row.
        """
        rows = self._load()
        self.rows = [row for row in rows if row["step"] < step]
        changed = len(self.rows) < len(rows)
        if last and not (self.rows and self.rows[-1]["step"] == step - 1 and last.keys() <= self.rows[-1].keys()):
            self.written = min(self.written, len(self.rows))
            self.log_metrics(last, step - 1)
            changed = True
        if changed:
            self._write_all()

    def _write_all(self) -> None:
        temporary = self.path.with_suffix(".tmp")
        with open(temporary, "w", newline="") as file:
            csv.DictWriter(file, self.columns).writeheader()
            file.flush()
            self._write_rows(file, 0)
        os.replace(temporary, self.path)

    def _write_rows(self, file: TextIO, first: int) -> None:
        """Writes the rows from ``first`` on and remembers where each ends, so that the last one can be completed."""
        assert self.rows is not None
        del self.ends[first:]
        for row in self.rows[first:]:
            self.ends.append(file.tell())
            csv.DictWriter(file, self.columns, restval="").writerow(row)
        self.ends.append(file.tell())
        self.written = len(self.rows)

    def _load(self) -> list[dict[str, Any]]:
        if self.rows is None:
            self.rows = read_metrics(self.path)
            self.columns = ["step", "epoch"]
            for row in self.rows:
                self.columns += [name for name in row if name not in self.columns]
            self.written = -1  # the order of columns may differ: the first save rewrites the file
        return self.rows


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """The rows of a metrics.csv as numbers, empty cells left out. A last line cut short by a kill is dropped."""
    if not path.is_file():
        return []
    rows: list[dict[str, Any]] = []
    with open(path, newline="") as file:
        for line in csv.DictReader(file):
            try:
                row: dict[str, Any] = {k: float(v) for k, v in line.items() if k and v}
                row["step"] = int(row["step"])
                if "epoch" in row:
                    row["epoch"] = int(row["epoch"])
            except (ValueError, KeyError):
                continue
            if None not in line.values():
                rows.append(row)
    return rows
