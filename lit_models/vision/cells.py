"""Counting blood cells: TinySSD finds them, and a threshold for each class, chosen on validation, counts them.

The detector is that of ``lit_models/vision/ssd.py``; what differs is the question. "How many?" needs one threshold, and
the one that suits average precision or looks best in a picture counts too few or too many. After each validation the
thresholds are set so that the detections of a class are as many as its objects (``lit_models/functional/counting.py``);
they are in the checkpoint, and tests, predictions and the web page use them. docs/cells.md has the whole project.

    dive fit vision/cells               drawn cells, offline
    dive fit vision/cells_bccd          real ones
    dive predict vision/cells --data ImageFolder --data.root photos/      boxes, counts, marked pictures
    dive predict vision/cells --data LargePictures --data.root slides/ --data.tiles 3      large ones, in tiles

The numbers they reach are in RESULTS.md.
"""

from typing import Any

import torch
from torch import Tensor

from common.messages import UserError
from lit_models.functional.boxes import detections, iou
from lit_models.functional.counting import count_errors, counts_of, error_interval, unbiased_thresholds
from lit_models.functional.views import in_tiles, mirrored
from lit_models.tasks.trains import trains
from lit_models.vision.detector import DECODING, Detections, Detector
from lit_models.vision.ssd import TinySSD, ssd_loss


