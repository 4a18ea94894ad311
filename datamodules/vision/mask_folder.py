"""Your own pictures with masks: a folder of images and one of masks, files of the same name.

    dive fit vision/unet --data MaskFolder --data.root leaves
    dive predict vision/unet --data.root new_pictures        any folder of pictures; no masks are needed

``leaves/images/a.jpg`` belongs to ``leaves/masks/a.png``; ``leaves/{train,val,test}/images`` and ``masks`` are used as
splits, and a split without a folder is taken from train. A mask is a picture of one channel, or with a palette, as
large as its image; its pixels are the numbers of the classes from 0, and 255 for void, which is in no loss and no
metric.
"""

import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from common.messages import UserError, note
from datamodules.splits import split_fractions
from datamodules.vision.class_folders import SPLIT_OF, KnowsItsFolder, find_images
from datamodules.vision.image_files import decode, in_threads, read_header, reason_of, whole_picture
from datamodules.vision.masks import MaskImages, refuse_other_values

LARGEST_FOUND = 256
Pairs = list[tuple[str, str]]  # paths of images and of their masks


class MaskFolder(KnowsItsFolder, MaskImages):
    """Pictures (B, in_channels, S, S) in [0, 1], whole, resized to a square, with their masks.

    Args:
        root: The folder. At test time all of a folder that is not the run's is tested, or its test folder.
        num_classes, in_channels, image_size: 0 means as found in the files (``infer``): one more than the largest
            number in the masks, color, and the median of the short sides, at most 256.
        val_fraction, test_fraction: Fractions of the pictures where there is no val or test folder.
        **masks: See ``MaskImages``.

    Raises:
        UserError: No such folder, an image without its mask, a mask of another size or with other values; the run's
            own folder changed, and what is tested is drawn from it.
    """

    items = "pictures"

    def __init__(
        self,
        root: str = "",
        num_classes: int = 0,
        in_channels: int = 0,
        image_size: int = 0,
        val_fraction: float = 0.15,
        test_fraction: float = 0.15,
        **masks: Any,
    ) -> None:
        if not (num_classes and in_channels and image_size):
            found = self.infer(root, num_classes, in_channels, image_size)
            num_classes, in_channels, image_size = (found[k] for k in ("num_classes", "in_channels", "image_size"))
        super().__init__(num_classes, in_channels, image_size, **masks)
        if min(val_fraction, test_fraction) < 0 or val_fraction + test_fraction >= 1:
            raise UserError(
                f"data.val_fraction {val_fraction} and data.test_fraction {test_fraction} leave nothing to train on"
            )
        self.root = root
        self.fractions = val_fraction, test_fraction

    @property
    def own_path(self) -> str:  # type: ignore[override]
        return self.root

    @staticmethod
    def infer(root: str = "", num_classes: int = 0, in_channels: int = 0, image_size: int = 0) -> dict[str, int]:
        """The sizes by the masks and the headers of the pictures; arguments that are not 0 are kept."""
        pairs = [pair for split in find_pairs(root).values() for pair in split]
        if not num_classes:
            values = in_threads(lambda pair: read_mask(*pair), pairs)
            num_classes = 1 + max(int(v[v != 255].max(initial=0)) for v in values)
        headers = [h for h in in_threads(read_header, [image for image, _ in pairs]) if h]
        if not headers:
            raise UserError(f"{root}: none of its {len(pairs)} images can be read")
        sides = sorted(side for side, _ in headers)
        return {
            "num_classes": max(2, num_classes),
            "in_channels": in_channels or (1 if all(gray for _, gray in headers) else 3),
            "image_size": image_size or min(LARGEST_FOUND, sides[(len(sides) - 1) // 2]),
        }

    def processor(self) -> dict[str, Any]:
        return {**super().processor(), "in_channels": self.in_channels, "image_size": self.image_size}

    def predict_picture(self, row: int) -> tuple[Image.Image, tuple[float, float, float, float]]:
        """The picture of a row of the predict split; the model saw all of it."""
        assert self.predict_names is not None
        image, _ = whole_picture(os.path.join(self.root, self.predict_names[row]))
        return image, (0.0, 0.0, float(image.width), float(image.height))

    def pairs(self) -> dict[str, Pairs]:
        """The images with their masks by split, or under ``all``."""
        return find_pairs(self.root, to_train=False)

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        if stage == "predict":
            return self.load_pictures()
        known = self.pairs()
        split = "test" if stage == "test" else "val"
        every = [pair for pairs in known.values() for pair in pairs]
        files = (("", os.path.relpath(path, self.root)) for pair in every for path in pair)
        if self.is_another_folder(stage, files, f"its {split} folder" if split in known else ""):
            return {split: self.load_pairs(known.get(split, every))}
        if "all" not in known:
            refuse_no_train(self.root, list(known))
        whole = known.pop("all", None) or known.pop("train")
        val, test = (0.0 if name in known else part for name, part in zip(("val", "test"), self.fractions, strict=True))
        if len(whole) < (needed := 1 + (val > 0) + (test > 0)):
            raise UserError(f"{self.root}: {len(whole)} pictures are too few to split: give at least {needed}")
        rows = split_fractions(torch.zeros(len(whole)), val, test)
        for name, part in zip(("train", "val", "test"), rows, strict=True):
            known.setdefault(name, [whole[i] for i in part.tolist()])
        wanted = {"fit": ("train", "val"), "validate": ("val",), "test": ("test",)}[stage]
        found = {name: self.load_pairs(known[name]) for name in wanted}
        if "train" in found:
            self.refuse_void(found["train"][1])
        return found

    def refuse_void(self, masks: Tensor) -> None:
        """Refuses masks of white and black, which would teach nothing: 255 is void (``UserError``)."""
        if bool((masks == 255).any()) and not bool(((masks > 0) & (masks < 255)).any()):
            raise UserError(
                f"{self.root}: the masks to train on have 0 and 255 only, and 255 is void, in no loss: write 1 "
                "in its place"
            )

    def load_pictures(self) -> dict[str, tuple[Tensor, ...]]:
        """All pictures of the folder, for predictions; those that cannot be read are left out."""
        names = find_images(self.root)
        headers = in_threads(read_header, [os.path.join(self.root, name) for name in names])
        good = [name for name, header in zip(names, headers, strict=True) if header]
        if not good:
            raise UserError(f"{self.root} has no images that can be read: give --data.root another folder")
        if len(good) < len(names):
            note(f"{self.root}: {len(names) - len(good)} of {len(names)} images cannot be read and are left out")
        self.predict_names = good
        return {"predict": (self.decode([os.path.join(self.root, name) for name in good]),)}

    def decode(self, paths: list[str]) -> Tensor:
        """Pictures (N, C, S, S) uint8."""

        def read(path: str) -> np.ndarray:
            try:
                return decode(path, self.in_channels, self.image_size, crop=False)
            except Exception as error:  # PIL raises many kinds for a damaged file
                raise UserError(
                    f"{path} cannot be read ({reason_of(error)}): replace it or remove it and its mask"
                ) from None

        return torch.from_numpy(np.stack(in_threads(read, paths)))

    def load_pairs(self, pairs: Pairs) -> tuple[Tensor, ...]:
        images = self.decode([image for image, _ in pairs])
        size = (self.image_size, self.image_size)
        masks = torch.from_numpy(np.stack(in_threads(lambda pair: read_mask(pair[0], pair[1], size), pairs)))
        refuse_other_values(masks, self.num_classes, [mask for _, mask in pairs])
        return images, masks


def find_pairs(root: str, to_train: bool = True) -> dict[str, Pairs]:
    """The images with their masks by split, or under ``all``.

    Args:
        root: The folder.
        to_train: Folders of splits without one for train are refused.

    Raises:
        UserError: As ``MaskFolder``.
    """
    find_images(root)  # its errors for no folder
    splits = {
        SPLIT_OF[entry.name.lower()]: Path(entry.path)
        for entry in sorted(os.scandir(root), key=lambda e: e.name)
        if entry.is_dir() and entry.name.lower() in SPLIT_OF
    }
    if to_train and splits:
        refuse_no_train(root, list(splits))
    return {name: pairs_of(folder) for name, folder in (splits or {"all": Path(root)}).items()}


def refuse_no_train(root: str, splits: list[str]) -> None:
    """Refuses folders of splits of which none is for training (``UserError``)."""
    if "train" not in splits:
        raise UserError(f"{root} has folders for {', '.join(splits)}, but none for train")


def pairs_of(folder: Path) -> Pairs:
    if not (folder / "images").is_dir() or not (folder / "masks").is_dir():
        raise UserError(f"{folder} has no folders images and masks: put pictures and masks of the same names there")
    masks = {Path(name).with_suffix("").as_posix(): name for name in find_images(str(folder / "masks"))}
    pairs: Pairs = []
    for name in find_images(str(folder / "images")):
        stem = Path(name).with_suffix("").as_posix()
        if stem not in masks:
            raise UserError(f"{folder / 'images' / name} has no mask: there is no {folder / 'masks' / stem}.png")
        pairs.append((str(folder / "images" / name), str(folder / "masks" / masks[stem])))
    if not pairs:
        raise UserError(f"{folder / 'images'} has no images")
    return pairs


def read_mask(image: str, mask: str, size: tuple[int, int] | None = None) -> np.ndarray:
    """The classes (H, W) uint8 of a mask, resized to ``size`` (width, height) without interpolation.

    Raises:
        UserError: It cannot be read, is a color picture or of real numbers, or is not as large as its image.
    """
    try:
        with Image.open(mask) as file, Image.open(image) as picture:
            mode, found, wanted = file.mode, file.size, picture.size
            upright = ImageOps.exif_transpose(picture) if picture.getexif().get(0x0112, 1) != 1 else picture
            if found != wanted and found == upright.size:
                wanted = found  # drawn on the picture as it is shown
            elif found == wanted and upright is not picture:
                file.getexif()[0x0112] = picture.getexif()[0x0112]  # drawn on the pixels as they are stored
            turned = ImageOps.exif_transpose(file)
            content = turned.convert("L") if mode == "1" else turned
            if mode not in ("1", "L", "P", "I") and not mode.startswith("I;16"):
                kind = "holds real numbers" if mode == "F" else "is a color picture"
                raise UserError(
                    f"{mask} {kind} ({mode}): a mask has one channel, or a palette, with whole numbers of classes"
                )
            if found != wanted:
                raise UserError(
                    f"{mask} has {found[0]} x {found[1]} pixels, its image has {wanted[0]} x {wanted[1]}: make it so"
                )
            pixels = np.asarray(content)
    except UserError:
        raise
    except Exception as error:  # PIL raises many kinds for a damaged file
        broken = mask if read_header(image) else image
        raise UserError(f"{broken} cannot be read ({reason_of(error)}): replace it, or remove both") from None
    pixels = (pixels > 0).astype(np.uint8) if mode == "1" else pixels
    if int(pixels.max(initial=0)) > 255:
        raise UserError(f"{mask}: a pixel is {int(pixels.max())}: classes are numbers from 0 to 254, 255 is void")
    plain = Image.fromarray(pixels.astype(np.uint8))
    return np.asarray(plain.resize(size, Image.Resampling.NEAREST) if size else plain)
