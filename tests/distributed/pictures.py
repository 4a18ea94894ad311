"""Draws every picture of ``callbacks/pictures`` on a small network and keeps what went into it.

``test_pictures.py`` runs it in one process and in two.
"""

from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from lightning.pytorch import LightningDataModule, LightningModule, Trainer
from torch import Tensor

from callbacks.metrics_csv import MetricsCSV
from callbacks.pictures.alignment import Alignment
from callbacks.pictures.attention_rollout import AttentionRollout
from callbacks.pictures.clip_strips import ClipStrips
from callbacks.pictures.confusion_matrix import ConfusionMatrix
from callbacks.pictures.count_agreement import CountAgreement
from callbacks.pictures.count_robustness import CountRobustness
from callbacks.pictures.ctc_alignment import CTCAlignment
from callbacks.pictures.curves import Curves
from callbacks.pictures.detected_objects import DetectedObjects
from callbacks.pictures.detection_curves import DetectionCurves
from callbacks.pictures.error_distribution import ErrorDistribution
from callbacks.pictures.feature_maps import FeatureMaps
from callbacks.pictures.fitted_curve import FittedCurve
from callbacks.pictures.forecast import Forecast
from callbacks.pictures.head_maps import HeadMaps
from callbacks.pictures.heat_maps import HeatMaps
from callbacks.pictures.instance_masks import InstanceMasks
from callbacks.pictures.kernels import Kernels
from callbacks.pictures.label_confusion import LabelConfusion
from callbacks.pictures.line_plots import LinePlots
from callbacks.pictures.loss_by_place import LossByPlace
from callbacks.pictures.nearest_training import NearestTraining
from callbacks.pictures.needle_map import NeedleMap
from callbacks.pictures.picture import Picture
from callbacks.pictures.receptive_field import ReceptiveField
from callbacks.pictures.regression_plot import RegressionPlot
from callbacks.pictures.routing_map import RoutingMap
from callbacks.pictures.sampling_steps import SamplingSteps
from callbacks.pictures.segmented_pictures import SegmentedPictures
from callbacks.pictures.token_influence import TokenInfluence
from callbacks.pictures.worst_counts import WorstCounts
from datamodules.audio.key_strings import KeyStrings
from datamodules.base import TensorDataModule
from datamodules.parallel_text.toy import Toy
from datamodules.synthetic.linear import SyntheticRegression
from datamodules.synthetic.noisy_sine import NoisySine
from datamodules.synthetic.wavy_line import WavyLine
from datamodules.text.labeled_text import LabeledText
from datamodules.text.mixed_languages import MixedLanguages
from datamodules.text.needles import Needles
from datamodules.video.moving_digits import MovingDigits
from datamodules.vision.cells import Cells
from datamodules.vision.scene_instances import SceneInstances
from datamodules.vision.scene_masks import SceneMasks
from datamodules.vision.scenes import Scenes
from lit_models.attention.nadaraya_watson import LitNadarayaWatson
from lit_models.attention.transformer import LitTransformer
from lit_models.attention.vit import LitViT
from lit_models.cnn.lenet import LitLeNet
from lit_models.linear.linear_regression import LitLinearRegression
from lit_models.long_context.needle import LitNeedle
from lit_models.moe.experts import LitExperts
from lit_models.rnn.autoregressive import LitAutoregressive
from lit_models.rnn.speech import LitSpeech
from lit_models.rnn.transducer import LitTransducer
from lit_models.text.text_cnn import LitTextCNN
from lit_models.video.resnet3d import LitVideoResNet
from lit_models.vision.cells import LitCells
from lit_models.vision.mask_rcnn import LitMaskRCNN
from lit_models.vision.ssd import LitSSD
from lit_models.vision.unet import LitUNet
from tests.callbacks.pictures.test_alignment import Looker
from tests.callbacks.pictures.test_heat_maps import Mapped
from tests.callbacks.pictures.test_line_plots import Seen
from tests.small import Points, SmallNet, small_trainer

SGD = partial(torch.optim.SGD, lr=0.01)
STILL = partial(torch.optim.SGD, lr=0.0)
Case = tuple[Picture, LightningModule, LightningDataModule]


