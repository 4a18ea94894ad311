"""Free Spoken Digit Dataset: six speakers say the digits, up to fifty times each, at 8 kHz.

Jackson et al., https://github.com/Jakobovski/free-spoken-digit-dataset, version 1.0.10, CC BY-SA 4.0. The layout is the
published one, ``recordings/{digit}_{speaker}_{index}.wav``; any subset of the recordings works.

There are two splits, which measure different things. The published split (indices 0 to 4 are the test) has recordings
of every speaker in training and test: it measures recognition of known voices. The split by speaker holds out all
recordings of some speakers for validation and test: it measures recognition of unknown voices.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from common.messages import UserError
from datamodules.audio.wav_files import fit_length, read_wav
from datamodules.audio.waveforms import Waveforms
from datamodules.downloads import data_root

HOME = "https://github.com/Jakobovski/free-spoken-digit-dataset"
SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
NAME = re.compile(r"(\d)_([a-z]+)_(\d+)\.wav")


class SpokenDigits(Waveforms):
    """Spoken digits x (B, num_samples) in [-1, 1], y (B,) the digit.

    Args:
        split: ``speaker``: all recordings of the test speakers are the test, those of the validation speakers the
            validation split. ``published``: indices 0 to 4 are the test, 5 to 7 validation.
        test_speakers, val_speakers: Speakers that are held out, where the split is by speaker.
        num_classes, num_samples, sample_rate: Ten digits; one second, mostly silent outside the middle 0.4; 8,000 Hz.
        **waveforms: See ``Waveforms``.

    Raises:
        UserError: The files are not there, or a speaker has none.
    """

    def __init__(
        self,
        split: Literal["speaker", "published"] = "speaker",
        test_speakers: Sequence[str] = ("theo",),
        val_speakers: Sequence[str] = ("lucas",),
        num_classes: int = 10,
        num_samples: int = 8000,
        sample_rate: int = 8000,
        **waveforms: Any,
    ) -> None:
        super().__init__(num_classes, num_samples, sample_rate, **waveforms)
        self.split = split
        self.test_speakers, self.val_speakers = tuple(test_speakers), tuple(val_speakers)
        self.class_names = [str(digit) for digit in range(10)]
        if both := set(self.test_speakers) & set(self.val_speakers):
            raise UserError(f"data.test_speakers and data.val_speakers both name {sorted(both)[0]}: remove one")

    def part_of(self, speaker: str, index: int) -> str:
        """The split of a recording."""
        if self.split == "published":
            return "test" if index < 5 else "val" if index < 8 else "train"
        return "test" if speaker in self.test_speakers else "val" if speaker in self.val_speakers else "train"

    def folder(self) -> Path:
        """Where the recordings are."""
        return Path(data_root()) / "free-spoken-digit-dataset" / "recordings"

    def files(self) -> list[Path]:
        """The recordings. Raises ``UserError`` if there are none."""
        folder = self.folder()
        files = sorted(path for path in folder.glob("*.wav") if NAME.fullmatch(path.name))
        if not files:
            raise UserError(
                f"no spoken digits in {folder} (DIVE_DATA sets the folder): "
                f"`git clone --depth 1 --branch v1.0.10 {HOME} {folder.parent}` gets them"
            )
        return files

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        files, folder = self.files(), self.folder()
        rows: dict[str, list[tuple[Tensor, int]]] = {"train": [], "val": [], "test": []}
        speakers = set()
        for path in files:
            digit, speaker, index = NAME.fullmatch(path.name).groups()  # type: ignore[union-attr]
            speakers.add(speaker)
            try:
                sound = fit_length(read_wav(str(path), self.sample_rate), self.num_samples)
            except (ValueError, OSError) as error:
                raise UserError(f"{path} cannot be read: {error}; fetch it again") from None
            rows[self.part_of(speaker, int(index))].append((torch.from_numpy(sound), int(digit)))
        for name in (*self.test_speakers, *self.val_speakers) if self.split == "speaker" else ():
            if name not in speakers:
                raise UserError(
                    f"no recordings of {name!r} in {folder}: its speakers are {', '.join(sorted(speakers))}"
                )
        splits: dict[str, tuple[Tensor, ...]] = {}
        for name, part in rows.items():
            if part:
                splits[name] = (torch.stack([x for x, _ in part]), torch.tensor([y for _, y in part]))
            else:
                splits[name] = (torch.empty(0, self.num_samples, dtype=torch.int16), torch.empty(0, dtype=torch.int64))
        return splits | {"predict": splits["test"][:1]}
