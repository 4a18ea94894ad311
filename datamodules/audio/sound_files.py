"""Sound files of any kind: finds them in a folder, reads them as one channel at one rate.

WAV files are read by scipy (``wav_files.py``); MP3, FLAC, OGG and the compressed kinds of WAV by libsndfile.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from common.messages import UserError
from datamodules.audio import wav_files
from datamodules.vision.class_folders import find_files

WAV = (".wav", ".wave")
OTHERS = (".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".aifc", ".au", ".snd", ".caf", ".w64", ".rf64")


def find_sounds(root: str) -> list[str]:
    """Sound files under ``root`` by their endings, at any depth, as sorted paths relative to it.

    Raises:
        UserError: There is no such folder.
    """
    if not root:
        raise UserError("data.root is not given: --data.root FOLDER names the folder of your sounds")
    if not os.path.isdir(root):
        raise UserError(f"no folder {root}: give --data.root the folder of your sounds")
    return find_files(root, {*WAV, *OTHERS})


def read_sound(path: str, sample_rate: int) -> np.ndarray:
    """The sound as float32 (T,) in [-1, 1], as ``wav_files.read_wav`` gives it.

    Raises:
        ValueError: The file is no sound, is damaged, or has no samples.
    """
    if not is_other(path):
        return wav_files.read_wav(path, sample_rate)
    import soundfile

    try:
        with quiet_codecs():
            sound, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except soundfile.SoundFileError as error:
        raise ValueError(reason_of(error)) from None
    if not len(sound):
        raise ValueError("it has no samples")
    return wav_files.one_channel(sound, rate, sample_rate)


def read_sound_header(path: str) -> tuple[int, float]:
    """Rate in Hz and length in seconds.

    Raises:
        ValueError: As in ``read_sound``.
    """
    if not is_other(path):
        return wav_files.read_header(path)
    import soundfile

    try:
        with quiet_codecs():
            about = soundfile.info(path)
    except soundfile.SoundFileError as error:
        raise ValueError(reason_of(error)) from None
    if about.frames < 1:
        raise ValueError("it has no samples")
    return int(about.samplerate), about.frames / about.samplerate


def is_other(path: str) -> bool:
    """Whether libsndfile reads the file: it is no WAV file, or one that is not plain PCM or floating point."""
    if Path(path).suffix.lower() not in WAV:
        return True
    with open(path, "rb") as file:
        start = file.read(256)
    at = start.find(b"fmt ")
    kind = int.from_bytes(start[at + 8 : at + 10], "little") if at > 0 else 1
    return kind not in (1, 3, 0xFFFE)  # PCM, floating point, or either of them in the extended form


@contextmanager
def quiet_codecs() -> Iterator[None]:
    """Sends what libraries in C write to stderr about damaged files to nowhere; the error says what is needed."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def reason_of(error: Exception) -> str:
    """What libsndfile says, without the path."""
    says = str(getattr(error, "error_string", "") or error).strip().rstrip(".")
    return "not a sound" if says.startswith(("File does not exist", "Format not recognised")) else says
