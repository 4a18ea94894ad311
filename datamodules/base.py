"""The base of all datamodules: a fast in-memory loader with its position in the epoch and its division among ranks.

Data that fits in memory is loaded once as compact tensors (uint8 images, int32 tokens) and batched by index, a whole
batch at a time: no Python per sample, no worker processes. Conversion to float and augmentation happen on the batch, on
the device (``transform`` and ``augment``). ``make bench`` measures the gain.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from lightning.pytorch import LightningDataModule
from torch import Tensor

from common.messages import UserError, note
from datamodules.data_digest import Split, refuse_other_data, remember, say_other_classes, say_other_data
from datamodules.reading import read_line, say_few_steps


class TensorLoader:
    """Batches of tensors by index. Shuffling is seeded, divided among ranks and resumable within an epoch.

    Args:
        tensors: Tensors with the same first dimension; a batch is a tuple of their rows.
        batch_size: Rows in one rank's batch. The last batch may be smaller.
        shuffle: A new order each epoch, the same on all ranks, for training. An epoch then takes
            ``n - n % world`` rows, so that all ranks have equal batches at every step and the mean of the ranks'
            gradients is the gradient of the whole batch; at most ``world - 1`` rows wait for the next epoch. Without
            it every row is visited once, by exactly one rank.
        seed: Seed of the order.
        rank, world: Number of this process, and the number of processes.
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
        self.one_order = False  # each epoch as the first: to overfit some batches on purpose
        self.batch = 0  # batches of this epoch that were handed out

    @property
    def sampler(self) -> "TensorLoader":
        """The loader itself: Lightning calls ``loader.sampler.set_epoch`` and looks for both names."""
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

    def generator(self) -> torch.Generator:
        """Draws the order of the epoch."""
        return torch.Generator().manual_seed((self.seed << 20) + (0 if self.one_order else self.epoch))

    def _order(self) -> Tensor:
        n = len(self.tensors[0])
        if not self.shuffle:
            return torch.arange(self.rank, n, self.world)
        return torch.randperm(n, generator=self.generator())[: n - n % self.world][self.rank :: self.world]

    def _batches(self) -> Sequence[Tensor]:
        """The rows of each batch of the epoch; ``len(self)`` of them."""
        return self._order().split(self.batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        batches = self._batches()
        start = self.batch if self.shuffle and self.batch < len(self) else 0
        for k in range(start, len(self)):
            self.batch = k + 1  # before the yield: code after the last one never runs, Lightning asks for len() items
            index = batches[k]
            rows = tuple(tensor.index_select(0, index) for tensor in self.tensors)  # a fifth of tensor[index]'s time
            yield tuple(row.pin_memory() for row in rows) if self.pin_memory else rows

    def state_dict(self) -> dict[str, int]:
        return {"epoch": self.epoch, "batch": self.batch, "batches": len(self), "rows": len(self.tensors[0])}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Continues at the saved position: Lightning calls it for a checkpoint from within an epoch.

        Raises:
            UserError: The epoch has another number of batches, or of rows, than the run's had.
        """
        if state.get("batches", len(self)) != len(self):
            raise UserError(
                f"the checkpoint is from within an epoch of {state['batches']} batches, now an epoch has {len(self)}: "
                "continue with the batch size and the number of processes of that run"
            )
        if state.get("rows", rows := len(self.tensors[0])) != rows:
            raise UserError(
                f"the checkpoint is from the middle of an epoch of {state['rows']} rows, now it has {rows}: go on with "
                "the data of then until the epoch ends"
            )
        self.epoch, self.batch = state["epoch"], state["batch"]


class TensorDataModule(LightningDataModule):
    """A datamodule whose splits are tensors in memory. A subclass supplies ``load`` and, where it needs them,
    ``transform`` and ``augment``.

    Sizes that a model must know (``num_classes``, ``in_channels``, ``image_size``, ``num_features``) are constructor
    arguments of the subclass and listed in its ``links``: the command line passes them to the model's arguments of
    the same name.

    Args:
        batch_size: Rows in one process's training batch.
        eval_batch_size: Rows in one process's evaluation batch; 0 means four times ``batch_size``.
    """

    #: Constructor arguments that the command line passes to the model's arguments of the same name.
    links: tuple[str, ...] = ()
    #: The name of each class, where the data has names; used in pictures and predictions.
    class_names: list[str] | None = None
    #: One name for each row of the predict split (a file's name, a row's number); written beside its prediction.
    predict_names: list[str] | None = None
    #: What a sample of x is made of and how, and what is still to be done to a prediction: for ``dive export``.
    input_means = output_means = ""
    #: The own file or folder of a person that is read; empty for a data set of the project. A subclass has a property.
    own_path = ""
    #: What a row is, in the plural, for the line of what was read.
    items = "rows"
    #: Optimizer steps below which a network has barely begun to learn a person's own data; 0: nothing is said.
    least_steps = 0

    def __init__(self, batch_size: int = 64, eval_batch_size: int = 0) -> None:
        super().__init__()
        for name, size in (("batch_size", batch_size), ("eval_batch_size", eval_batch_size)):
            if size < (1 if name == "batch_size" else 0):
                raise UserError(f"data.{name} is {size}: give a whole number of at least 1")
        self.batch_size = batch_size
        self.eval_batch_size = eval_batch_size or 4 * batch_size
        self.splits: dict[str, tuple[Tensor, ...]] = {}
        self.remembered: dict[str, Any] = {}  # of the splits, for a later resume
        self.of_run = False  # whether the class names are those of the run that trained the model
        self.stage = ""  # the verb that data was loaded for last
        self.facts: list[str] = []  # what ``load`` adds to the line of what was read
        self.said_steps = False

    # -- for the subclass -----------------------------------------------------------------------------------------

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        """The splits that ``stage`` needs, by name: train, val, test, predict, perhaps more. The target stands last."""
        raise NotImplementedError

    def counts(self) -> dict[str, int]:
        """The rows of each split that is loaded, in ``items``."""
        predicting = self.stage == "predict"
        sizes = {name: len(split[0]) for name, split in self.splits.items() if (name == "predict") == predicting}
        return {name: size for name, size in sizes.items() if size}

    def class_counts(self) -> dict[str, int]:
        """The rows of each class over all splits with a class; empty without classes."""
        labels = [tensors[-1] for name, tensors in self.splits.items() if name != "predict" and len(tensors) > 1]
        if (
            self.stage == "predict"
            or not self.class_names
            or not labels
            or any(y.ndim != 1 or y.is_floating_point() for y in labels)
        ):
            return {}
        return dict(
            zip(self.class_names, torch.cat(labels).bincount(minlength=len(self.class_names)).tolist(), strict=False)
        )

    def summary(self) -> str:
        """What was read of a person's own files, in one line: rows by split, classes, ``facts``."""
        return read_line(self.own_path, self.counts(), self.items, self.class_counts(), self.facts)

    def transform(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Transforms every batch on the device: conversion to float, normalization."""
        return batch

    def augment(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Augments training batches on the device, after ``transform``."""
        return batch

    def processor(self) -> dict[str, Any]:
        """Plain values that using the trained model needs besides its weights: saved as ``processor.json``."""
        return {"class_names": self.class_names} if self.class_names else {}

    def load_processor(self, processor: dict[str, Any]) -> None:
        """Takes back what ``processor`` returned in the run that trained the model."""
        names, own = processor.get("class_names"), self.class_names
        if names and own and names != own:
            say_other_classes(type(self).__name__, names, own)
        self.of_run, self.class_names = bool(names), names or own

    def content(self) -> Mapping[str, Split]:
        """What a run remembers of the splits (``datamodules/data_digest.py``); names of files that are not read yet."""
        return self.splits

    def state_dict(self) -> dict[str, Any]:
        """Saved with a checkpoint: what is remembered of the data."""
        if not self.remembered and self.splits:
            self.remembered = remember(self.content(), self.processor())
        return self.remembered

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Refuses to go on training on other data (``UserError``): order and place would not mean the same rows."""
        verb = self.trainer.state.fn if self.trainer is not None and "splits" in state_dict else None
        if verb == "fit":
            refuse_other_data(type(self).__name__, state_dict, self.content(), self.processor())
        elif verb == "test":
            say_other_data(type(self).__name__, state_dict, self.content(), "test")

    # -- Lightning ------------------------------------------------------------------------------------------------

    def setup(self, stage: str) -> None:
        needed = {"fit": ("train", "val"), "validate": ("val",), "test": ("test",), "predict": ("predict",)}[stage]
        if all(name in self.splits for name in needed):
            return
        names, self.facts, self.stage = self.class_names, [], stage
        self.splits.update(self.load(stage))
        self.remembered = {}
        if self.of_run and names != self.class_names:
            say_other_classes(type(self).__name__, names, self.class_names)
            self.class_names = names
        world = self._rank_and_world()[1]
        for name in needed:
            rows = len(self.splits[name][0])
            if rows == 0:
                raise UserError(f"the {name} split of {type(self).__name__} is empty: give it more data")
            if rows < world:
                raise UserError(f"the {name} split has {rows} rows for {world} processes: use at most {rows}")
        self._check_labels()
        if self.own_path and self.trainer is not None:  # else a tool loads it that says what it needs to say
            note(self.summary())

    def _check_labels(self) -> None:
        num_classes: int = getattr(self, "num_classes", 0)
        for name in ("train", "val", "test") if num_classes else ():
            y = self.splits[name][-1] if name in self.splits else None
            if y is None or y.ndim != 1 or not len(y):
                continue
            low, high = int(y.min()), int(y.max())
            if low < 0 or high >= num_classes:
                found = f"label {low if low < 0 else high} in the {name} split, but data.num_classes is {num_classes}"
                raise UserError(f"{found}: labels must be 0 to {num_classes - 1}")

    def _rank_and_world(self) -> tuple[int, int]:
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)

    def _loader(self, split: str, shuffle: bool = False) -> TensorLoader:
        rank, world = self._rank_and_world()
        cuda = self.trainer is not None and self.trainer.strategy.root_device.type == "cuda"
        size = self.batch_size if shuffle else self.eval_batch_size
        return TensorLoader(self.splits[split], size, shuffle, global_seed(), rank, world, pin_memory=cuda)

    def train_dataloader(self) -> TensorLoader:
        return self.for_training(self._loader("train", shuffle=True))

    def for_training(self, loader: TensorLoader) -> TensorLoader:
        """The same rows each epoch under ``--trainer.overfit_batches``, in a new order without it."""
        loader.one_order = bool(getattr(self.trainer, "overfit_batches", 0))
        if self.trainer is not None and self.own_path and not self.said_steps and not loader.one_order:
            self.said_steps = True
            say_few_steps(self.trainer, len(loader), self.least_steps, self.batch_size)
        return loader

    def val_dataloader(self) -> TensorLoader:
        return self._loader("val")

    def test_dataloader(self) -> TensorLoader:
        return self._loader("test")

    def predict_dataloader(self) -> TensorLoader:
        return self._loader("predict")

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        batch = self.transform(batch)
        if self.trainer is None:
            return batch
        batch = self.augment(batch) if self.trainer.training else batch
        return self.trainer.precision_plugin.convert_input(batch)  # 64-true, bf16-true: to the type of the model


def global_seed() -> int:
    """The seed given to ``seed_everything``, 0 without one."""
    return int(os.environ.get("PL_GLOBAL_SEED", 0))