class Noise(TensorDataModule):
    """Images (N, 1, side, side) of noise in ten classes."""

    def __init__(self, side: int = 28, world: int = 1) -> None:
        super().__init__(batch_size=12 // world, eval_batch_size=3)
        self.side = side

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        x = torch.rand(24, 1, self.side, self.side, generator=torch.Generator().manual_seed(0))
        y = torch.arange(24) % 10
        return {"train": (x, y), "val": (x[:4], y[:4]), "test": (x[:11], y[:11])}


class Words(LabeledText):
    """Eleven test texts of one to three words."""

    def __init__(self, num_classes: int = 2, vocab_size: int = 10, seq_len: int = 5) -> None:
        super().__init__(num_classes, vocab_size, seq_len, batch_size=1, eval_batch_size=3)

    def read(self, stage: str) -> dict[str, tuple[list[str], Tensor | None]]:
        self.class_names = ["bad", "good"]
        texts = [" ".join(["good", "film", "bad", "plot"][k % 4 : k % 4 + 1 + k % 3]) for k in range(11)]
        return dict.fromkeys(("train", "val", "test"), (texts, torch.arange(11) % 2))


class Exact(SmallNet):
    """With errors for ``ErrorDistribution``, which all processes have after the test."""

    def on_test_epoch_end(self) -> None:
        super().on_test_epoch_end()
        self.errors = {"points": torch.stack([self.trainer.callback_metrics["test/loss"], torch.tensor(0.5)])}


class Maker(SmallNet):
    """Its samples are the data, darker; their quality is a formula."""

    schedule = SimpleNamespace(total=20)

    def test_step(self, batch: Any, batch_idx: int) -> Any:
        return {"samples": batch[0] * 0.9}

    def quality(self, x: Tensor, y: Tensor, sampler: str, steps: int) -> Tensor:
        return (x.mean() + y.float().mean()) * len(sampler) / steps


def pairs() -> Toy:
    return Toy(
        "copy", symbols=5, min_length=2, longest=3, train_size=20, val_size=5, test_size=11, batch_size=2,
        eval_batch_size=2, source_vocab_size=9, target_vocab_size=9, max_length=8,
    )  # fmt: skip


def small_vit() -> LitViT:
    return LitViT(image_size=8, patch_size=4, hidden_size=8, num_layers=1, num_heads=2, ffn_size=8)


def small_needle() -> tuple[LitNeedle, Needles]:
    data = Needles(2, 3, 4, 32, 16, 16, train_size=8, val_size=4, test_size=11, eval_batch_size=2)
    return LitNeedle(vocab_size=16, seq_len=16, test_len=32, hidden_size=8, num_layers=1, num_heads=2), data


def small_video() -> LitVideoResNet:
    return LitVideoResNet(num_classes=12, in_channels=1, num_frames=3, image_size=8, width=4, blocks=[1])


def moving(world: int) -> MovingDigits:
    sizes: dict[str, int] = {"train_size": 12, "val_size": 4, "test_size": 11, "num_frames": 3, "image_size": 8}
    return MovingDigits(**sizes, batch_size=12 // world, eval_batch_size=3)  # type: ignore[arg-type]


def small_mask_rcnn() -> LitMaskRCNN:
    sizes: dict[str, Any] = {"num_classes": 6, "image_size": 96, "depth": 10, "width": 4, "stages": [2], "fpn": False}
    sizes |= {"anchor_sizes": [[20, 40]], "hidden_size": 8, "region_size": 2, "mask_channels": 4, "mask_size": 2}
    return LitMaskRCNN(before=[8, 8], after=[8, 8], samples=[8, 8], **sizes)


def small_ssd() -> LitSSD:
    return LitSSD(num_classes=6, image_size=96, widths=[2, 4], channels=4, sizes=[[0.2, 0.3], [0.5, 0.7]])


def small_cells() -> LitCells:
    return LitCells(
        num_classes=3, image_size=96, widths=[2, 4], channels=4, sizes=[[0.2, 0.3], [0.5, 0.7]], count_threshold=0.26
    )


def cell_pictures() -> Cells:
    return Cells(train_size=4, val_size=4, test_size=11, batch_size=1)


def small_text_cnn() -> LitTextCNN:
    return LitTextCNN(vocab_size=10, num_classes=2, seq_len=5, embed_size=4, num_channels=3)


def small_transformer() -> LitTransformer:
    return LitTransformer(
        source_vocab_size=9, target_vocab_size=9, max_length=8, hidden_size=8, num_layers=1, num_heads=2, ffn_size=8
    )


#: Each picture with what it is a picture of; the argument is the number of processes.
CASES: dict[str, Callable[[int], Case]] = {
    "alignment": lambda world: (Alignment(5), Looker(), pairs()),
    "rollout": lambda world: (AttentionRollout(7), small_vit(), Noise(8)),
    "clips": lambda world: (ClipStrips(12), small_video(), moving(world)),
    "confusion": lambda world: (ConfusionMatrix(5), LitLeNet(), Noise()),
    "ctc_alignment": lambda world: (
        CTCAlignment(3),
        LitSpeech(num_classes=16, hidden_size=4, num_layers=1),
        KeyStrings(longest=4, num_train=4, num_eval=11, eval_batch_size=2),
    ),
    "label_confusion": lambda world: (
        LabelConfusion(),
        LitTransducer(num_classes=16, hidden_size=4, num_layers=1, joint_size=4, said_size=4),
        KeyStrings(longest=4, num_train=4, num_eval=11, eval_batch_size=2),
    ),
    "curves": lambda world: (Curves(), SmallNet(dropout=0.0, optimizer=SGD), Points(12 // world, noise=0.0)),
    "detected_objects": lambda world: (DetectedObjects(5), small_ssd(), Scenes(train_size=4, val_size=4, test_size=11)),
    "count_agreement": lambda world: (CountAgreement(), small_cells(), cell_pictures()),
    "count_robustness": lambda world: (CountRobustness(7), small_cells(), cell_pictures()),
    "detection_curves": lambda world: (DetectionCurves(), small_cells(), cell_pictures()),
    "worst_counts": lambda world: (WorstCounts(4), small_cells(), cell_pictures()),
    "errors": lambda world: (ErrorDistribution(), Exact(), Points()),
    "feature_maps": lambda world: (FeatureMaps(sample=4), LitLeNet(), Noise()),
    "curve": lambda world: (FittedCurve(), LitNadarayaWatson(num_keys=40), WavyLine(num_test=51, batch_size=5)),
    "forecast": lambda world: (Forecast(), LitAutoregressive(num_features=4, num_outputs=64), NoisySine(batch_size=16)),
    "heads": lambda world: (HeadMaps(row=3), small_transformer(), pairs()),
    "maps": lambda world: (HeatMaps("maps"), Mapped(), Points()),
    "needles": lambda world: (NeedleMap(4), *small_needle()),
    "places": lambda world: (LossByPlace(4), *small_needle()),
    "kernels": lambda world: (Kernels(), LitLeNet(optimizer=SGD), Noise(world=world)),
    "lines": lambda world: (LinePlots("lines"), Seen(), Points()),
    "nearest": lambda world: (NearestTraining(7), Maker(), Noise(8)),
    "sampling_steps": lambda world: (SamplingSteps(max_rows=9), Maker(), Noise(8)),
    "receptive_field": lambda world: (ReceptiveField(7), LitLeNet(), Noise()),
    "regression": lambda world: (RegressionPlot(), LitLinearRegression(), SyntheticRegression(num_test=51)),
    "routing": lambda world: (
        RoutingMap(),  # of a router that does not learn: no choice hangs on rounding
        LitExperts(
            vocab_size=100,
            seq_len=16,
            hidden_size=8,
            num_layers=1,
            num_heads=2,
            optimizer=STILL,
        ),
        MixedLanguages(["de", "zu"], lines=60, vocab_size=100, seq_len=16, batch_size=8, eval_batch_size=3),
    ),
    "instance_masks": lambda world: (
        InstanceMasks(5),
        small_mask_rcnn(),
        SceneInstances(train_size=4, val_size=4, test_size=11),
    ),
    "segmented_pictures": lambda world: (
        SegmentedPictures(5),
        LitUNet(in_channels=3, num_classes=7, width=2, depth=1),
        SceneMasks(train_size=4, val_size=4, test_size=11),
    ),
    "tokens": lambda world: (
        TokenInfluence(5),
        LitTextCNN(vocab_size=10, num_classes=2, seq_len=5, embed_size=4, num_channels=3),
        Words(),
    ),
}
FITTED = ("curves", "kernels", "lines", "maps")


def draw_all(folder: Path, world: int, names: Collection[str]) -> None:
    """One process: each of these is drawn as in a run; ``<name>.pt`` is what ``draw`` was given, once for each call."""
    torch.set_num_threads(1)
    for name in names:
        torch.manual_seed(0)
        picture, model, data = CASES[name](world)
        found: list[Any] = []
        keep_what_is_drawn(picture, found)
        trainer = small_trainer(
            folder,
            picture,
            devices=world,
            strategy="ddp" if world > 1 else "auto",
            use_distributed_sampler=False,
            max_epochs=1,
            log_every_n_steps=100,  # the loss of a step is a process's own
            logger=MetricsCSV(str(folder / name)) if name != "curves" else MetricsCSV(str(folder)),
        )
        if name in FITTED:
            trainer.fit(model, datamodule=data)
        else:
            trainer.test(model, datamodule=data, verbose=False)
        torch.save(found, folder / f"{name}.rank{trainer.global_rank}.pt")


def keep_what_is_drawn(picture: Picture, found: list[Any]) -> None:
    draw = picture.draw

    def keep(trainer: Trainer, what: Any) -> Any:
        found.append(what)
        return draw(trainer, what)

    picture.draw = keep  # type: ignore[method-assign]