@trains(TinySSD)
class LitCells(Detector):
    """TinySSD trained with SSD's loss, judged by its counts.

    Logs beside the metrics of ``Detector``: ``test/count_error``, the sum over pictures and classes of
    |found - true| divided by the number of cells, with its bootstrap interval ``test/count_error_low`` and ``_high``;
    ``test/count_error_k`` and ``test/count_bias_k`` of each class k.

    Args:
        count_threshold: Counts from this score on, in all classes. 0: the threshold of each class is chosen on
            validation, so that the count has no bias there.
        min_score: Detections with a lower probability are left out. Average precision needs the improbable ones too.
        max_overlap: Of two detections of a class that overlap by more than this, the better one is kept.
        most: The largest number of cells that can be found in a picture, or in a tile of it.
        flips: Pictures are looked at mirrored too, in validation, tests and predictions; boxes of both are merged.
            Thresholds belong to it: train with it, or validate again.
        tile_overlap: Of pictures that are larger than the network's input, tiles of that size are looked at; at least
            this fraction of a tile is shown by the next one too, and should be larger than a cell.
        **task: See ``Detector``.
    """

    validated = ("map50", "count_error")

    def __init__(
        self,
        count_threshold: float = 0.0,
        min_score: float = 0.02,
        max_overlap: float = 0.45,
        most: int = 200,
        flips: bool = False,
        tile_overlap: float = 0.35,
        **task: Any,
    ) -> None:
        super().__init__(**task)
        if not 0 <= tile_overlap < 1:
            raise UserError(f"model.tile_overlap is {tile_overlap}: give a fraction from 0 to less than 1")
        self.flips, self.tile_overlap = flips, tile_overlap
        self.count_threshold, self.most = count_threshold, most
        self.min_score, self.max_overlap = min_score, max_overlap
        self.thresholds: Tensor
        self.register_buffer("thresholds", torch.full((self.num_classes,), 0.5))  # (K,), chosen on validation

    @property
    def output_means(self) -> str:  # type: ignore[override]
        """What ``forward`` returns, with the thresholds of the counts."""
        chosen = ", ".join(f"{value:.4f}" for value in self.counting_from().tolist())
        return (
            f"Logits (B, A, 1 + K) of A anchors: {DECODING} Of two boxes of a class that overlap by more than "
            f"{self.max_overlap} the better one is kept; one counts from its class's score on: {chosen}"
            + (" (chosen with mirrored pictures merged: see model.flips)." if self.flips else ".")
        )

    def counting_from(self) -> Tensor:
        """The score (K,) from which on a detection of each class counts."""
        given = self.count_threshold
        return torch.full_like(self.thresholds, given) if given else self.thresholds

    def anchors(self) -> Tensor:
        """The network's anchors (A, 4)."""
        net: Any = self.net
        return net.anchors

    def constants(self) -> dict[str, Tensor]:
        return {"anchors": self.anchors()}

    def loss_and_count(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, Tensor, Any]:
        """SSD's loss, per matched anchor."""
        output = self(batch[0])
        seen = self.look(batch[0]) if self.flips and not self.training else output
        return *ssd_loss(output, self.anchors(), batch), seen

    def look(self, x: Tensor) -> Detections:
        """Detections in images (B, C, L, L): larger ones than the network's input in tiles; with flips mirrored too."""

        def once(x: Tensor) -> Detections:
            return self.detect(self(x))

        def twice(x: Tensor) -> Detections:
            return mirrored(once, x, self.max_overlap, self.most)

        one = twice if self.flips else once
        return in_tiles(one, x, self.image_size, self.tile_overlap, self.max_overlap, self.most)

    def test_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> dict[str, Tensor]:
        return self._judge(self.look(batch[0]), batch)

    def detect(self, output: Any) -> Detections:
        """Detections from the network's logits and offsets; those of several looks (``look``) are ready."""
        if len(output) == 3:
            return output[0], output[1], output[2]
        logits, offsets = (part.float() for part in output)
        scores = logits.softmax(2)[..., 1:]
        candidates = 3 * self.most
        return detections(
            scores, offsets, self.anchors().float(), self.min_score, self.max_overlap, candidates, self.most
        )

    def count(self, x: Tensor) -> Tensor:
        """How many cells of each class there are: images (B, C, S, S) -> (B, K)."""
        _, scores, labels = self.look(x)
        return counts_of(scores, labels, self.counting_from().float())

    def _judge(self, output: Any, batch: tuple[Tensor, ...]) -> dict[str, Tensor]:
        found, (_, _, ignored, labels) = super()._judge(output, batch), batch
        thresholds, present = self.counting_from().float(), torch.where(ignored, -1, labels)
        found["counted"] = (found["labels"] >= 0) & (found["scores"] >= thresholds[found["labels"].clamp(min=0)])
        found["counts"] = counts_of(found["scores"], found["labels"], thresholds)
        found["true_counts"] = counts_of(torch.ones(labels.shape, device=labels.device), present, thresholds)
        return found

    def measure(self, rows: list[tuple[int, Any, Any]], stage: str) -> dict[str, Tensor]:
        """Average precision and errors of counts; the thresholds are chosen here after validation."""
        pairs = [counted(found, truth) for _, found, truth in rows]
        kinds = torch.arange(self.num_classes)
        true = torch.stack([(labels[:, None] == kinds).sum(0) for _, _, labels in pairs])  # (N, K)
        if stage == "val" and not self.count_threshold:
            scores, labels = torch.cat([s for s, _, _ in pairs]), torch.cat([c for _, c, _ in pairs])
            self.thresholds.copy_(unbiased_thresholds(scores, labels, true.sum(0), self.min_score))
        thresholds = self.counting_from().float().cpu()
        found = torch.stack([counts_of(scores, labels, thresholds) for scores, labels, _ in pairs])
        low, high = error_interval(found, true)
        of_counts = {**count_errors(found, true), "count_error_low": low, "count_error_high": high}
        return super().measure(rows, stage) | of_counts

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """The thresholds are those that were chosen last: averages of weights would hold a mean of earlier ones."""
        super().on_save_checkpoint(checkpoint)
        checkpoint["state_dict"]["thresholds"] = self.thresholds.detach().clone()

    def predict_step(self, batch: Any, batch_idx: int) -> list[dict[str, Tensor]]:
        """As ``Detector``, only the cells that count."""
        thresholds = self.counting_from().float()
        boxes, scores, labels = self.look(batch if isinstance(batch, Tensor) else batch[0])
        good = (labels >= 0) & (scores >= thresholds[labels.clamp(min=0)])
        return [
            {"boxes": b[k], "scores": s[k], "labels": c[k]}
            for b, s, c, k in zip(boxes, scores, labels, good, strict=True)
        ]


def counted(found: dict[str, Tensor], truth: dict[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """Scores and labels (n,) of a picture's detections, without those on ignored objects, and the labels (m,) of its
    objects that are not ignored.
    """
    ignored = truth["iscrowd"].bool()
    on_ignored = (iou(found["boxes"], truth["boxes"][ignored]) >= 0.5).any(1)
    return found["scores"][~on_ignored], found["labels"][~on_ignored], truth["labels"][~ignored]
