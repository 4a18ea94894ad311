"""Trains a network divided by tensor or pipeline parallelism, in double precision, and the same in one process."""

from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from callbacks.sharded import Sharded
from datamodules.base import TensorDataModule
from lit_models.attention.gpt import LitGPT
from lit_models.attention.transformer import LitTransformer
from lit_models.cnn.lenet import LitLeNet
from lit_models.parallel.pipeline import Pipeline
from lit_models.parallel.tensor_parallel import TensorParallel
from tests.small import small_trainer

ADAM = partial(torch.optim.AdamW, lr=0.01, fused=True)
STRATEGIES: dict[str, Any] = {
    "tensor": TensorParallel,
    "pipeline": Pipeline,
    "gpipe": partial(Pipeline, schedule="GPipe"),
    "sharded": Sharded,
}


class Rows(TensorDataModule):
    """Fixed rows: 40 of training, of which the last batch is smaller, and 7 of validation."""

    def __init__(self, tensors: tuple[Tensor, ...], batch_size: int) -> None:
        super().__init__(batch_size=batch_size, eval_batch_size=3)
        self.tensors = tensors

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        short = tuple(t[:7] for t in self.tensors)
        return {"train": self.tensors, "val": short, "test": short}


def tokens(*shape: int) -> Tensor:
    return torch.randint(3, 11, shape, generator=torch.Generator().manual_seed(len(shape) + shape[-1]))


def gpt(**more: Any) -> tuple[Any, tuple[Tensor, ...]]:
    sizes: Any = {"vocab_size": 11, "seq_len": 6, "hidden_size": 16, "num_heads": 4, "num_layers": 2, "dropout": 0.0}
    text = tokens(40, 7)
    return LitGPT(**(sizes | more), optimizer=ADAM, decay_biases=False), (text[:, :-1], text[:, 1:])


def transformer() -> tuple[Any, tuple[Tensor, ...]]:
    sizes: Any = {"hidden_size": 16, "num_heads": 4, "num_layers": 2, "ffn_size": 12, "dropout": 0.0, "max_length": 6}
    model = LitTransformer(source_vocab_size=11, target_vocab_size=11, **sizes, optimizer=ADAM)
    target = tokens(40, 7)
    return model, (tokens(40, 6), torch.full((40,), 6), target[:, :-1], target[:, 1:])


def lenet() -> tuple[Any, tuple[Tensor, ...]]:
    images = torch.rand(40, 1, 28, 28, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return LitLeNet(activation="relu", optimizer=ADAM), (images, torch.arange(40) % 10)


MODELS: dict[str, Any] = {
    "gpt": gpt,
    "gpt untied": partial(gpt, tied=False),
    "llama": partial(gpt, variant="llama", num_kv_heads=2),
    "gpt with dropout": partial(gpt, dropout=0.3),
    "transformer": transformer,
    "lenet": lenet,
}


def train(folder: Path, name: str, kind: str, world: int, epochs: int = 2, resume: str = "", **trainer: Any) -> None:
    """One process of a run; writes ``last.ckpt`` and the metrics."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model, rows = MODELS[name]()
    data = Rows(rows, 12 // world)
    strategy = STRATEGIES[kind]() if world > 1 else "auto"
    settings = {"devices": world, "strategy": strategy, "use_distributed_sampler": False, "max_epochs": epochs}
    made = small_trainer(folder, **settings, **trainer)
    made.fit(model.double(), datamodule=data, ckpt_path=resume or None)
    made.save_checkpoint(folder / "last.ckpt")
    own = sum((p.to_local() if hasattr(p, "to_local") else p).numel() for p in model.parameters())
    torch.save(own, folder / f"own{made.global_rank}.pt")
    metrics = made.test(model, datamodule=data, verbose=False)[0]
    if made.is_global_zero:
        torch.save({k: float(v) for k, v in {**made.callback_metrics, **metrics}.items()}, folder / "metrics.pt")
