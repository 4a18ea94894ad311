"""What every datamodule shares: the fast in-memory loader, its place in the epoch, its division among ranks.

Data that fits in memory is loaded once as compact tensors (uint8 images, int32 tokens) and batched by index, a whole
batch at a time: no Python per sample, no worker processes. Conversion to float and augmentation happen on the batch, on
the device (``transform`` and ``augment``). ``make bench`` measures what that is worth.
"""

import os
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from lightning.pytorch import LightningDataModule
from torch import Tensor

from common.messages import UserError


class TensorLoader:
    """Batches of tensors by index. Shuffling is seeded, divided among ranks and resumable in the middle of an epoch.

    Args:
        tensors: Tensors with the same first dimension; a batch is a tuple of their rows.
        batch_size: Rows in one rank's batch. The last batch may be smaller.
        shuffle: A new order each epoch, the same on all ranks: the training form. An epoch then takes
            ``n - n % world`` rows, so that all ranks have equal batches at every step and the mean of the ranks'
            gradients is the gradient of the whole batch; at most ``world - 1`` rows wait for the next epoch. Without
            it every row is visited once, by exactly one rank.
        seed: Seed of the order.
        rank, world: This process and the number of processes.
        pin_memory: Copy each batch to page-locked memory, from which a GPU reads without waiting.
    """

    def __init__(
        self,
        tensors: Sequence[Tensor],
        batch_size: int,
        shuffle: bool = False,
        seed: int = 0,
        rank: int = 0,
        world: int = 1,
        pin_memory: bool = False,
    ) -> None:
        self.tensors = tuple(tensors)
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.seed = seed
        self.rank, self.world = rank, world
        self.pin_memory = pin_memory
        self.epoch = 0
        self.batch = 0  # batches of this epoch that were handed out

    @property
    def sampler(self) -> "TensorLoader":
        """Lightning calls ``loader.sampler.set_epoch`` and looks for both names."""
        return self  # a property: an attribute would be a cycle, which keeps tensors and workers until collected

    batch_sampler = sampler

    def __len__(self) -> int:
        n = len(self.tensors[0])
        rows = n // self.world if self.shuffle else len(range(self.rank, n, self.world))
        return -(-rows // self.batch_size)

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning at the start of each epoch; the epoch decides the order."""
        if epoch != self.epoch:
            self.epoch, self.batch = epoch, 0

    def _order(self) -> Tensor:
        n = len(self.tensors[0])
        if not self.shuffle:
            return torch.arange(self.rank, n, self.world)
        generator = torch.Generator().manual_seed((self.seed << 20) + self.epoch)
        return torch.randperm(n, generator=generator)[: n - n % self.world][self.rank :: self.world]

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        order = self._order()
        start = self.batch if self.shuffle and self.batch < len(self) else 0
        for k in range(start, len(self)):
            self.batch = k + 1  # before the yield: code after the last one never runs, Lightning asks for len() items
            index = order[k * self.batch_size : (k + 1) * self.batch_size]
            rows = tuple(tensor.index_select(0, index) for tensor in self.tensors)  # a fifth of tensor[index]'s time
            yield tuple(row.pin_memory() for row in rows) if self.pin_memory else rows

    def state_dict(self) -> dict[str, int]:
        return {"epoch": self.epoch, "batch": self.batch, "batches": len(self)}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Goes on at the saved place: Lightning calls it for a checkpoint out of the middle of an epoch.

        Raises:
            UserError: The epoch has another number of batches than the run's had.
        """
        if state.get("batches", len(self)) != len(self):
            raise UserError(
                f"the checkpoint is from the middle of an epoch of {state['batches']} batches, now an epoch has "
                f"{len(self)}: go on with the batch size and the number of processes of then"
            )
        self.epoch, self.batch = state["epoch"], state["batch"]


class TensorDataModule(LightningDataModule):
    """A datamodule whose splits are tensors in memory. A subclass supplies ``load`` and, where it needs them,
    ``transform`` and ``augment``.

    Sizes that a model must know (``num_classes``, ``in_channels``, ``image_size``, ``num_features``) are constructor
    arguments of the subclass and stand in its ``links``: the command line gives them to the model's arguments of the
    same name.

    Args:
        batch_size: Rows in one process's training batch.
        eval_batch_size: Rows in one process's evaluation batch; 0 means four times ``batch_size``.
    """

    #: Constructor arguments that a model takes over by name; a subclass states its own.
    links: tuple[str, ...] = ()
    #: What a class index means, where the data says so; used in pictures and predictions.
    class_names: list[str] | None = None
    #: One name for each row of the predict split (a file's name, a row's number); written beside its prediction.
    predict_names: list[str] | None = None
    #: What a sample of x is made of and how, and what is still to be done to a prediction: for ``dive export``.
    input_means = output_means = ""

    def __init__(self, batch_size: int = 64, eval_batch_size: int = 0) -> None:
        super().__init__()
        for name, size in (("batch_size", batch_size), ("eval_batch_size", eval_batch_size)):
            if size < (1 if name == "batch_size" else 0):
                raise UserError(f"data.{name} is {size}: give a whole number of at least 1")
        self.batch_size = batch_size
        self.eval_batch_size = eval_batch_size or 4 * batch_size
        self.splits: dict[str, tuple[Tensor, ...]] = {}

    # -- for the subclass -----------------------------------------------------------------------------------------

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        """Returns the splits that ``stage`` (fit, validate, test, predict) needs, each under its own name: ``train``,
        ``val``, ``test`` or ``predict``; more are welcome and kept. The last tensor of each but predict is the target.
        """
        raise NotImplementedError

    def transform(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """What every batch goes through, on the device: conversion to float, normalisation."""
        return batch

    def augment(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """What training batches alone go through, after ``transform``, on the device."""
        return batch

    def processor(self) -> dict[str, Any]:
        """Plain values that using the trained model needs besides its weights: saved as ``processor.json``."""
        return {"class_names": self.class_names} if self.class_names else {}

    def load_processor(self, processor: dict[str, Any]) -> None:
        """Takes back what ``processor`` returned in the run that trained the model."""
        self.class_names = processor.get("class_names", self.class_names)

    def state_dict(self) -> dict[str, Any]:
        """Saved with a checkpoint: how many rows each split has."""
        return {"rows": {name: len(tensors[0]) for name, tensors in self.splits.items()}}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Refuses to go on training on other data: neither order nor place in the epoch would mean the same rows.

        Raises:
            UserError: A split has another number of rows than when the checkpoint was saved.
        """
        if self.trainer is None or self.trainer.state.fn != "fit":
            return
        for name, rows in state_dict.get("rows", {}).items():
            now = len(self.splits[name][0]) if name in self.splits and name in ("train", "val") else rows
            if now != rows:
                raise UserError(
                    f"the {name} split of {type(self).__name__} has {now} rows, the run began with {rows}: "
                    "the data changed. Bring back the data of then, or start a new run"
                )

    # -- Lightning ------------------------------------------------------------------------------------------------

    def setup(self, stage: str) -> None:
        needed = {"fit": ("train", "val"), "validate": ("val",), "test": ("test",), "predict": ("predict",)}[stage]
        if all(name in self.splits for name in needed):
            return
        self.splits.update(self.load(stage))
        world = self._rank_and_world()[1]
        for name in needed:
            rows = len(self.splits[name][0])
            if rows == 0:
                raise UserError(f"the {name} split of {type(self).__name__} is empty: give it more data")
            if rows < world:
                raise UserError(f"the {name} split has {rows} rows for {world} processes: use at most {rows}")
        self._check_labels()

    def _check_labels(self) -> None:
        num_classes: int = getattr(self, "num_classes", 0)
        for name in ("train", "val", "test") if num_classes else ():
            y = self.splits[name][-1] if name in self.splits else None
            if y is None or y.ndim != 1 or len(y) == 0:
                continue
            low, high = int(y.min()), int(y.max())
            if low < 0 or high >= num_classes:
                bad = low if low < 0 else high
                raise UserError(
                    f"label {bad} in the {name} split, but data.num_classes is {num_classes}: "
                    f"labels must be 0 to {num_classes - 1}"
                )

    def _rank_and_world(self) -> tuple[int, int]:
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)

    def _loader(self, split: str, shuffle: bool = False) -> TensorLoader:
        rank, world = self._rank_and_world()
        cuda = self.trainer is not None and self.trainer.strategy.root_device.type == "cuda"
        size = self.batch_size if shuffle else self.eval_batch_size
        return TensorLoader(self.splits[split], size, shuffle, global_seed(), rank, world, pin_memory=cuda)

    def train_dataloader(self) -> TensorLoader:
        return self._loader("train", shuffle=True)

    def val_dataloader(self) -> TensorLoader:
        return self._loader("val")

    def test_dataloader(self) -> TensorLoader:
        return self._loader("test")

    def predict_dataloader(self) -> TensorLoader:
        return self._loader("predict")

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        batch = self.transform(batch)
        return self.augment(batch) if self.trainer is not None and self.trainer.training else batch


def global_seed() -> int:
    """The seed given to ``seed_everything``, 0 without one."""
    return int(os.environ.get("PL_GLOBAL_SEED", 0))


def split_indices(y: Tensor, sizes: Sequence[int], seed: int = 0, stratify: bool = True) -> tuple[Tensor, ...]:
    """Disjoint random row numbers for splits of the given sizes, with the same share of every class in each.

    Args:
        y: Labels (N,), or anything of length N where ``stratify`` is False.
        sizes: Rows of each split; the first split takes what is left when its size is 0.
        seed: The split is fixed by it and does not depend on the global seed.
    """
    from sklearn.model_selection import train_test_split

    rest, parts = torch.arange(len(y)), []
    for size in reversed(list(sizes)[1:]):
        keep, part = train_test_split(
            rest.numpy(), test_size=size, random_state=seed, stratify=y[rest].numpy() if stratify else None
        )
        rest = torch.from_numpy(keep)
        parts.append(torch.from_numpy(part))
    first = rest[: sizes[0]] if sizes[0] else rest
    return (first, *reversed(parts))


def split_shares(y: Tensor, val_share: float, test_share: float, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Row numbers of train, val and test, sorted: the shares of every class, at least one row where a share is not 0.

    For a person's own data, where a class may have three rows. The caller refuses classes with fewer rows than splits.

    Args:
        y: Labels (N,); all zeros where there are no classes.
        val_share, test_share: Between 0 and 1.
        seed: The split is fixed by it and does not depend on the global seed.
    """
    generator = torch.Generator().manual_seed(seed)
    parts: tuple[list[Tensor], ...] = ([], [], [])
    for label in y.unique():
        rows = (y == label).nonzero().flatten()
        rows = rows[torch.randperm(len(rows), generator=generator)]
        val, test = (max(1, round(share * len(rows))) if share else 0 for share in (val_share, test_share))
        while val + test >= len(rows) and max(val, test) > 1:  # rounding may take all of a small class
            val, test = (val - 1, test) if val >= test else (val, test - 1)
        for part, piece in zip(parts, rows.split([len(rows) - val - test, val, test]), strict=True):
            part.append(piece)
    train, held, tested = (torch.cat(part).sort().values for part in parts)
    return train, held, tested


def data_root() -> str:
    """Where public data sets are kept: ``$DIVE_DATA``, by default ``~/.cache/dive``."""
    return os.environ.get("DIVE_DATA") or os.path.join(os.path.expanduser("~"), ".cache", "dive")
