"""Your own pictures with boxes in the layout of PASCAL VOC, which labelImg, Roboflow, CVAT and others write.

    dive fit vision/ssd --data VOCFolder --data.root cells
    dive predict vision/ssd --data.root new_pictures        any folder of pictures; cells is not read

``cells/Annotations/*.xml``, ``cells/JPEGImages/*``, and lists of names ``cells/ImageSets/Main/{train,val,test}.txt``.
Without a list for train, the pictures of ``trainval.txt`` are trained on, or all, except those that the other lists
name. Without one for val or test, its pictures are taken from those of train. Coordinates are taken as they are
written; VOC itself counts pixels from 1, most programs from 0. Objects that are ``difficult`` neither teach nor count.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from PIL import Image
from torch import Tensor

from common.messages import UserError
from datamodules.vision.object_files import Annotated, ObjectFiles, Split, sizes_of

LISTS = ("train", "val", "test")


class VOCFolder(ObjectFiles):
    """Pictures (B, in_channels, image_size, image_size) in [0, 1] with their boxes, classes in alphabetical order.

    Args:
        root: The folder that has ``Annotations``. At test time all of a folder that is not the run's is tested, or its
            test list.
        num_classes, in_channels, image_size: 0 means as found in the files (``infer``).
        **files: See ``ObjectFiles``.

    Raises:
        UserError: No such folder or files, an annotation that is not as it must be, the run's own folder changed and
            what is tested is drawn from it; the line names the file.
    """

    def __init__(
        self, root: str = "", num_classes: int = 0, in_channels: int = 0, image_size: int = 0, **files: Any
    ) -> None:
        if not (num_classes and in_channels and image_size):
            found = self.infer(root, num_classes, in_channels, image_size)
            num_classes, in_channels, image_size = (found[k] for k in ("num_classes", "in_channels", "image_size"))
        super().__init__(root, num_classes, in_channels, image_size, **files)

    @staticmethod
    def infer(root: str = "", num_classes: int = 0, in_channels: int = 0, image_size: int = 0) -> dict[str, int]:
        """The sizes by the annotations and the headers of the pictures; arguments that are not 0 are kept."""
        return sizes_of(read_voc(root), root, num_classes, in_channels, image_size)

    def read(self) -> Split:
        return read_voc(self.root)


def read_voc(root: str) -> Split:
    """The annotated pictures of a folder by the lists that it has, or under ``all`` if it has none.

    There is no ``train`` if it has no such list and the others name all pictures.

    Raises:
        UserError: As ``VOCFolder``.
    """
    if not root:
        raise UserError("data.root is not given: --data.root FOLDER names the folder that has Annotations")
    folder = Path(root)
    if not (folder / "Annotations").is_dir():
        raise UserError(f"{root} has no folder Annotations: give --data.root a folder in the layout of PASCAL VOC")
    lists = folder / "ImageSets" / "Main"
    stems = {name: read_list(path) for name in LISTS if (path := lists / f"{name}.txt").is_file()}
    if "train" not in stems:
        every = sorted(path.stem for path in (folder / "Annotations").glob("*.xml"))
        if not every:
            raise UserError(f"{folder / 'Annotations'} has no *.xml: put the annotations there")
        both = lists / "trainval.txt"
        name = "train" if stems or both.is_file() else "all"
        evaluated = {stem for part in stems.values() for stem in part}
        if rest := [stem for stem in (read_list(both) if both.is_file() else every) if stem not in evaluated]:
            stems = {name: rest, **stems}
    return {name: [read_annotation(folder, stem) for stem in part] for name, part in stems.items()}


def read_list(path: Path) -> list[str]:
    """The names of pictures, without endings, in a list (``UserError``: it has none)."""
    stems = [line.split()[0] for line in path.read_text().splitlines() if line.strip()]
    if not stems:
        raise UserError(f"{path} is empty: list the names of the pictures, without endings, a line each")
    return stems


def read_annotation(folder: Path, stem: str) -> Annotated:
    """One XML file and the path of its picture."""
    path = folder / "Annotations" / f"{stem}.xml"
    try:
        root = ElementTree.parse(path).getroot()
    except FileNotFoundError:
        raise UserError(f"no {path}, which a list in ImageSets names") from None
    except (OSError, ElementTree.ParseError) as error:
        raise UserError(f"{path} is not XML ({error}): write it again, or take it out of the lists") from None
    width, height = (root.findtext(f"size/{name}", "0") for name in ("width", "height"))
    try:
        item = Annotated(
            picture_path(folder, stem, root.findtext("filename", "")), str(path), (int(width), int(height))
        )
        for k, thing in enumerate(root.iter("object"), 1):
            box = thing.find("bndbox")
            if box is None or not thing.findtext("name"):
                raise UserError(f"{path}: object {k} has no name or no bndbox")
            item.boxes.append([float(box.findtext(side, "")) for side in ("xmin", "ymin", "xmax", "ymax")])
            item.labels.append(thing.findtext("name", "").strip())
            item.ignored.append(thing.findtext("difficult", "0").strip() == "1")
    except ValueError as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"{path}: a size or a coordinate is not a number ({error}): correct it") from None
    return item


def picture_path(folder: Path, stem: str, filename: str) -> str:
    """The picture of an annotation: the file it names in ``JPEGImages`` or beside it, else one with its own name."""
    names = [os.path.basename(filename.replace("\\", "/"))] if filename else []
    names += [f"{stem}{ending}" for ending in (".jpg", ".png", ".jpeg", ".JPG", ".bmp")]
    for place in ("JPEGImages", "images", "."):
        for name in names:
            if (folder / place / name).is_file():
                return str(folder / place / name)
    raise UserError(
        f"{folder / 'Annotations' / stem}.xml has no picture: there is no {folder / 'JPEGImages' / names[0]}"
    )


def write_voc(
    root: Path, split: str, images: Tensor, rows: Sequence[tuple[Any, Any, Any]], names: Sequence[str]
) -> None:
    """Writes pictures and objects in this layout.

    Args:
        root: The folder, made if it is not there.
        split: Name of the list.
        images: (N, 3, H, W) uint8.
        rows: Boxes (n, 4) in fractions, ignored (n,) and labels (n,) of each picture.
        names: Of the classes.
    """
    for part in ("Annotations", "JPEGImages", "ImageSets/Main"):
        (root / part).mkdir(parents=True, exist_ok=True)
    height, width = images.shape[-2:]
    stems = [f"{split}_{i:05d}" for i in range(len(images))]
    for stem, image, (boxes, ignored, labels) in zip(stems, images, rows, strict=True):
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(root / "JPEGImages" / f"{stem}.png")
        tree = ElementTree.Element("annotation")
        ElementTree.SubElement(tree, "filename").text = f"{stem}.png"
        size = ElementTree.SubElement(tree, "size")
        for name, value in (("width", width), ("height", height), ("depth", 3)):
            ElementTree.SubElement(size, name).text = str(value)
        for box, ignore, label in zip(boxes, ignored, labels, strict=True):
            thing = ElementTree.SubElement(tree, "object")
            ElementTree.SubElement(thing, "name").text = names[int(label)]
            ElementTree.SubElement(thing, "difficult").text = str(int(ignore))
            place = ElementTree.SubElement(thing, "bndbox")
            for name, edge, side in zip(("xmin", "ymin", "xmax", "ymax"), box, (width, height) * 2, strict=True):
                ElementTree.SubElement(place, name).text = f"{float(edge) * side:g}"
        ElementTree.ElementTree(tree).write(root / "Annotations" / f"{stem}.xml")
    (root / "ImageSets/Main" / f"{split}.txt").write_text("".join(f"{stem}\n" for stem in stems))
