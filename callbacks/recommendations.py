"""Predictions of a recommender: the best items of each user with titles and scores, a row for each item.

    dive predict recommender/bpr_mf --users 5 17 --top 10

Nothing that a person has is recommended.
"""

import csv
from typing import Any

from lightning.pytorch import LightningModule, Trainer

from callbacks.prediction_files import PredictionFiles
from callbacks.ranks import gather
from common.data_protocol import data_attribute


class Recommendations(PredictionFiles):
    """Writes ``user, rank, item, title, score`` from what ``predict_step`` returns: items and scores of each user.

    Args:
        out: See ``PredictionFiles``.
    """

    def __init__(self, out: str = "") -> None:
        super().__init__(out)
        self.found: list[tuple[list[int], list[float]]] = []

    def on_predict_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        self.found += [(user["items"].tolist(), user["scores"].float().tolist()) for user in outputs]

    def on_predict_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        found, self.found = self.found, []
        ranks = gather(trainer, found)  # each has every world-th user
        if not trainer.is_global_zero or trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        count = sum(map(len, ranks))
        path = self.path(trainer)
        path.parent.mkdir(parents=True, exist_ok=True)
        users = data_attribute(trainer, "predict_names") or [str(k) for k in range(count)]
        items: list[str] = data_attribute(trainer, "item_names", [])
        titles: list[str] = data_attribute(trainer, "titles", [])
        with open(path, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["user", "rank", "item", "title", "score"])
            for k in range(count):
                for place, (item, score) in enumerate(zip(*ranks[k % len(ranks)][k // len(ranks)], strict=True), 1):
                    name = items[item] if item < len(items) else str(item)
                    title = titles[item] if item < len(titles) else name
                    writer.writerow([users[k], place, name, title, f"{score:.4f}"])
        print(f"recommendations for {count} users in {path}")
