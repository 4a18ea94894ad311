"""Your own videos: a folder with one sub-folder per class, of any sizes, lengths and frame rates.

    dive fit video/resnet3d --data VideoFolder --data.root gestures
    dive test video/resnet3d --data.test_root more
    dive predict video/resnet3d --data.root new_videos     any folder, no classes needed

A video is an animation (GIF, PNG, WebP), a ``.npy`` array (T, H, W) or (T, H, W, C), a folder of numbered images, or,
with PyAV (``pip install "dive[video]"``), a video file. ``gestures/wave/*.gif, gestures/nod/*.gif`` are split by
``val_fraction`` and ``test_fraction``, stratified by class, always in the same way; ``gestures/{train,val,test}/wave``
are used as splits. Videos of one person, or parts of one recording, in two splits make the test too easy.
"""

import os
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from common.messages import UserError, note
from datamodules.data_digest import Split
from datamodules.reading import progress, some
from datamodules.video.clips import Clips
from datamodules.video.video_files import BrokenVideoError, Header, find_videos, read_header, read_video
from datamodules.vision.class_folders import (
    KnowsItsClassFolder,
    all_files,
    class_names_of,
    find_splits,
    other_files,
    say_others,
)
from datamodules.vision.images import random_shift

LARGEST_FOUND = 64  # pixels: a small network trains at this size within minutes; give image_size for more
MOST_FRAMES = 16  # frames of a clip; give num_frames for more
MOST_READ = 1_000  # headers read to find the sizes; larger folders are sampled evenly


