"""One batch of a recipe in two processes and in one: the gradients. ``pair.py`` runs it for ``test_recipes.py``.

Both processes build the recipe as ``dive fit`` builds it. What draws numbers is switched off (dropout, augmentation),
since each process draws its own; batch normalization uses its running statistics, since each process has its own
batch's (the difference is measured in ``test_batch_norm.py``).
"""

import os
import tempfile
from copy import deepcopy
from typing import Any

import torch
from lightning.pytorch import Callback, LightningDataModule, LightningModule, Trainer
from lightning.pytorch.strategies import DDPStrategy
from lightning_utilities.core.apply_func import apply_to_collection
from torch import Tensor

from scripts.front.build import build
from scripts.front.recipes import find_recipe
from tests.recipes import deterministic

TOLERANCE = 1e-10  # relative to the largest gradient, in double precision
#: Tasks that compute their loss in single precision, or weigh their batches in it, whatever the weights.
SINGLE = ("LanguageModel", "Seq2Seq", "Transcriber")
SINGLE_TOLERANCE = 1e-6


class Gradients(Callback):
    """Keeps a copy of the gradients before each step of an optimizer."""

    def __init__(self) -> None:
        self.steps: list[Tensor] = []

    def on_before_optimizer_step(self, trainer: Any, pl_module: LightningModule, optimizer: Any) -> None:
        grads = [p.grad if p.grad is not None else torch.zeros_like(p) for p in pl_module.parameters()]
        self.steps.append(torch.cat([g.detach().flatten().clone() for g in grads]))


def gradients(model: LightningModule, data: LightningDataModule, world: int, rows: int) -> list[Tensor]:
    """The gradients (P,) of each optimizer's first step on the first batch, averaged over the processes."""
    keep = Gradients()
    data.batch_size = rows // world  # type: ignore[attr-defined]
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(
            default_root_dir=folder,
            accelerator="cpu",
            devices=world,
            strategy=DDPStrategy(process_group_backend="gloo", find_unused_parameters=True) if world > 1 else "auto",
            precision="64-true",
            max_epochs=1,
            limit_train_batches=1,
            limit_val_batches=0,
            use_distributed_sampler=False,
            num_sanity_val_steps=0,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            callbacks=[keep],
        )
        trainer.fit(model, datamodule=data)
    return keep.steps


def without_chance(model: LightningModule, data: LightningDataModule) -> None:
    """Switches off what draws random numbers or depends on which rows share a process."""
    for module in model.modules():
        for name in ("p", "dropout"):  # nn.Dropout and those by hand; nn.LSTM, nn.MultiheadAttention, F.dropout's users
            if isinstance(vars(module).get(name), float):
                setattr(module, name, 0.0)
        if "BatchNorm" in type(module).__name__:
            module.eval()
            module.train = lambda mode=True, module=module: module  # type: ignore[method-assign,misc]
    if hasattr(data, "augment"):
        data.augment = lambda batch: batch
    transfer = data.on_after_batch_transfer

    def exact(batch: Any, dataloader_idx: int) -> Any:
        return apply_to_collection(transfer(batch, dataloader_idx), Tensor, to_double)

    data.on_after_batch_transfer = exact  # type: ignore[method-assign]


def to_double(x: Tensor) -> Tensor:
    return x.double() if x.is_floating_point() else x


def compare(name: str, words: list[str], rank: int, port: int) -> None:
    """One process's part; the first of them raises where the gradients of the two ways differ."""
    _, model, data = build([name, *deterministic(find_recipe(name)), *words])
    assert data is not None
    rows: int = data.batch_size  # type: ignore[attr-defined]  # of the global batch
    data.prepare_data()
    data.setup("fit")
    without_chance(model, data)
    single = gradients(deepcopy(model), data, 1, rows) if rank == 0 else []
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "NODE_RANK": "0", "WORLD_SIZE": "2"}
    os.environ["LOCAL_RANK"] = str(rank)
    try:
        together = gradients(model, data, 2, rows)
    finally:
        del os.environ["LOCAL_RANK"]  # the next recipe begins with one process
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()
    if rank:
        return
    assert single and together, "no optimizer made a step"
    tolerance = SINGLE_TOLERANCE if {base.__name__ for base in type(model).__mro__} & set(SINGLE) else TOLERANCE
    same_steps = len(single) == len(together)  # a line search (L-BFGS) may take another number of them
    for one, two in zip(single[: None if same_steps else 1], together, strict=same_steps):
        largest = float(one.abs().max())
        assert largest > 0, "no gradient"
        difference = float((one - two).abs().max()) / largest
        assert difference < tolerance, f"gradients differ by {difference:.1e} of the largest"
