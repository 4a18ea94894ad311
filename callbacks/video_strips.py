"""``strips/NAME.png``: what a classifier of videos says over the time of each video of the predict split."""

from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from matplotlib.figure import Figure
from torch import Tensor

from callbacks.pictures.figures import new_figure
from callbacks.pictures.samples import sheet
from callbacks.prediction_files import PredictionFiles, folder_beside, marked_path
from callbacks.ranks import gather
from common.data_protocol import data_attribute

SHOWN = 3  # classes whose probability is drawn
MOST_FRAMES = 12


class VideoStrips(PredictionFiles):
    """Draws for each video a frame of each of its clips above the probabilities of the likeliest classes at that time.

    Of a prediction from one clip, the frames of the clip are drawn under its class.

    Args:
        max_videos: Videos of each process that are drawn, the first ones.
        out: See ``PredictionFiles``.
    """

    def __init__(self, max_videos: int = 50, out: str = "") -> None:
        super().__init__(out)
        self.max_videos = max_videos
        self.kept: list[tuple[Tensor, Tensor]] = []  # frames (N, C, H, W) and probabilities (N or 1, K) of each video

    def on_predict_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        x = batch[0]
        parts = outputs["clips"] if "clips" in outputs else outputs["probabilities"][:, None]
        for video, probabilities in zip(x, parts, strict=True):
            if len(self.kept) == self.max_videos:
                return
            if video.ndim == 5:  # (N, C, T, H, W)
                frames = video[:, :, video.shape[2] // 2]
            else:
                chosen = torch.linspace(0, video.shape[1] - 1, min(MOST_FRAMES, video.shape[1])).round().long()
                frames = video[:, chosen.to(video.device)].transpose(0, 1)
            self.kept.append((frames.detach().float().cpu(), probabilities.detach().float().cpu()))

    def on_predict_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        kept, self.kept = self.kept, []
        ranks = gather(trainer, kept)  # each has every world-th video
        if not trainer.is_global_zero or trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        count = sum(map(len, ranks))
        names = data_attribute(trainer, "predict_names") or [str(row) for row in range(count)]
        folder = folder_beside(Path(self.out or Path(trainer.default_root_dir) / "predictions.csv"), "strips")
        classes = data_attribute(trainer, "class_names")
        for row in range(count):
            frames, probabilities = ranks[row % len(ranks)][row // len(ranks)]
            target = marked_path(folder, names[row] if names[row] != "." else "video")
            target.parent.mkdir(parents=True, exist_ok=True)
            draw_strip(frames, probabilities, classes).savefig(target)
        print(f"{count} strips in {folder}")


def draw_strip(frames: Tensor, probabilities: Tensor, names: list[str] | None) -> Figure:
    """Frames (N, C, H, W) in [0, 1] above the probabilities (N or 1, K) at their times."""
    count, (parts, classes) = len(frames), probabilities.shape
    figure = new_figure(max(4.0, 1.1 * count), 1.3 if parts == 1 else 2.6)
    mean = probabilities.mean(0)
    best = mean.topk(min(SHOWN, classes)).indices.tolist()
    labels = [names[k] if names else str(k) for k in best]
    axes = figure.subplots(1 if parts == 1 else 2, 1, squeeze=False)[:, 0]
    strip = sheet(frames, count).numpy()
    axes[0].imshow(strip, cmap="gray", vmin=0, vmax=1, aspect="auto", extent=(-0.5, count - 0.5, 0, 1))
    axes[0].set(xticks=[], yticks=[], title=f"{labels[0]} {float(mean[best[0]]):.2f}")
    if parts > 1:
        for k, label in zip(best, labels, strict=True):
            axes[1].plot(range(parts), probabilities[:, k].tolist(), ".-", label=label)
        axes[1].set(xlim=(-0.5, count - 0.5), ylim=(0, 1.05), xticks=range(parts), xlabel="clip", ylabel="probability")
        axes[1].legend(fontsize="x-small")
    return figure
