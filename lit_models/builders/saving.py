"""Saving and loading tensors and networks, with files that cannot execute code. D2L 6.6.

A file of ``torch.save`` is a pickle, which may execute anything when it is read; ``weights_only=True``, the default
since torch 2.6 and stated here explicitly, reads only tensors and plain containers. A network is saved as its
``state_dict``: its class is code, and code belongs into a file of its own.
"""

import os
import pickle
from pathlib import Path
from typing import Any

import torch
from torch import nn

from common.messages import UserError


def save(value: Any, path: Path | str) -> None:
    """Writes tensors in plain containers (or a module's ``state_dict``) whole or not at all."""
    path = Path(path)
    partial = path.with_name(path.name + ".part")
    torch.save(value.state_dict() if isinstance(value, nn.Module) else value, partial)
    os.replace(partial, path)  # a run that is killed here leaves the old file


def load(path: Path | str) -> Any:
    """The contents of a file of ``save``, on the CPU, whatever their device was.

    Raises:
        UserError: There is no such file, it is damaged, or it holds more than tensors and plain containers.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise UserError(f"no file {path}") from None
    except pickle.UnpicklingError:
        raise UserError(f"{path} holds more than tensors, and reading it could run code: not loaded") from None
    except (RuntimeError, EOFError, OSError) as error:
        raise UserError(f"{path} is damaged ({type(error).__name__}): save it again") from None


def load_into(module: nn.Module, path: Path | str) -> nn.Module:
    """Gives a module the parameters and buffers in a file; every name and shape must fit. Returns the module.

    Raises:
        UserError: See ``load``, or the file belongs to another network.
    """
    try:
        module.load_state_dict(load(path))
    except (RuntimeError, TypeError, AttributeError) as error:
        reason = " ".join(str(error).split("\n")[1:2]).strip() or "it is no state_dict"
        raise UserError(f"{path} does not fit {type(module).__name__}: {reason}") from None
    return module
