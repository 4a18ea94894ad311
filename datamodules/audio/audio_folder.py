"""Your own sounds: a folder with one sub-folder a class, WAV, MP3, FLAC or OGG files of any rate, length and channels.

    dive fit audio/mel_cnn --data AudioFolder --data.root birds
    dive predict audio/mel_cnn --data.root new_sounds        any folder, no classes needed; birds is not read

``birds/robin/*.wav, birds/wren/*.wav`` are split by ``val_fraction`` and ``test_fraction``, stratified by class, always
in the same way. Folders ``birds/{train,val,test}/robin/*.wav`` are used as splits; a split without a folder is taken
from train. Recordings of one bird, or one speaker, in two splits make the test too easy: make folders in this case.
"""

import os
from collections import Counter
from typing import Any

import numpy as np
import torch
from torch import Tensor

from common.messages import UserError, note
from datamodules.audio.sound_files import find_sounds, read_sound, read_sound_header
from datamodules.audio.wav_files import fit_length
from datamodules.audio.waveforms import Waveforms
from datamodules.reading import progress, some
from datamodules.vision.class_folders import (
    KnowsItsClassFolder,
    all_files,
    class_names_of,
    find_splits,
    other_files,
    say_others,
)

HIGHEST_RATE = 16_000  # Hz: what speech needs; give sample_rate for more
LONGEST = 4.0  # seconds: a small network trains on it within minutes; give num_samples for more
LONGER = 1.25  # times a window: from there a sound has several
MOST_READ = 1_000  # headers read to find rate and length; larger folders are sampled evenly


