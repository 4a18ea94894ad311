"""Checks a checkpoint before the model is built."""

import tempfile
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch.distributed.checkpoint import FileSystemReader
from torch.distributed.checkpoint.format_utils import dcp_to_torch_save

from common.messages import UserError


def check_checkpoint(
    path: Path, model_class: str, model_args: dict[str, Any], max_epochs: int | None = None
) -> dict[str, Any]:
    """Refuses a checkpoint that is damaged, foreign or of another model; returns its contents.

    Args:
        path: An existing file.
        model_class: Import path of the model that the command builds.
        model_args: Arguments that it is built with; prints those that differ from the checkpoint's.
        max_epochs: Of a training that goes on from it; None or -1: without an end.

    Raises:
        UserError: One line with the reason.
    """
    content = load(path / "meta.pt", path) if path.is_dir() else load(path, path)
    if path.is_dir():
        refuse_missing_parts(path)
    whole = path.is_dir() or "state_dict" in content
    if not whole or "pytorch-lightning_version" not in content:
        raise UserError(f"checkpoint {path} was not written by Lightning: it has no state_dict and version")
    hparams = content.get("hyper_parameters", {})
    trained = hparams.get("_class_path")
    if trained and trained != model_class:
        raise UserError(f"checkpoint {path} is of {trained}, not of {model_class}")
    begun = content.get("loops", {}).get("fit_loop", {}).get("epoch_progress", {}).get("current", {}).get("ready", 0)
    if max_epochs is not None and 0 <= max_epochs < begun:
        raise UserError(
            f"checkpoint {path} is of epoch {begun}, and trainer.max_epochs is {max_epochs}: give --trainer.max_epochs "
            f"{begun + 1} or more to continue"
        )
    for name, value in hparams.items():
        if name in model_args and model_args[name] != value:
            print(
                f"note: the checkpoint was trained with {name}={value!r}, "
                f"this command builds {name}={model_args[name]!r}"
            )
    return content


def load(file: Path, checkpoint: Path) -> dict[str, Any]:
    """The contents of a file, without executing code from it.

    Raises:
        UserError: It is not a checkpoint file, or damaged; names ``checkpoint``.
    """
    if not file.is_file() or not zipfile.is_zipfile(file):
        raise UserError(
            f"checkpoint {checkpoint} is damaged or no checkpoint: use another one, such as best.ckpt or last.ckpt"
        )
    try:
        content = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds of exceptions for a damaged archive
        raise UserError(f"checkpoint {checkpoint} is damaged or foreign ({str(error).splitlines()[0][:80]})") from None
    return content if isinstance(content, dict) else {}


def is_sharded(path: Path) -> bool:
    """Whether a checkpoint is a folder with a file of each process (``callbacks/sharded.py``)."""
    return path.is_dir() and (path / "meta.pt").is_file()


def refuse_missing_parts(path: Path) -> None:
    """Looks whether a sharded checkpoint has all files that it names, each with all of its bytes.

    Raises:
        UserError: A file is missing or cut off, or the list of the files is damaged.
    """
    try:
        places = FileSystemReader(path).read_metadata().storage_data or {}
    except Exception as error:  # no such file, or something else in it
        raise UserError(f"checkpoint {path} is damaged ({str(error).splitlines()[0][:80]})") from None
    lost = sorted({p.relative_path for p in places.values() if not (path / p.relative_path).is_file()})
    if lost:
        raise UserError(f"checkpoint {path} has lost {', '.join(lost)}: each process wrote a file; all are needed")
    ends = {p.relative_path: 0 for p in places.values()}
    for p in places.values():
        ends[p.relative_path] = max(ends[p.relative_path], p.offset + p.length)
    if cut := sorted(name for name, end in ends.items() if (path / name).stat().st_size < end):
        raise UserError(f"checkpoint {path} is damaged: {', '.join(cut)} is cut off; copy it again, or use another one")


def read_checkpoint(path: Path) -> dict[str, Any]:
    """The contents of a checkpoint; of a sharded one, all weights without the optimizer's state.

    Raises:
        UserError: It is damaged.
    """
    if not is_sharded(path):
        return load(path, path)
    content = load(path / "meta.pt", path)
    refuse_missing_parts(path)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "whole.pt"
        try:
            dcp_to_torch_save(path, file)
        except Exception as error:
            raise UserError(f"checkpoint {path} is damaged ({str(error).splitlines()[0][:80]})") from None
        content["state_dict"] = load(file, path)["state_dict"]
    content["optimizer_states"] = []
    return content
