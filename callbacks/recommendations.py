"""Predictions of a recommender: the best items of each user with titles and scores, a row for each item.

    dive predict recommender/bpr_mf --users 5 17 --top 10

Nothing that a person has is recommended.
"""

import csv
from pathlib import Path
from typing import Any

from lightning.pytorch import Trainer

from callbacks.prediction_files import RowPredictions
from common.data_protocol import data_attribute


class Recommendations(RowPredictions):
    """Writes ``user, rank, item, title, score`` from what ``predict_step`` returns: items and scores of each user."""

    def entry(self, output: Any) -> tuple[list[int], list[float]]:
        return output["items"].tolist(), output["scores"].float().tolist()

    def write(self, trainer: Trainer, file: Path, names: list[str], found: list[Any]) -> None:
        items: list[str] = data_attribute(trainer, "item_names", [])
        titles: list[str] = data_attribute(trainer, "titles", [])
        with open(file, "w", newline="", encoding="utf-8") as sheet:
            writer = csv.writer(sheet)
            writer.writerow(["user", "rank", "item", "title", "score"])
            for user, best in zip(names, found, strict=False):
                for place, (item, score) in enumerate(zip(*best, strict=True), 1):
                    name = items[item] if item < len(items) else str(item)
                    title = titles[item] if item < len(titles) else name
                    writer.writerow([user, place, name, title, f"{score:.4f}"])
        print(f"recommendations for {len(found)} users in {file}")
