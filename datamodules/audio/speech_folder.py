"""Your own sounds with transcripts: a folder of WAV, MP3, FLAC or OGG files, and a text file that says what is in them.

    dive fit rnn/speech --data SpeechFolder --data.root numbers
    dive test rnn/speech --data.root numbers
    dive predict rnn/speech --data.root new_sounds          any folder, no transcripts needed

``numbers/transcripts.txt`` has a line for each sound, the file and its text, with a tab or spaces between:

    anna/001.wav    48151623
    ben/007.wav     42

The characters of all texts are the model's labels; spaces at the ends do not count. Sounds are split by
``val_fraction`` and ``test_fraction``, always in the same way. If all files are in folders ``train``, ``val`` and
``test``, these are the splits (``val`` may be missing): make them so that no speaker is in two of them.
"""

import io
import os
import random
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from common.messages import UserError, note
from datamodules.audio.audio_folder import HIGHEST_RATE, MOST_READ
from datamodules.audio.sound_files import find_sounds, read_sound, read_sound_header
from datamodules.audio.transcribed import Transcribed, padded, to_int16
from datamodules.reading import progress, some
from datamodules.text.files import decode
from datamodules.vision.class_folders import KnowsItsFolder

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Line:
    """A line of the transcripts.

    Args:
        file: Relative to the folder.
        text: What is said.
        number: From 1.
    """

    file: str
    text: str
    number: int


