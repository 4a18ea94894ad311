"""Looks into a checkpoint before anything is built for it."""

import zipfile
from pathlib import Path
from typing import Any

import torch

from scripts.mistakes import Mistake


def check_checkpoint(path: Path, model_class: str, model_args: dict[str, Any]) -> dict[str, Any]:
    """Refuses a checkpoint that is damaged, foreign or of another model; returns its contents.

    Args:
        path: An existing file.
        model_class: Import path of the model that the command builds.
        model_args: Arguments that it is built with; prints those that differ from the checkpoint's.

    Raises:
        Mistake: Says what is wrong in one line.
    """
    if not zipfile.is_zipfile(path):
        raise Mistake(f"checkpoint {path} is damaged or no checkpoint: use another one, such as best.ckpt or last.ckpt")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises a dozen kinds for a damaged archive
        raise Mistake(f"checkpoint {path} is damaged or foreign ({str(error).splitlines()[0][:80]})") from None
    if not isinstance(content, dict) or "state_dict" not in content or "pytorch-lightning_version" not in content:
        raise Mistake(f"checkpoint {path} was not written by Lightning: it has no state_dict and version")
    hparams = content.get("hyper_parameters", {})
    trained = hparams.get("_class_path")
    if trained and trained != model_class:
        raise Mistake(f"checkpoint {path} is of {trained}, not of {model_class}")
    for name, value in hparams.items():
        if name in model_args and model_args[name] != value:
            print(
                f"note: the checkpoint was trained with {name}={value!r}, "
                f"this command builds {name}={model_args[name]!r}"
            )
    return content
