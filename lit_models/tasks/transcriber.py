"""Speech to text. Batch: sounds (B, T), their lengths in samples (B,), targets (B, S): labels 1 to K, padded with 0.

Two networks learn it: one by connectionist temporal classification (``lit_models/rnn/speech.py``), and a transducer.
"""

from typing import Any

import torch
from torch import Tensor
from torchmetrics import MeanMetric

from common.messages import UserError
from lit_models.functional.edit_distance import alignment, edits, error_interval, error_rate
from lit_models.tasks.processes import gather_rows, own_rows, rank_and_world
from lit_models.tasks.task import Task


class Transcriber(Task):
    """Logs ``train/loss``; of validation and test ``loss``, ``label_error`` (edits over true labels of the whole split)
    and ``string_error`` (fraction of sounds with any error); of the test also the 95 % interval of the label error by
    bootstrap (``label_error_low``, ``label_error_high``), and both errors of the datamodule's ``subsets``.

    A leaf supplies ``losses``, ``heard`` and ``least_frames``.

    Args:
        num_classes: Characters K.
        sample_rate: Of the sounds, in Hz.
        **task: See ``Task``.
    """

    def __init__(self, num_classes: int = 10, sample_rate: int = 8000, **task: Any) -> None:
        super().__init__(**task)
        self.num_classes, self.sample_rate = num_classes, sample_rate
        self.val_loss, self.test_loss = MeanMetric(), MeanMetric()
        self.rows: list[tuple[list[int], list[int], int]] = []  # true, heard and number of this rank's rows

    def losses(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, Tensor, Tensor]:
        """The mean loss over the characters of a batch, their number, and what the network made of the sounds."""
        raise NotImplementedError

    def heard(self, outputs: Tensor, batch: tuple[Tensor, ...], test: bool) -> list[list[int]]:
        """The labels of each row, from what ``losses`` returned."""
        raise NotImplementedError

    def least_frames(self, targets: Tensor) -> Tensor:
        """The least number of frames (B,) that a sound needs for its text, targets (B, S)."""
        raise NotImplementedError

    def on_fit_start(self) -> None:
        super().on_fit_start()
        self.refuse_short_sounds("train", "val")

    def on_test_start(self) -> None:
        super().on_test_start()
        self.refuse_short_sounds("test")

    def refuse_short_sounds(self, *splits: str) -> None:
        """Refuses a sound with fewer frames than its text needs: the text would have probability 0.

        Raises:
            UserError: Names the sound and the least number of frames.
        """
        for name in splits:
            split = self.data_attribute("splits", {}).get(name)
            if not split:
                continue
            has, needs = self.net.frame_counts(split[1]), self.least_frames(split[2])  # type: ignore[operator]
            for row in (needs > has).nonzero().flatten().tolist():
                sound = self.data_attribute("utterance_names", {}).get(name, [])
                what = sound[row] if row < len(sound) else f"sound {row} of {name}"
                raise UserError(
                    f"{what} is shorter than its text: {int(split[1][row]) / self.sample_rate:.2f} s are "
                    f"{int(has[row])} frames, its {int((split[2][row] > 0).sum())} characters need {int(needs[row])}: "
                    "correct the transcript, leave the sound out, or give a smaller --model.reduction"
                )

    def training_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> Tensor:
        loss, count, _ = self.losses(batch)
        self.record_train_loss(loss, count)
        return loss

    # -- evaluation ---------------------------------------------------------------------------------------------------

    def evaluate(self, batch: tuple[Tensor, ...], metric: MeanMetric, test: bool) -> dict[str, Tensor]:
        loss, count, outputs = self.losses(batch)
        metric.update(loss, count)
        heard = self.heard(outputs, batch, test)
        done, world = len(self.rows), rank_and_world(self)[1]
        numbers = own_rows(self, range((done + len(heard)) * world), done, len(heard))
        true = [[label for label in row if label] for row in batch[2].tolist()]
        self.rows += zip(true, heard, numbers, strict=True)
        return {"log_probs": outputs, "confusion": self.confusion(true, heard)}

    def confusion(self, true: list[list[int]], heard: list[list[int]]) -> Tensor:
        """How often a true label (row) was heard as which (column), (K + 1, K + 1); label 0 is none at all."""
        pairs = [(a or 0, b or 0) for one, other in zip(true, heard, strict=True) for a, b in alignment(one, other)]
        counts = torch.zeros(self.num_classes + 1, self.num_classes + 1, dtype=torch.int64)
        for a, b in pairs:
            counts[a, b] += 1
        return counts

    def validation_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> dict[str, Tensor]:
        return self.evaluate(batch, self.val_loss, test=False)

    def test_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> dict[str, Tensor]:
        return self.evaluate(batch, self.test_loss, test=True)

    def on_validation_epoch_start(self) -> None:
        self.rows = []

    on_test_epoch_start = on_validation_epoch_start

    def on_validation_epoch_end(self) -> None:
        self.log("val/loss", self.val_loss)
        found, _ = self.errors()
        self.log_dict({f"val/{name}": value for name, value in found.items()}, prog_bar=True, sync_dist=True)

    def on_test_epoch_end(self) -> None:
        self.log("test/loss", self.test_loss)
        found, rows = self.errors()
        counts, sizes = [edits(true, heard) for true, heard, _ in rows], [len(true) for true, _, _ in rows]
        found["label_error_low"], found["label_error_high"] = error_interval(counts, sizes)
        for name, member in self.data_attribute("subsets", {}).get("test", {}).items():
            part = [row for row in rows if member[row[2]]]
            if part:
                found |= {f"{metric}_{name}": value for metric, value in errors_of(part).items()}
        self.log_dict({f"test/{name}": value for name, value in found.items()}, sync_dist=True)

    def errors(self) -> tuple[dict[str, float], list[tuple[list[int], list[int], int]]]:
        """The errors of an evaluation over all processes, and its rows in the order of the split."""
        rows = sorted(gather_rows(self, self.rows), key=lambda row: row[2])
        return errors_of(rows), rows


def errors_of(rows: list[tuple[list[int], list[int], int]]) -> dict[str, float]:
    """The error rates of rows (true labels, heard labels, number), by label and by string."""
    counts = [edits(true, heard) for true, heard, _ in rows]
    strings = sum(count > 0 for count in counts) / max(1, len(rows))
    return {"label_error": error_rate(counts, [len(true) for true, _, _ in rows]), "string_error": strings}