class SpeechFolder(KnowsItsFolder, Transcribed):
    """Sounds of any rate, width, length and number of channels, with their texts.

    Args:
        root: The folder. At test time all of a folder that is not the run's is tested, or its test folder.
        transcripts: The file with the texts, in the folder.
        num_classes, sample_rate: 0 means as found: the number of characters, and the most frequent rate, at most
            16,000 Hz.
        val_fraction, test_fraction: Fractions of all sounds where there are no folders train, val and test.
        memory_limit_mb: The most memory for a split, whose sounds are padded to its longest (int16), in megabytes.
        **transcribed: See ``Transcribed``.

    Raises:
        UserError: No folder or transcripts, a line without a text, a file that is not there or cannot be read, a
            character that the model does not know, the run's own folder changed and what is tested is drawn from it.
    """

    decides = "texts, names or sizes of its sounds"

    def __init__(
        self,
        root: str = "",
        transcripts: str = "transcripts.txt",
        num_classes: int = 0,
        sample_rate: int = 0,
        val_fraction: float = 0.15,
        test_fraction: float = 0.15,
        memory_limit_mb: float = 8000,
        **transcribed: Any,
    ) -> None:
        if not (num_classes and sample_rate):
            found = self.infer(root, transcripts, num_classes, sample_rate)
            num_classes, sample_rate = found["num_classes"], found["sample_rate"]
        super().__init__(num_classes, sample_rate, **transcribed)
        if min(val_fraction, test_fraction) < 0 or val_fraction + test_fraction >= 1:
            raise UserError(
                f"data.val_fraction {val_fraction} and data.test_fraction {test_fraction} leave nothing to train on"
            )
        self.root, self.transcripts = root, transcripts
        self.fractions, self.memory_limit_mb = (val_fraction, test_fraction), memory_limit_mb

    @property
    def own_path(self) -> str:  # type: ignore[override]
        return self.root

    @staticmethod
    def infer(
        root: str = "", transcripts: str = "transcripts.txt", num_classes: int = 0, sample_rate: int = 0
    ) -> dict[str, int]:
        """The number of characters in the texts, and the rate; arguments that are not 0 are kept."""
        lines = read_transcripts(root, transcripts)
        if not sample_rate:
            rates = Counter(
                read_sound_header(os.path.join(root, line.file))[0]
                for line in progress(lines[:: -(-len(lines) // MOST_READ)], f"reading headers of {root}")
                if readable(os.path.join(root, line.file))
            )
            if not rates:
                raise UserError(f"{root}: none of the sounds of {transcripts} can be read")
            sample_rate = min(HIGHEST_RATE, rates.most_common(1)[0][0])
        return {"num_classes": num_classes or len(characters(lines)), "sample_rate": sample_rate}

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        if stage == "predict":
            return {"predict": self.load_untranscribed()}
        lines = read_transcripts(self.root, self.transcripts)
        if self.class_names is None:  # else set by the run that trained the model
            self.class_names = characters(lines)
            if len(self.class_names) != self.num_classes:
                raise UserError(
                    f"{self.transcripts} has {len(self.class_names)} characters, but data.num_classes is "
                    f"{self.num_classes}: leave it out"
                )
        parts = self.parts(stage, lines)
        found = {}
        for split in parts:
            sounds = [self.read(line) for line in progress(parts[split], f"reading {self.root}")]
            self.refuse_long(sounds, [line.file for line in parts[split]])
            found[split] = padded(sounds, [self.labels_of(line) for line in parts[split]])
            self.utterance_names[split] = [os.path.join(self.root, line.file) for line in parts[split]]
        untold = set(find_sounds(self.root)) - {os.path.normpath(line.file) for line in lines}
        if untold:
            self.facts.append(f"{len(untold):,} sounds without a transcript are left out ({some(sorted(untold))})")
        self.facts.append(f"characters {''.join(self.class_names)!r}")
        return found

    def parts(self, stage: str, lines: list[Line]) -> dict[str, list[Line]]:
        """The lines of the splits that a stage needs; of another folder than the run's all, or its own folder's."""
        split, folders = "test" if stage == "test" else "val", split_folders(lines)
        files = ((line.text, os.path.normpath(line.file)) for line in lines)
        if self.is_another_folder(stage, files, f"its {split} folder" if folders.get(split) else ""):
            return {split: folders.get(split) or lines}
        parts = split_lines(lines, *self.fractions)
        return {name: parts[name] for name in (("test",) if stage == "test" else SPLITS)}

    def labels_of(self, line: Line) -> list[int]:
        try:
            return self.encode(line.text)
        except UserError as error:
            raise UserError(f"{os.path.join(self.root, self.transcripts)}, line {line.number}: {error}") from None

    def read(self, line: Line) -> np.ndarray:
        try:
            return to_int16(read_sound(os.path.join(self.root, line.file), self.sample_rate))
        except (ValueError, OSError) as error:
            where = f"{os.path.join(self.root, self.transcripts)}, line {line.number}"
            raise UserError(f"{where}: {line.file} cannot be read ({error}): replace it or take the line out") from None

    def load_untranscribed(self) -> tuple[Tensor, ...]:
        """All sounds of the folder; those that cannot be read are named in a note."""
        names, sounds, reasons = [], [], []
        for name in progress(find_sounds(self.root), f"reading {self.root}"):
            try:
                sounds.append(to_int16(read_sound(os.path.join(self.root, name), self.sample_rate)))
                names.append(name)
            except (ValueError, OSError) as error:
                reasons.append(f"{name} ({error})")
        if not sounds:
            raise UserError(f"{self.root} has no sound that can be read" + (f": {some(reasons, 3)}" if reasons else ""))
        if reasons:
            note(f"{self.root}: {len(reasons)} sounds cannot be read and are left out: {some(reasons, 3)}")
        self.refuse_long(sounds, names)
        self.predict_names = names
        return padded(sounds)

    def refuse_long(self, sounds: list[np.ndarray], names: list[str]) -> None:
        """Refuses a sound that is so long that all others, padded to it, would not fit in memory (``UserError``)."""
        name, longest = max(zip(names, sounds, strict=True), key=lambda pair: len(pair[1]), default=("", np.empty(0)))
        megabytes = len(sounds) * longest.nbytes / 1e6
        if megabytes > self.memory_limit_mb:
            raise UserError(
                f"{os.path.join(self.root, name)} has {len(longest) / self.sample_rate:,.1f} s, to which all "
                f"{len(sounds):,} sounds would be padded: {megabytes:,.0f} MB; cut it into shorter ones, or raise "
                f"data.memory_limit_mb {self.memory_limit_mb:g}"
            )


def read_transcripts(root: str, name: str) -> list[Line]:
    """The lines of the transcripts of a folder.

    Raises:
        UserError: Names the file, and the line where one is wrong.
    """
    if not root:
        raise UserError("data.root is not given: --data.root FOLDER names the folder of your sounds")
    path = os.path.join(root, name)
    if not os.path.isfile(path):
        raise UserError(f"no {path}: a line of it is a sound and its text, such as `a.wav 4711` (--data.transcripts)")
    lines: list[Line] = []
    seen: dict[str, int] = {}
    with open(path, "rb") as file, io.StringIO(decode(file.read(), path), newline=None) as text:
        for number, raw in enumerate(text, 1):
            if not raw.strip():
                continue
            parts = raw.strip().split("\t" if "\t" in raw.strip() else None, 1)
            where = f"{path}, line {number}"
            if len(parts) < 2 or not parts[1].strip():
                raise UserError(
                    f"{where}: {parts[0]} has no text: write it after the file's name, or take the line out"
                )
            if not os.path.isfile(os.path.join(root, parts[0])):
                remedy = "correct its name, or take the line out"
                if "\t" not in raw and len(parts[1].split()) > 1:
                    remedy += "; after a name with spaces there must be a tab"
                raise UserError(f"{where}: there is no file {os.path.join(root, parts[0])}: {remedy}")
            if parts[0] in seen:
                raise UserError(f"{where}: {parts[0]} has a text in line {seen[parts[0]]} already")
            seen[parts[0]] = number
            lines.append(Line(parts[0], parts[1].strip(), number))
    if not lines:
        raise UserError(f"{path} has no line: a line is a sound and its text, such as `a.wav 4711`")
    return lines


def characters(lines: list[Line]) -> list[str]:
    """The characters of all texts, sorted."""
    return sorted({character for line in lines for character in line.text})


def readable(path: str) -> bool:
    try:
        read_sound_header(path)
    except (ValueError, OSError):
        return False
    return True


def split_folders(lines: list[Line]) -> dict[str, list[Line]]:
    """The lines of each of the folders train, val (may be empty) and test; none where these are not all folders."""
    top = [os.path.normpath(line.file).split(os.sep)[0] for line in lines]
    if not {"train", "test"} <= set(top) <= set(SPLITS):
        return {}
    return {split: [line for line, name in zip(lines, top, strict=True) if name == split] for split in SPLITS}


def split_lines(lines: list[Line], val_fraction: float, test_fraction: float) -> dict[str, list[Line]]:
    """The lines of each split: by the folders train, val and test, or drawn."""
    if found := split_folders(lines):
        if found["val"]:
            return found
        lines, test_fraction = found["train"], 0.0
    drawn = sorted(lines, key=lambda line: line.file)
    random.Random(0).shuffle(drawn)
    val, test = (max(1, round(fraction * len(drawn))) if fraction else 0 for fraction in (val_fraction, test_fraction))
    return {"test": drawn[:test], **found, "val": drawn[test : test + val], "train": drawn[test + val :]}
