"""Files of weights: their contents and their origin.

Read without executing code from them: ``.safetensors``; ``.pth``, ``.pt``, ``.bin`` and ``.ckpt`` of ``torch.save``; an
``.index.json`` with its shards; a folder with one of these, as Hugging Face's and a run's are; and torchvision's names,
such as ``ResNet18_Weights.IMAGENET1K_V1``.

Tensors may be under the key ``state_dict`` or ``model``, and their names may have the prefix ``module.``
(DataParallel), ``_orig_mod.`` (torch.compile) or ``net.`` (this project), which is removed.
"""

import json
import pickle
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import safe_open
from torch import Tensor

from common.messages import UserError
from common.packages import model_folder

Origin = Literal["published", "run"]
#: Keys under which a dictionary may have its tensors; the first one found is used.
INNER = ("state_dict", "model_state_dict", "model_state", "model", "net", "network", "weights", "params")
AROUND = ("module.", "_orig_mod.", "model.", "network.")
#: File names that are looked for in a folder.
IN_FOLDER = (
    *("model.safetensors.index.json", "model.safetensors", "pytorch_model.bin.index.json", "pytorch_model.bin"),
    *("checkpoints/best.ckpt", "best.ckpt"),
)


@dataclass
class WeightFile:
    """The contents of a file.

    Args:
        source: As it was given.
        tensors: By their names in the network.
        origin: ``run`` for a run of this project, else ``published``.
        arguments: Those of the run's model; empty if the file does not have them.
        model: The class of the run's model.
        config: The ``config.json`` beside the file.
    """

    source: str
    tensors: dict[str, Tensor]
    origin: Origin = "published"
    arguments: dict[str, Any] = field(default_factory=dict)
    model: str = ""
    config: dict[str, Any] = field(default_factory=dict)


def read_weights(source: str) -> WeightFile:
    """The weights of a file, a folder or a published name.

    Raises:
        UserError: No such file or name, a failed download, or a file without a state dict; the error names the cause.
    """
    path = find_file(source)
    if path is None:
        return WeightFile(source, download(source))
    if path.name.endswith(".index.json"):
        found = WeightFile(source, read_shards(path))
    elif path.suffix == ".safetensors":
        found = read_safetensors(path)
    else:
        found = unwrapped(read_torch(path), path)
    found.source, found.config = source, beside(path)
    return found


def origin_of(source: str) -> Origin:
    """The origin of the weights in ``source``, without reading its tensors.

    The weights of a run that started from published ones still count as published, since its images are normalized in
    the same way. A missing or unreadable file counts as published; reading it later raises the error.
    """
    try:
        path = find_file(source)
        if path is None or path.name.endswith(".json"):
            return "published"
        if path.suffix == ".safetensors":
            with safe_open(path, framework="pt") as file:
                metadata = file.metadata() or {}
            return origin_of_run(json.loads(metadata["arguments"])) if "arguments" in metadata else "published"
        return unwrapped(torch.load(path, "cpu", mmap=is_archive(path), weights_only=True), path).origin
    except Exception:
        return "published"


def origin_of_run(arguments: dict[str, Any]) -> Origin:
    return "published" if arguments.get("weights") and arguments.get("weights_from") != "run" else "run"


# -- finding ------------------------------------------------------------------------------------------------------


def find_file(source: str) -> Path | None:
    """The file of ``source``, which may be an installed package with a model; None if it is a name and not a file.

    Raises:
        UserError: A folder without weights.
    """
    path = Path(source)
    if not path.exists():
        path = model_folder(source) or path
    if not path.is_dir():
        return path if path.is_file() else None
    if (path / "meta.pt").is_file():
        raise UserError(f"weights: {source} is a sharded checkpoint: `dive export` makes one file of it")
    for name in IN_FOLDER:
        if (path / name).is_file():
            return path / name
    raise UserError(f"weights: the folder {source} has none of {', '.join(IN_FOLDER)}")


def download(name: str) -> dict[str, Tensor]:
    """torchvision's weights of a name."""
    from torchvision.models import get_weight

    try:
        published: Any = get_weight(name)
    except (ValueError, TypeError):  # torchvision raises either for a name such as resnet18.pth
        raise UserError(
            f"weights: there is no file {name}, and torchvision has no weights of that name (names are like "
            "ResNet18_Weights.IMAGENET1K_V1)"
        ) from None
    try:
        return dict(published.get_state_dict(progress=False, check_hash=True))
    except (OSError, RuntimeError) as error:
        raise UserError(
            f"weights: cannot download {published.url} ({error}): fetch it elsewhere and give the file's path"
        ) from None


def beside(path: Path) -> dict[str, Any]:
    """The ``config.json`` in a file's folder; empty if there is none.

    Raises:
        UserError: It is not JSON.
    """
    config = path.parent / "config.json"
    return read_json(config) if config.is_file() else {}