class AudioFolder(KnowsItsClassFolder, Waveforms):
    """Sounds x (B, num_samples) in [-1, 1] with the number y of their class folder in sorted order.

    Each sound is read as one channel at ``sample_rate``. Of a longer one there are several windows, spread evenly over
    it: each is a row of its own in training; elsewhere a sound is one row x (B, W, num_samples), of whose windows a
    network takes the mean. A shorter one is padded with zeros on both sides. Files that cannot be read are left out
    with a note.

    Args:
        root: The folder. At test time all of a folder that is not the run's is tested.
        num_classes, num_samples, sample_rate: 0 means as found in the files (``infer``).
        val_fraction, test_fraction: Fractions of every class where there is no val or test folder.
        test_root: A folder of its own whose sounds are the test sounds, all of them; none of ``root`` is tested then.
        windows: Most windows of one sound; 1: only its middle is used.
        **waveforms: See ``Waveforms``.

    Raises:
        UserError: No such folder, no class folders, too few classes or sounds, too many unreadable files.
    """

    items = "sounds"
    least_steps = 200

    def __init__(
        self,
        root: str = "",
        num_classes: int = 0,
        num_samples: int = 0,
        sample_rate: int = 0,
        val_fraction: float = 0.15,
        test_fraction: float = 0.15,
        test_root: str = "",
        windows: int = 8,
        **waveforms: Any,
    ) -> None:
        if windows < 1:
            raise UserError(f"data.windows is {windows}: give a whole number of at least 1")
        if not (num_classes and num_samples and sample_rate):
            found = self.infer(root, num_classes, num_samples, sample_rate)
            num_classes, num_samples, sample_rate = (found[k] for k in ("num_classes", "num_samples", "sample_rate"))
        super().__init__(num_classes, num_samples, sample_rate, **waveforms)
        if min(val_fraction, test_fraction) < 0 or val_fraction + test_fraction >= 1:
            raise UserError(
                f"data.val_fraction {val_fraction} and data.test_fraction {test_fraction} leave nothing to train on"
            )
        self.root, self.test_root, self.windows = root, test_root, windows
        self.sounds: dict[str, Tensor] = {}  # the class of each sound of a split; rows of training are windows
        self.val_fraction, self.test_fraction = val_fraction, 0.0 if test_root else test_fraction

    @property
    def own_path(self) -> str:  # type: ignore[override]
        return self.test_root if self.test_root and self.splits.keys() == {"test"} else self.root

    @staticmethod
    def infer(root: str = "", num_classes: int = 0, num_samples: int = 0, sample_rate: int = 0) -> dict[str, int]:
        """The sizes by the folders' names and the training sounds' headers; arguments that are not 0 are kept.

        ``num_classes`` is the number of class folders; ``sample_rate`` the most frequent rate, at most 16,000 Hz;
        ``num_samples`` is the length that 90 % of the sounds do not exceed, at most four seconds.
        """
        splits = find_splits(root, find_sounds, "sounds")
        classes = class_names_of(splits)
        files = [path for files in (splits.get("train") or splits["all"]).values() for path in files]
        files = files[:: -(-len(files) // MOST_READ)]
        headers = []  # rate and seconds of each
        for file in progress(files, f"reading headers of {root}"):
            try:
                headers.append(read_sound_header(os.path.join(root, file)))
            except (ValueError, OSError):
                continue
        if not headers:
            raise UserError(f"{root}: none of its {len(files)} sounds can be read")
        rate = sample_rate or min(HIGHEST_RATE, Counter(rate for rate, _ in headers).most_common(1)[0][0])
        seconds = min(LONGEST, float(np.quantile([seconds for _, seconds in headers], 0.9)))
        return {
            "num_classes": num_classes or len(classes),
            "num_samples": num_samples or max(1, round(seconds * rate)),
            "sample_rate": rate,
        }

    def processor(self) -> dict[str, Any]:
        return {**super().processor(), "num_samples": self.num_samples, "sample_rate": self.sample_rate}

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        if stage == "predict":
            names = find_sounds(self.root)
            if not names:
                others = other_files(self.root, [])
                why = say_others(others, "sounds") if others else "give --data.root a folder of sounds"
                raise UserError(f"{self.root} has no sounds: {why}")
            sounds = self._read(names)
            self.predict_names = [name for name, sound in zip(names, sounds, strict=True) if sound is not None]
            return {"predict": (side_by_side(sounds, self.num_samples),)}
        if stage == "test" and self.test_root:
            trained_on, self.root = self.root, self.test_root
            try:
                splits = find_splits(self.root, find_sounds, "sounds")
                names = self.class_names or class_names_of(splits)
                return self._load_labeled({"test": all_files(self.root, splits, names, "sounds")})
            finally:
                self.root = trained_on
        splits = find_splits(self.root, find_sounds, "sounds")
        if self.class_names is None:  # else set by the run that trained the model
            self.class_names = class_names_of(splits)
            if len(self.class_names) != self.num_classes:
                found = f"{self.root} has {len(self.class_names)} class folders"
                raise UserError(f"{found}, but data.num_classes is {self.num_classes}: give it the same number")
        return self._load_labeled(self.label_files(stage, splits, "sounds"))

    def _load_labeled(self, known: dict[str, tuple[list[str], Tensor]]) -> dict[str, tuple[Tensor, ...]]:
        sounds = self._read([file for files, _ in known.values() for file in files])
        y = torch.cat([labels for _, labels in known.values()])
        good = torch.tensor([sound is not None for sound in sounds])
        assert self.class_names is not None
        for label in y.unique().tolist():
            if not good[y == label].any():
                raise UserError(f"{self.root}: no sound of class {self.class_names[label]!r} can be read, replace them")
        found: dict[str, tuple[Tensor, ...]] = {}
        for name, (files, labels) in known.items():
            mine, kept = sounds[: len(files)], good[: len(files)]
            del sounds[: len(files)]
            good, self.sounds[name] = good[len(files) :], labels[kept]
            if name == "train":
                counts = torch.tensor([len(sound) for sound in mine if sound is not None], dtype=torch.int64)
                found[name] = one_by_one(mine, self.num_samples), labels[kept].repeat_interleave(counts)
            else:
                found[name] = side_by_side(mine, self.num_samples), labels[kept]
        return found

    def counts(self) -> dict[str, int]:
        own = {name: len(self.sounds[name]) for name in self.splits if name in self.sounds}
        return {name: own.get(name, size) for name, size in super().counts().items()}

    def class_counts(self) -> dict[str, int]:
        if self.stage == "predict" or not self.class_names or not self.sounds:
            return {}
        counts = torch.cat(list(self.sounds.values())).bincount(minlength=len(self.class_names))
        return dict(zip(self.class_names, counts.tolist(), strict=False))

    def _read(self, files: list[str]) -> list[np.ndarray | None]:
        """The windows (W, num_samples) int16 of each sound, None where it cannot be read; one note names those."""
        sounds: list[np.ndarray | None] = []
        reasons: dict[str, str] = {}
        lengths: list[int] = []
        for file in progress(files, f"reading {self.root}"):
            try:
                sound = read_sound(os.path.join(self.root, file), self.sample_rate)
                sounds.append(cut(sound, self.num_samples, self.windows))
                lengths.append(len(sound))
            except (ValueError, OSError) as error:
                reasons[file] = str(error)
                sounds.append(None)
        self._say_lengths(lengths)
        if others := other_files(self.root, find_sounds(self.root)):
            self.facts.append(said := say_others(others, "sounds"))
            if self.trainer is None:
                note(f"{self.root}: {said}")
        if reasons:
            bad, why = next(iter(reasons.items()))
            what = f"{self.root}: {len(reasons)} of {len(files)} sounds cannot be read"
            if 2 * len(reasons) > len(files):
                raise UserError(f"{what}, such as {bad} ({why}): replace them")
            named = some([f"{file} ({reason})" for file, reason in reasons.items()], 3)
            note(f"{what} and are left out: {named}")
        return sounds

    def _say_lengths(self, lengths: list[int]) -> None:
        """How long the sounds are, and how many are cut."""
        seconds = self.num_samples / self.sample_rate
        self.facts.append(f"{seconds:.3g} s each ({self.num_samples:,} samples at {self.sample_rate:,} Hz)")
        pieces = [window_count(length, self.num_samples, self.windows) for length in lengths]
        for what, some_in in (
            (
                "their middle is used",
                [n for n, w in zip(lengths, pieces, strict=True) if n > self.num_samples and w == 1],
            ),
            (
                f"in up to {max(pieces, default=1)} windows over all of each",
                [n for n, w in zip(lengths, pieces, strict=True) if w > 1],
            ),
        ):
            if some_in:
                longest = max(some_in)
                self.facts.append(
                    f"{len(some_in):,} of {len(lengths):,} are longer, up to {longest / self.sample_rate:.3g} s: "
                    f"{what}, --data.num_samples {longest} takes all of them"
                )
        if padded := sum(length < 0.5 * self.num_samples for length in lengths):
            self.facts.append(f"{padded:,} are shorter than half of that and end in silence")


def window_count(length: int, num_samples: int, most: int) -> int:
    """As many windows as cover a sound, at most ``most``; one that is little longer than a window has one."""
    return 1 if length <= LONGER * num_samples else min(most, -(-length // num_samples))


def cut(sound: np.ndarray, num_samples: int, most: int) -> np.ndarray:
    """The windows of a sound (T,), (W, num_samples) int16, evenly spread."""
    count = window_count(len(sound), num_samples, most)
    if count == 1:
        return fit_length(sound, num_samples)[None]
    starts = np.linspace(0, len(sound) - num_samples, count).round().astype(int)
    return np.stack([fit_length(sound[start : start + num_samples], num_samples) for start in starts])


def one_by_one(sounds: list[np.ndarray | None], num_samples: int) -> Tensor:
    """The windows of all sounds (N, num_samples); the list is emptied, so that no window is there twice."""
    found = torch.empty(sum(len(sound) for sound in sounds if sound is not None), num_samples, dtype=torch.int16)
    place = 0
    for i, sound in enumerate(sounds):
        if sound is not None:
            found[place : place + len(sound)] = torch.from_numpy(sound)
            place += len(sound)
        sounds[i] = None
    return found


def side_by_side(sounds: list[np.ndarray | None], num_samples: int) -> Tensor:
    """A row for each sound: (N, num_samples), or (N, W, num_samples) filled up with zeros where one has W windows."""
    there = [sound for sound in sounds if sound is not None]
    most = max(map(len, there), default=1)
    found = torch.zeros(len(there), most, num_samples, dtype=torch.int16)
    for row, sound in zip(found, there, strict=True):
        row[: len(sound)] = torch.from_numpy(sound)
    return found[:, 0] if most == 1 else found
