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
    all_files,
    class_names_of,
    find_splits,
    label_files,
    other_files,
    say_others,
)

HIGHEST_RATE = 16_000  # Hz: what speech needs; give sample_rate for more
LONGEST = 4.0  # seconds: a small network trains on it within minutes; give num_samples for more
MOST_READ = 1_000  # headers read to find rate and length; larger folders are sampled evenly


class AudioFolder(Waveforms):
    """Sounds x (B, num_samples) in [-1, 1] with the number y of their class folder in sorted order.

    Each sound is read as one channel at ``sample_rate``; a longer one is cut to its middle, which is said, a shorter
    one is padded with zeros on both sides. Files that cannot be read are left out with a note.

    Args:
        root: The folder.
        num_classes, num_samples, sample_rate: 0 means as found in the files (``infer``).
        val_fraction, test_fraction: Fractions of every class where there is no val or test folder.
        test_root: A folder of its own whose sounds are the test sounds, all of them; none of ``root`` is tested then.
        **waveforms: See ``Waveforms``.

    Raises:
        UserError: No such folder, no class folders, too few classes or sounds, too many unreadable files.
    """

    items = "sounds"

    def __init__(
        self,
        root: str = "",
        num_classes: int = 0,
        num_samples: int = 0,
        sample_rate: int = 0,
        val_fraction: float = 0.15,
        test_fraction: float = 0.15,
        test_root: str = "",
        **waveforms: Any,
    ) -> None:
        if not (num_classes and num_samples and sample_rate):
            found = self.infer(root, num_classes, num_samples, sample_rate)
            num_classes, num_samples, sample_rate = (found[k] for k in ("num_classes", "num_samples", "sample_rate"))
        super().__init__(num_classes, num_samples, sample_rate, **waveforms)
        if min(val_fraction, test_fraction) < 0 or val_fraction + test_fraction >= 1:
            raise UserError(
                f"data.val_fraction {val_fraction} and data.test_fraction {test_fraction} leave nothing to train on"
            )
        self.root, self.test_root = root, test_root
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
            sounds, good = self._read(names)
            self.predict_names = [name for name, kept in zip(names, good.tolist(), strict=True) if kept]
            return {"predict": (sounds[good],)}
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
        fractions = (self.val_fraction, self.test_fraction)
        known = label_files(self.root, splits, self.class_names, *fractions, stage, "sounds")
        return self._load_labeled(known)

    def _load_labeled(self, known: dict[str, tuple[list[str], Tensor]]) -> dict[str, tuple[Tensor, ...]]:
        sounds, good = self._read([file for files, _ in known.values() for file in files])
        y = torch.cat([labels for _, labels in known.values()])
        assert self.class_names is not None
        for label in y.unique().tolist():
            if not good[y == label].any():
                raise UserError(f"{self.root}: no sound of class {self.class_names[label]!r} can be read, replace them")
        sizes = [len(files) for files, _ in known.values()]
        parts = zip(known, sounds.split(sizes), y.split(sizes), good.split(sizes), strict=True)
        return {name: (x[keep], t[keep]) for name, x, t, keep in parts}

    def _read(self, files: list[str]) -> tuple[Tensor, Tensor]:
        """Sounds (N, num_samples) int16, and which of them could be read (N,); one note names those that could not."""
        sounds = torch.zeros(len(files), self.num_samples, dtype=torch.int16)
        reasons: dict[str, str] = {}
        lengths: list[int] = []
        for row, file in enumerate(progress(files, f"reading {self.root}")):
            try:
                sound = read_sound(os.path.join(self.root, file), self.sample_rate)
                sounds[row] = torch.from_numpy(fit_length(sound, self.num_samples))
                lengths.append(len(sound))
            except (ValueError, OSError) as error:
                reasons[file] = str(error)
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
        return sounds, torch.tensor([file not in reasons for file in files])

    def _say_lengths(self, lengths: list[int]) -> None:
        """How long the sounds are, and how many are cut."""
        seconds = self.num_samples / self.sample_rate
        self.facts.append(f"{seconds:.3g} s each ({self.num_samples:,} samples at {self.sample_rate:,} Hz)")
        if cut := sum(length > self.num_samples for length in lengths):
            longest = max(lengths)
            self.facts.append(
                f"{cut:,} of {len(lengths):,} are longer, up to {longest / self.sample_rate:.3g} s: their middle is "
                f"used, --data.num_samples {longest} takes all of them"
            )
        if padded := sum(length < 0.5 * self.num_samples for length in lengths):
            self.facts.append(f"{padded:,} are shorter than half of that and end in silence")
