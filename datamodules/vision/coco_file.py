"""Your own pictures with boxes in COCO's JSON.

    dive fit vision/ssd --data COCOFile --data.annotations boxes.json --data.root photos
    dive predict vision/ssd --data.root new_photos        any folder of pictures; the JSON is not read

One file is split by ``val_fraction`` and ``test_fraction``; ``val_annotations`` and ``test_annotations`` name files of
their own. Objects with ``iscrowd`` neither teach nor count.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image
from torch import Tensor

from common.messages import UserError
from datamodules.vision.object_files import Annotated, ObjectFiles, Split, sizes_of


class COCOFile(ObjectFiles):
    """Pictures (B, in_channels, image_size, image_size) in [0, 1] with their boxes, classes in alphabetical order.

    Args:
        annotations: The JSON file, of training or of all pictures. At test time one that is not the run's is tested
            whole, where ``test_annotations`` names none.
        root: The folder of the pictures.
        val_annotations, test_annotations: JSON files of the other splits, optional.
        num_classes, in_channels, image_size: 0 means as found in the files (``infer``).
        **files: See ``ObjectFiles``.

    Raises:
        UserError: No such file, one that is not COCO's, the run's own that changed where what is tested is drawn from
            it; the line names it.
    """

    option, decides = "annotations", "its content"

    def __init__(
        self,
        annotations: str = "",
        root: str = "",
        val_annotations: str = "",
        test_annotations: str = "",
        num_classes: int = 0,
        in_channels: int = 0,
        image_size: int = 0,
        **files: Any,
    ) -> None:
        if not (num_classes and in_channels and image_size):
            found = self.infer(annotations, root, num_classes, in_channels, image_size)
            num_classes, in_channels, image_size = (found[k] for k in ("num_classes", "in_channels", "image_size"))
        super().__init__(root, num_classes, in_channels, image_size, **files)
        self.files = {"train": annotations, "val": val_annotations, "test": test_annotations}
        self.test_annotations = test_annotations

    @property
    def own_path(self) -> str:  # type: ignore[override]
        if self.stage == "predict":
            return self.root
        tested = self.test_annotations and "test" in self.splits and "train" not in self.splits
        return self.test_annotations if tested else self.files["train"]

    @staticmethod
    def infer(
        annotations: str = "", root: str = "", num_classes: int = 0, in_channels: int = 0, image_size: int = 0
    ) -> dict[str, int]:
        """The sizes by the annotations and the headers of the pictures; arguments that are not 0 are kept."""
        return sizes_of({"train": read_coco(annotations, root)}, annotations, num_classes, in_channels, image_size)

    def own_files(self) -> dict[str, str]:
        return {"path": self.files["train"]}

    def of_another(self, stage: str, found: Split) -> list[Annotated] | None:
        drawn = not self.files["test" if stage == "test" else "val"]
        return found["train"] if drawn and self.is_another(stage) else None

    def read(self) -> Split:
        return {name: read_coco(file, self.root) for name, file in self.files.items() if file or name == "train"}


def read_coco(file: str, root: str) -> list[Annotated]:
    """The annotated pictures of a JSON file.

    Raises:
        UserError: As ``COCOFile``.
    """
    if not file:
        raise UserError("data.annotations is not given: --data.annotations FILE names the JSON of the boxes")
    try:
        content = json.loads(Path(file).read_text(encoding="utf-8"))
        names = {key: str(category["name"]) for key, category in by_key(file, "categories", content).items()}
        folder = Path(root or Path(file).parent)
        images = by_key(file, "images", content)
        by_key(file, "images", content, "file_name")
        items = {
            key: Annotated(
                str(folder / image["file_name"]), file, (int(image.get("width") or 0), int(image.get("height") or 0))
            )
            for key, image in images.items()
        }
        things = content.get("annotations", [])
        for k, thing in enumerate(things, 1):
            if thing["image_id"] not in items:
                raise UserError(f"{file}: annotation {k} is of image {thing['image_id']}, which `images` does not have")
            if thing["category_id"] not in names:
                raise UserError(
                    f"{file}: annotation {k} is of category {thing['category_id']}, which `categories` does not have"
                )
            left, top, width, height = map(float, thing["bbox"])
            item = items[thing["image_id"]]
            item.boxes.append([left, top, left + width, top + height])
            item.labels.append(names[thing["category_id"]])
            item.ignored.append(bool(thing.get("iscrowd", 0)))
    except UserError:
        raise
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "not UTF-8 text"
        raise UserError(f"{file} cannot be read ({why}): give --data.annotations the JSON of the boxes") from None
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        what = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise UserError(f"{file} is not COCO's JSON with images, annotations and categories ({what})") from None
    if not items:
        raise UserError(f"{file} lists no images")
    for item in items.values():
        if not Path(item.path).is_file():
            raise UserError(
                f"{file} names {item.path}, which is not there: give --data.root the folder of the pictures"
            )
    return list(items.values())


def by_key(file: str, what: str, content: Any, key: str = "id") -> dict[Any, dict[str, Any]]:
    """The ``images`` or ``categories`` of a file by a key, which no two of them may share.

    Raises:
        UserError: Two do: objects would be of either of them.
    """
    found: dict[Any, dict[str, Any]] = {}
    for entry in content[what]:
        if (first := found.setdefault(entry[key], entry)) is not entry:
            ids = f" (id {first['id']} and {entry['id']})" if key != "id" else ""
            raise UserError(f"{file}: two {what} have the {key} {entry[key]!r}{ids}: give each its own, or keep one")
    return found


def write_coco(
    file: Path, folder: Path, images: Tensor, rows: Sequence[tuple[Any, Any, Any]], names: Sequence[str]
) -> None:
    """Writes a JSON file and its pictures.

    Args:
        file: The JSON.
        folder: Of the pictures, made if it is not there.
        images: (N, 3, H, W) uint8.
        rows: Boxes (n, 4) in fractions, ignored (n,) and labels (n,) of each picture.
        names: Of the classes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    height, width = images.shape[-2:]
    content: dict[str, list[Any]] = {"images": [], "annotations": []}
    content["categories"] = [{"id": k, "name": name} for k, name in enumerate(names, 1)]
    for i, (image, row) in enumerate(zip(images, rows, strict=True)):
        name = f"{file.stem}_{i:05d}.png"
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(folder / name)
        content["images"].append({"id": i, "file_name": name, "width": width, "height": height})
        for box, ignore, label in zip(*row, strict=True):
            left, top, right, bottom = (float(e) * side for e, side in zip(box, (width, height) * 2, strict=True))
            number = len(content["annotations"])
            content["annotations"].append(
                {
                    "id": number,
                    "image_id": i,
                    "category_id": int(label) + 1,
                    "bbox": [left, top, right - left, bottom - top],
                    "area": (right - left) * (bottom - top),
                    "iscrowd": int(ignore),
                }
            )
    file.write_text(json.dumps(content))