class VideoFolder(KnowsItsClassFolder, Clips):
    """Clips (B, in_channels, num_frames, image_size, image_size) in [0, 1] with the number of their class folder.

    A training clip begins anywhere in its video, anew each time; validation sees the middle clip, test and prediction
    ``test_clips`` clips spread evenly over the video, (B, K, C, T, S, S). Videos that cannot be read, or are shorter
    than a clip, are left out with a note.

    Args:
        root: The folder. At test time all of a folder that is not the run's is tested.
        num_classes, in_channels, num_frames, image_size: 0 means as found in the files (``infer``).
        frame_step: From one frame of a clip to the next, in frames.
        frame_rate: Frames per second to which videos are brought first, where they say theirs; 0 leaves them.
        test_clips: Clips of a video in test and prediction; 1 is the middle one.
        shift: Training clips are moved by up to this many pixels, all frames by the same.
        val_fraction, test_fraction: Fractions of every class where there is no val or test folder.
        memory_limit_mb: Most megabytes of decoded frames (uint8), which stay in memory.
        test_root: A folder of its own whose videos are the test videos; none of ``root`` is tested then.
        **clips: See ``Clips``.

    Raises:
        UserError: No such folder, no class folders, too few classes or videos, too many unreadable or short videos.
    """

    def __init__(
        self,
        root: str = "",
        num_classes: int = 0,
        in_channels: int = 0,
        num_frames: int = 0,
        image_size: int = 0,
        frame_step: int = 1,
        frame_rate: float = 0.0,
        test_clips: int = 4,
        shift: int = 0,
        val_fraction: float = 0.15,
        test_fraction: float = 0.15,
        memory_limit_mb: float = 2000,
        test_root: str = "",
        **clips: Any,
    ) -> None:
        if not (num_classes and in_channels and num_frames and image_size):
            found = self.infer(root, num_classes, in_channels, num_frames, image_size)
            num_classes, in_channels = found["num_classes"], found["in_channels"]
            num_frames, image_size = found["num_frames"], found["image_size"]
        super().__init__(num_classes, in_channels, num_frames, image_size, **clips)
        if in_channels not in (1, 3):
            raise UserError(f"data.in_channels is {in_channels}: videos are read with 1 (gray) or 3 (color)")
        for name, count in (("frame_step", frame_step), ("test_clips", test_clips)):
            if count < 1:
                raise UserError(f"data.{name} is {count}: give a whole number of at least 1")
        if not frame_rate >= 0:
            raise UserError(f"data.frame_rate is {frame_rate}: give frames per second, or 0 for those of the files")
        if min(val_fraction, test_fraction) < 0 or val_fraction + test_fraction >= 1:
            raise UserError(
                f"data.val_fraction {val_fraction} and data.test_fraction {test_fraction} leave nothing to train on"
            )
        self.root, self.test_root = root, test_root
        self.frame_step, self.frame_rate, self.test_clips, self.shift = frame_step, frame_rate, test_clips, shift
        self.val_fraction, self.test_fraction = val_fraction, 0.0 if test_root else test_fraction
        self.memory_limit_mb = memory_limit_mb
        self.frames = torch.empty(0, in_channels, image_size, image_size, dtype=torch.uint8)  # of all videos
        self.names: list[str] = []  # of the videos, by their number

    @property
    def own_path(self) -> str:  # type: ignore[override]
        return self.test_root if self.test_root and self.splits.keys() == {"test"} else self.root

    @property
    def span(self) -> int:
        """Frames from the first of a clip to its last, with those between that are not taken."""
        return (self.num_frames - 1) * self.frame_step + 1

    @staticmethod
    def infer(
        root: str = "", num_classes: int = 0, in_channels: int = 0, num_frames: int = 0, image_size: int = 0
    ) -> dict[str, int]:
        """The sizes by the folders' names and the headers of the training videos; arguments that are not 0 are kept.

        ``num_classes`` is the number of class folders; ``in_channels`` 1 when all videos are gray, else 3;
        ``num_frames`` what 90 % of the videos have, at most 16; ``image_size`` the median of the short sides, at most
        64.
        """
        splits = find_splits(root, find_videos, "videos")
        files = [path for files in (splits.get("train") or splits["all"]).values() for path in files]
        files = files[:: -(-len(files) // MOST_READ)]
        headers: list[Header] = []
        for file in progress(files, f"reading headers of {root}"):
            try:
                headers.append(read_header(os.path.join(root, file)))
            except BrokenVideoError:
                continue
        if not headers:
            raise UserError(f"{root}: none of its {len(files)} videos can be read")
        return {
            "num_classes": num_classes or len(class_names_of(splits)),
            "in_channels": in_channels or (1 if all(header.gray for header in headers) else 3),
            "num_frames": num_frames or min(MOST_FRAMES, max(1, int(np.quantile([h.frames for h in headers], 0.1)))),
            "image_size": image_size or min(LARGEST_FOUND, int(np.median([h.side for h in headers]))),
        }

    def processor(self) -> dict[str, Any]:
        sizes = ("in_channels", "num_frames", "image_size", "frame_step", "frame_rate")
        return {**super().processor(), **{name: getattr(self, name) for name in sizes}}

    # -- reading ------------------------------------------------------------------------------------------------------

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        if stage == "predict":
            names = find_videos(self.root)
            if not names:
                others = other_files(self.root, [])
                raise UserError(f"{self.root} has no videos: {say_others(others, 'videos') if others else 'fill it'}")
            rows, good = self._read(self.root, names)
            self.predict_names = [name for name, kept in zip(names, good.tolist(), strict=True) if kept]
            return {"predict": (rows[good],)}
        root = self.test_root if stage == "test" and self.test_root else self.root
        splits = find_splits(root, find_videos, "videos")
        if self.class_names is None:  # else set by the run that trained the model
            self.class_names = class_names_of(splits)
            if len(self.class_names) != self.num_classes:
                raise UserError(
                    f"{root} has {len(self.class_names)} class folders, but data.num_classes is {self.num_classes}: "
                    "give it the same number"
                )
        if stage == "test" and self.test_root:
            known = {"test": all_files(root, splits, self.class_names, "videos")}
        else:
            known = self.label_files(stage, splits, "videos")
        found: dict[str, tuple[Tensor, ...]] = {}
        rows, good = self._read(root, [file for files, _ in known.values() for file in files])
        parts = zip(*(x.split([len(files) for files, _ in known.values()]) for x in (rows, good)), strict=True)
        for (name, (_, y)), (part, keep) in zip(known.items(), parts, strict=True):
            for label in y.unique().tolist():
                if not keep[y == label].any():
                    raise UserError(f"{root}: no {name} video of class {self.class_names[label]!r} can be used")
            found[name] = part[keep], y[keep]
        return found

    def _read(self, root: str, files: list[str]) -> tuple[Tensor, Tensor]:
        """Number, first frame in ``frames`` and number of frames of each video (N, 3), and which can be used (N,)."""
        videos, rates, bad = [self.frames], [], {}
        rows, first = torch.zeros(len(files), 3, dtype=torch.long), len(self.frames)
        for k, file in enumerate(progress(files, f"reading {root}")):
            path = os.path.join(root, file)
            try:
                header = read_header(path)
                self._refuse_too_many(first, header, root)
                video = read_video(path, self.in_channels, self.image_size, self.frame_rate)
            except (BrokenVideoError, OSError) as error:
                bad[file] = str(error)
                continue
            if len(video) < self.span:
                bad[file] = f"{len(video)} frames, a clip needs {self.span}"
                continue
            rates.append(round(header.rate, 2))
            rows[k] = torch.tensor([len(self.names), first, len(video)])
            self.names.append(f"{file} {len(video)} {int(video.sum(dtype=np.int64))}")
            videos.append(torch.from_numpy(video))
            first += len(video)
        self.frames = torch.cat(videos)
        self._say(root, files, bad, rates, rows[:, 2])
        return rows, torch.tensor([file not in bad for file in files], dtype=torch.bool)

    def _refuse_too_many(self, frames: int, header: Header, root: str) -> None:
        share = self.frame_rate / header.rate if self.frame_rate and header.rate else 1.0
        megabytes = (frames + share * header.frames) * self.in_channels * self.image_size**2 / 1e6
        if megabytes > self.memory_limit_mb:
            raise UserError(
                f"{root}: its frames take more than data.memory_limit_mb {self.memory_limit_mb:g} MB in memory: give a "
                "higher limit, or a smaller --data.image_size or --data.frame_rate"
            )

    def _say(self, root: str, files: list[str], bad: dict[str, str], rates: list[float], lengths: Tensor) -> None:
        """What was read, for the line about it, and which videos are left out."""
        if not files:
            return  # the split is empty, which is said where it is asked for
        used = lengths[lengths > 0]
        if bad:
            named = some([f"{file} ({why})" for file, why in bad.items()], 3)
            what = f"{root}: {len(bad)} of {len(files)} videos cannot be used"
            if 2 * len(bad) > len(files):
                short = any("a clip needs" in why for why in bad.values())
                raise UserError(f"{what}: {named}; {'give a smaller --data.num_frames' if short else 'replace them'}")
            note(f"{what} and are left out: {named}")
        self.facts.append(
            f"clips of {self.num_frames} frames of {self.image_size} x {self.image_size} pixels in "
            f"{'gray' if self.in_channels == 1 else 'color'}, from videos of {int(used.min())} to {int(used.max())}"
        )
        known = [rate for rate in rates if rate]
        if known and not self.frame_rate and max(known) > 1.1 * min(known):
            self.facts.append(
                f"frame rates from {min(known):g} to {max(known):g} per second, so that the same motion has different "
                f"speeds: --data.frame_rate {Counter(known).most_common(1)[0][0]:g} makes them equal"
            )
        videos = find_videos(root)
        folders = {video.removeprefix(".") for video in videos if os.path.isdir(os.path.join(root, video))}
        if others := [file for file in other_files(root, videos) if os.path.dirname(file) not in folders]:
            self.facts.append(say_others(others, "videos"))

    def content(self) -> Mapping[str, Split]:
        """The videos' names, lengths and sums: their frames lie outside of the splits."""
        return {
            split: ([self.names[i] for i in rows[:, 0].tolist()], *rest) for split, (rows, *rest) in self.splits.items()
        }

    # -- clips --------------------------------------------------------------------------------------------------------

    def clips(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        rows, *rest = batch
        _, first, length = rows.cpu().unbind(1)
        free = length - self.span  # places after the first where a clip can begin
        if self.training:
            start = (torch.rand(len(rows), 1) * (free[:, None] + 1)).long().minimum(free[:, None])
        else:
            validating = self.trainer is not None and (self.trainer.validating or self.trainer.sanity_checking)
            fitting = self.trainer is not None and self.trainer.state.fn == "fit"
            start = spread(free, 1 if validating or fitting else self.test_clips)
        index = (first[:, None] + start)[..., None] + torch.arange(self.num_frames) * self.frame_step  # (B, K, T)
        x = self.frames[index.flatten()].to(rows.device).view(*index.shape, *self.frames.shape[1:])
        x = x.transpose(2, 3) * (1 / 255)  # (B, K, C, T, S, S)
        return (x[:, 0] if x.shape[1] == 1 else x, *rest)

    def augment(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        x, *rest = batch
        if self.shift:  # frames as channels: all of a clip move by the same
            x = random_shift(x.flatten(1, 2), self.shift).view(x.shape)
        return (x, *rest)


def spread(free: Tensor, clips: int) -> Tensor:
    """Where ``clips`` clips begin that are spread evenly over videos with ``free`` (B,) places: (B, clips)."""
    if clips == 1:
        return (free // 2)[:, None]
    return (free[:, None] * torch.linspace(0, 1, clips)).round().long()
