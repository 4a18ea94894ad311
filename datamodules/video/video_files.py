"""Reads videos: folders of frames, ``.npy`` arrays, animated GIF, PNG and WebP, and video files through PyAV.

A video is a list of frames with the rate at which they follow, if its file says so. PyAV is optional
(``pip install "dive[video]"``); everything else needs pillow and numpy.
"""

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from common.messages import UserError
from common.pictures import DEPTHS, eight_bits
from datamodules.vision.class_folders import visible
from datamodules.vision.image_files import GRAY_MODES

CONTAINERS = {".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv", ".flv", ".ogv", ".3gp"}
ANIMATED = {".gif", ".png", ".apng", ".webp"}
STILL = {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"}
COLORS = (1, 3)


@dataclass(frozen=True)
class Header:
    """What a video's file says without its frames being decoded.

    Args:
        frames: Their number, estimated where a file does not say it.
        side: The short side in pixels.
        gray: Whether it has no color.
        rate: Frames per second; 0 if unknown.
    """

    frames: int
    side: int
    gray: bool
    rate: float = 0.0


class BrokenVideoError(ValueError):
    """A video that cannot be read, with the number of the frame where reading ended."""


# -- finding ----------------------------------------------------------------------------------------------------------


def find_videos(root: str) -> list[str]:
    """The videos under ``root``, files and folders of frames, as sorted paths relative to it; ``.`` is ``root`` itself.

    Raises:
        UserError: There is no such folder.
    """
    if not root:
        raise UserError("data.root is not given: --data.root FOLDER names the folder of your videos")
    if not os.path.isdir(root):
        raise UserError(f"no folder {root}: give --data.root the folder of your videos")
    found = []
    for folder, subfolders, files in os.walk(root, followlinks=True):
        subfolders[:] = sorted(name for name in subfolders if visible(name))
        names = [name for name in files if visible(name)]
        endings = {name: os.path.splitext(name)[1].lower() for name in names}
        videos = [name for name in names if endings[name] in CONTAINERS or endings[name] in (".npy", ".gif", ".apng")]
        for alike in kinds_of(folder):
            if endings[alike[0]] in ANIMATED and is_animated(os.path.join(folder, alike[0])):
                videos += alike
        if not videos and len(frames_in(folder)) > 1:
            found.append(os.path.relpath(folder, root))
        found += [os.path.relpath(os.path.join(folder, name), root) for name in videos]
    return sorted(path.replace(os.sep, "/") for path in found)


def kinds_of(folder: str) -> list[list[str]]:
    """The image files of a folder, those together that are named alike but for their numbers, in the order of these."""
    kinds: dict[str, list[str]] = {}
    for name in sorted(os.listdir(folder)):
        if visible(name) and os.path.splitext(name)[1].lower() in STILL:
            kinds.setdefault(re.sub(r"\d+", "", name), []).append(name)
    return [
        sorted(kind, key=lambda name: [int(number) for number in re.findall(r"\d+", name)]) for kind in kinds.values()
    ]


def frames_in(folder: str) -> list[str]:
    """The frames in a folder: of several kinds of images (``img_1.jpg``, ``flow_1.jpg``) the most frequent, of those
    the first.
    """
    return max(kinds_of(folder), key=len, default=[])


def is_animated(path: str) -> bool:
    with suppress(Exception), Image.open(path) as image:  # PIL raises many kinds for a damaged file
        return getattr(image, "n_frames", 1) > 1
    return False


# -- reading ----------------------------------------------------------------------------------------------------------


def read_header(path: str) -> Header:
    """The header of a video.

    Raises:
        BrokenVideoError: It cannot be read.
    """
    ending = os.path.splitext(path)[1].lower()
    try:
        if os.path.isdir(path):
            frames = frames_in(path)
            with Image.open(os.path.join(path, frames[0])) as image:
                return Header(len(frames), min(image.size), is_gray(image))
        if ending == ".npy":
            array = open_array(path)
            return Header(len(array), min(array.shape[1:3]), array.ndim == 3 or array.shape[3] == 1)
        if ending in ANIMATED:
            with Image.open(path) as image:
                return Header(getattr(image, "n_frames", 1), min(image.size), is_gray(image), rate_of(image))
        with opened(path) as container:
            stream = container.streams.video[0]
            rate = float(stream.average_rate or 0)
            seconds = float(stream.duration * stream.time_base) if stream.duration else (container.duration or 0) / 1e6
            frames_said = stream.frames or round(seconds * rate)
            gray = str(stream.codec_context.pix_fmt).startswith("gray")
            return Header(frames_said, min(stream.width, stream.height), gray, rate)
    except UserError:
        raise
    except Exception as error:  # PIL, numpy and PyAV raise many kinds for a damaged file
        raise BrokenVideoError(reason(error)) from None


def is_gray(image: Any) -> bool:
    """Whether an open image has no color: by its mode, or by its palette (GIF)."""
    palette = image.getpalette() if image.mode == "P" else None
    return image.mode in GRAY_MODES or (palette is not None and palette[::3] == palette[1::3] == palette[2::3])


def rate_of(image: Any) -> float:
    """Frames per second of an open animation, by the duration of its first frame; 0 if it says none."""
    duration = image.info.get("duration", 0)
    return 1000 / duration if duration else 0.0


def open_array(path: str) -> np.ndarray:
    """An array (T, H, W) or (T, H, W, C) of a ``.npy`` file, memory-mapped; (T, C, H, W) is turned.

    Raises:
        BrokenVideoError: It has another shape.
    """
    array = np.load(path, mmap_mode="r", allow_pickle=False)
    if array.ndim == 4 and array.shape[3] not in COLORS and array.shape[1] in COLORS:
        array = array.transpose(0, 2, 3, 1)
    if array.ndim not in (3, 4) or (array.ndim == 4 and array.shape[3] not in COLORS):
        raise BrokenVideoError(f"its shape is {array.shape}: give (T, H, W) or (T, H, W, C) with 1 or 3 channels C")
    return array


def opened(path: str) -> Any:
    """A video file opened by PyAV.

    Raises:
        UserError: PyAV is not installed.
    """
    try:
        import av
    except ImportError:
        raise UserError(
            f'{path} needs PyAV to be read: `pip install "dive[video]"`, or save it as GIF or .npy'
        ) from None
    return av.open(path)


def frames_of(path: str) -> Iterator[Image.Image]:
    """The frames of a video, one after the other, upright as the file stores them."""
    ending = os.path.splitext(path)[1].lower()
    if os.path.isdir(path):
        names, white = frames_in(path), 0
        for name in names:
            with Image.open(os.path.join(path, name)) as image:
                if image.mode.startswith("I") or image.mode == "F":
                    white = white or white_of(path, names)
                    yield eight_bits(image, white)
                else:
                    yield ImageOps.exif_transpose(image)
    elif ending == ".npy":
        array = open_array(path)
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise BrokenVideoError("it holds numbers that are not finite")
        white = white_for(float(array.max(initial=0)), array.dtype.kind == "f")
        for frame in array:
            pixels = (np.asarray(frame) * (255 / white)).round().clip(0, 255).astype(np.uint8)
            yield Image.fromarray(pixels[..., 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels)
    elif ending in ANIMATED:
        with Image.open(path) as image:
            for k in range(getattr(image, "n_frames", 1)):
                image.seek(k)
                yield image
    else:
        with opened(path) as container:
            for frame in container.decode(video=0):
                turned = int(getattr(frame, "rotation", 0) or 0)  # degrees counterclockwise, of a phone held upright
                yield frame.to_image().rotate(turned, expand=True) if turned else frame.to_image()


def white_of(folder: str, names: list[str]) -> int:
    """The number that is white in all frames of a folder, which have more than 8 bits."""
    largest, real = 0.0, False
    for name in names:
        with Image.open(os.path.join(folder, name)) as image:
            largest, real = max(largest, float(np.asarray(image).max(initial=0))), real or image.mode == "F"
    return white_for(largest, real)


def white_for(largest: float, real: bool) -> int:
    """The number that is white: the largest of the least depth that holds ``largest``; 1 of real numbers up to 1."""
    return 1 if real and largest <= 1 else 2 ** next((bits for bits in DEPTHS if largest < 2**bits), DEPTHS[-1]) - 1


def read_video(path: str, channels: int, size: int, frame_rate: float = 0.0) -> np.ndarray:
    """The frames of a video as uint8 (T, channels, size, size).

    The largest centered square of each frame is cut out, the same in all, and resized (bilinear, antialiased).

    Args:
        path: A file or a folder of frames.
        channels: 1 for gray, 3 for color.
        size: Height and width in pixels.
        frame_rate: Frames per second that are kept, by taking some or repeating them; 0 for those of the file. A video
            that does not say its rate is taken as it is.

    Raises:
        BrokenVideoError: It cannot be read; the error names the frame.
    """
    frames: list[np.ndarray] = []
    try:
        for image in frames_of(path):
            square = ImageOps.fit(
                image.convert("L" if channels == 1 else "RGB"), (size, size), Image.Resampling.BILINEAR
            )
            frames.append(np.asarray(square).reshape(size, size, channels).transpose(2, 0, 1))
    except UserError:
        raise
    except Exception as error:  # as in read_header
        raise BrokenVideoError(f"frame {len(frames)}: {reason(error)}") from None
    if not frames:
        raise BrokenVideoError("it has no frames")
    rate = read_header(path).rate if frame_rate else 0.0
    return np.stack([frames[k] for k in resampled(len(frames), rate, frame_rate)])


def resampled(count: int, rate: float, wanted: float) -> list[int]:
    """The numbers of the frames, of ``count`` at ``rate`` per second, that are shown at ``wanted`` per second."""
    if not rate or not wanted:
        return list(range(count))
    number = max(1, round(count * wanted / rate))
    return [min(count - 1, int((k + 0.5) * rate / wanted)) for k in range(number)]


def reason(error: Exception) -> str:
    """Why a video cannot be read, in a few words."""
    text = " ".join(str(getattr(error, "strerror", None) or error).split()) or type(error).__name__
    return "not a video" if text.startswith("cannot identify image file") else text[:90]
