"""What a run remembers of its data, to notice at ``--resume`` that it changed: small, and saved with each checkpoint.

Whole numbers (pixels, tokens, classes) must be the same to the last: SHA-256 of their bytes. Real numbers that were
standardized come out a last digit apart on another processor: of them four sums are kept and compared with a tolerance.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from common.messages import UserError, note

TOLERANCE = 1e-6  # of the sum of the absolute values
GOLDEN = 0.6180339887498949  # gives each place its own weight
PIECE = 2**20  # real numbers that are summed at once
Split = Sequence[Tensor | Sequence[str]]


def digest_split(split: Split) -> dict[str, Any]:
    """The number of rows of a split, and a digest of each of its tensors (or lists of names)."""
    return {"rows": len(split[0]), "digests": [digest(part) for part in split]}


def digest(part: Tensor | Sequence[str]) -> str | list[float]:
    """SHA-256 of whole numbers or of texts; of real numbers the sums of x, |x|, x^2, and of x with a weight a place."""
    if not isinstance(part, Tensor):
        return hashlib.sha256("\0".join(part).encode()).hexdigest()
    if part.is_floating_point():
        sums = torch.zeros(4, dtype=torch.float64)
        for start, piece in enumerate(part.detach().flatten().split(PIECE)):  # as float64 all of it is twice as large
            x = piece.double().nan_to_num()
            place = torch.arange(len(x), dtype=torch.float64).add_(start * PIECE)
            sums += torch.stack([x.sum(), x.abs().sum(), x.square().sum(), x @ place.mul_(GOLDEN).frac_()])
        return [float(one) for one in sums]
    content = hashlib.sha256(f"{part.dtype} {tuple(part.shape[1:])}".encode())
    content.update(part.detach().contiguous().flatten().view(torch.uint8).numpy().data)
    return content.hexdigest()


def digest_processor(processor: Mapping[str, Any]) -> str:
    """SHA-256 of class names, vocabulary and the like, without its real numbers, which the data's own sums cover."""

    def whole(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {str(key): whole(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [whole(item) for item in value]
        return None if isinstance(value, float) else value

    return hashlib.sha256(json.dumps(whole(processor), sort_keys=True, default=str).encode()).hexdigest()


def same(then: Sequence[Any], now: Sequence[Any]) -> bool:
    """Whether the digests of two splits are of the same rows."""
    return len(then) == len(now) and all(map(same_part, then, now))


def same_part(then: Any, now: Any) -> bool:
    if isinstance(then, str) or isinstance(now, str):
        return bool(then == now)
    room = TOLERANCE * max(then[1], now[1], 1e-12)
    square = 2 * TOLERANCE * max(then[2], now[2], 1e-12)
    return all(abs(a - b) <= (square if k == 2 else room) for k, (a, b) in enumerate(zip(then, now, strict=True)))


def remember(splits: Mapping[str, Split], processor: Mapping[str, Any]) -> dict[str, Any]:
    """What a checkpoint keeps of the data: a digest of each split but predict, and of ``processor()``."""
    kept = {name: digest_split(split) for name, split in splits.items() if name != "predict"}
    return {"splits": kept, "processor": digest_processor(processor)}


def refuse_other_data(
    name: str, then: Mapping[str, Any], splits: Mapping[str, Split], processor: Mapping[str, Any]
) -> None:
    """Refuses to go on with other data than a run's; more training rows behind the same ones are said and used.

    Args:
        name: The datamodule's, for messages.
        then: What the run remembers: the result of ``remember``.
        splits, processor: The data now.

    Raises:
        UserError: The training or the validation rows, the classes or the vocabulary are others.
    """
    remedy = "Bring back the data of then, or start a new run"
    more = ""
    for split in [split for split in ("train", "val") if split in then["splits"] and split in splits]:
        before, now = then["splits"][split], digest_split(splits[split])
        if same(before["digests"], now["digests"]) and before["rows"] == now["rows"]:
            continue
        if now["rows"] == before["rows"]:
            raise UserError(
                f"the {split} split of {name} has as many rows as when the run began ({now['rows']}), but others: the "
                f"data changed. {remedy}"
            )
        first = [part[: before["rows"]] for part in splits[split]]
        if (
            split == "val"
            or now["rows"] < before["rows"]
            or not same(before["digests"], digest_split(first)["digests"])
        ):
            raise UserError(
                f"the {split} split of {name} has {now['rows']} rows, the run began with {before['rows']}: "
                f"the data changed. {remedy}"
            )
        more = (
            f"the train split of {name} has {now['rows'] - before['rows']} rows more than the {before['rows']} of "
            "then: they are learned from here on"
        )
    if digest_processor(processor) != then["processor"]:
        raise UserError(
            f"the classes, the vocabulary or the columns of {name} are not those that the run began with: the data "
            f"changed. {remedy}"
        )
    if more:
        note(more)


def say_other_data(name: str, then: Mapping[str, Any], splits: Mapping[str, Split], split: str) -> None:
    """Says that a split is not the one of the run, where the run had it."""
    if split not in then["splits"] or split not in splits:
        return
    before, now = then["splits"][split], digest_split(splits[split])
    if not same(before["digests"], now["digests"]):
        note(f"the {split} split of {name}, {now['rows']} rows, is not that of the run, {before['rows']} rows")


def say_other_classes(name: str, run: Sequence[str] | None, own: Sequence[str] | None) -> None:
    """Says that data calls its classes otherwise than the run that trained the model."""
    note(f"the classes are called as in the run, {run}, and not as {name} calls them, {own}")