def read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"weights: {path} cannot be read ({error})") from None
    if not isinstance(content, dict):
        raise UserError(f"weights: {path} is a {type(content).__name__}, not a mapping")
    return content


# -- reading ------------------------------------------------------------------------------------------------------


def read_shards(index: Path) -> dict[str, Tensor]:
    """The tensors of all files that an ``.index.json`` names, which lie beside it."""
    names = read_json(index).get("weight_map")
    if not isinstance(names, dict) or not names:
        raise UserError(f"weights: {index} has no weight_map: it is no index of shards")
    tensors: dict[str, Tensor] = {}
    for name in sorted(set(map(str, names.values()))):
        shard = index.parent / Path(name).name  # in the folder of the index, whatever path it has
        if not shard.is_file():
            raise UserError(f"weights: {index} names {name}, which is not beside it: fetch it too")
        part = read_safetensors(shard) if shard.suffix == ".safetensors" else unwrapped(read_torch(shard), shard)
        tensors |= part.tensors
    if absent := sorted(names.keys() - tensors.keys()):
        raise UserError(f"weights: the shards of {index} lack {absent[0]}: fetch them again")
    return tensors


def read_safetensors(path: Path) -> WeightFile:
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  not a mapping
    except Exception as error:  # safetensors has an exception of its own and raises OSError too
        raise UserError(f"weights: {path} is not a file of weights ({first_line(error)})") from None
    tensors |= {name: tensors[kept] for name, kept in metadata.items() if kept in tensors}  # one tensor, two names
    if "arguments" in metadata:
        return of_run(path, tensors, json.loads(metadata["arguments"]), metadata.get("class", ""))
    return WeightFile(str(path), without_surroundings(tensors))


def read_torch(path: Path) -> Any:
    """The contents of a file of ``torch.save``.

    Raises:
        UserError: It is damaged, of another kind, or has objects that need code to be executed.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if "GLOBAL" not in str(error):
            raise UserError(f"weights: {path} is not a file of weights: damaged, or not of torch.save") from None
        raise UserError(
            f"weights: {path} holds Python objects, whose code is not run: save torch.save(network.state_dict(), FILE) "
            "where it was made"
        ) from None
    except Exception as error:  # torch, pickle and zipfile raise many kinds of exceptions
        raise UserError(f"weights: {path} is not a file of weights ({first_line(error)})") from None


def unwrapped(content: Any, path: Path) -> WeightFile:
    """The state dict in the contents of a file of ``torch.save``."""
    tensors = content
    while isinstance(tensors, dict) and not (tensors and all(isinstance(v, Tensor) for v in tensors.values())):
        inner = next((tensors[name] for name in INNER if isinstance(tensors.get(name), dict)), None)
        if inner is None:
            held = {k: v for k, v in tensors.items() if isinstance(v, Tensor)}
            tensors = held if len(held) > len(tensors) / 2 else None  # a few entries may be numbers
        else:
            tensors = inner
    if not isinstance(tensors, dict):
        has = f"it has {some(map(str, content))}" if isinstance(content, dict) else f"it is a {type(content).__name__}"
        raise UserError(
            f"weights: {path} holds no state dict ({has}): save one with torch.save(network.state_dict(), FILE)"
        )
    if "pytorch-lightning_version" in content and (net := network_part(tensors)):
        tensors = net
        if arguments := dict(content.get("hyper_parameters") or {}):  # every run of this project has some
            return of_run(path, tensors, arguments, str(arguments.pop("_class_path", "")))
    return WeightFile(str(path), without_surroundings(tensors))


def of_run(path: Path, tensors: dict[str, Tensor], arguments: dict[str, Any], model: str) -> WeightFile:
    """A file of this project."""
    return WeightFile(str(path), network_part(tensors) or tensors, origin_of_run(arguments), arguments, model)


def network_part(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of a LightningModule's ``net``, by their names in the network; empty if there are none."""
    return {name.removeprefix("net."): value for name, value in tensors.items() if name.startswith("net.")}


def without_surroundings(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same under the network's own names: a wrapper's prefix that all names have is removed."""
    tensors = {k.replace("._orig_mod.", "."): v for k, v in tensors.items() if k != "n_averaged"}  # of AveragedModel
    while first := [p for p in AROUND if tensors and all(name.startswith(p) for name in tensors)]:
        tensors = {name.removeprefix(first[0]): value for name, value in tensors.items()}
    return tensors


def is_archive(path: Path) -> bool:
    """Whether a file has torch's current format, whose tensors can be memory-mapped."""
    with open(path, "rb") as file:
        return file.read(2) == b"PK"


def first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:80]


def some(items: Any, shown: int = 3) -> str:
    """The first few of several names."""
    items = list(items)
    return ", ".join(items[:shown]) + (f" and {len(items) - shown} more" if len(items) > shown else "")
