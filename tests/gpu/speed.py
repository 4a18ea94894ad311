"""Rows per second, memory and model FLOP utilization on a GPU: ours through Lightning beside the bare loop."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.flop_counter import FlopCounterMode

from lit_models.attention.gpt import LitGPT
from lit_models.attention.transformer import LitTransformer
from lit_models.cnn.resnet import LitResNet
from tests.small import small_trainer

ADAM = partial(torch.optim.AdamW, lr=1e-4, fused=True)
WARMUP, STEPS = 10, 40
PEAK = {"H100": 989e12, "H200": 989e12, "A100": 312e12}  # dense bfloat16 operations a second, from the data sheets


@dataclass(frozen=True)
class Case:
    """A model and a batch on the CPU."""

    model: Callable[[], Any]
    batch: Callable[[], tuple[Tensor, ...]]


def tokens(rows: int, length: int, vocab_size: int) -> Tensor:
    return torch.randint(3, vocab_size, (rows, length))


GPT2: dict[str, Any] = {"vocab_size": 50257, "seq_len": 1024, "hidden_size": 768, "num_layers": 12, "num_heads": 12}
BASE: dict[str, Any] = {"hidden_size": 512, "num_layers": 6, "num_heads": 8, "ffn_size": 2048, "max_length": 64}
CASES = {
    "ResNet-50": Case(
        lambda: LitResNet(in_channels=3, num_classes=1000, image_size=224, depth=50, stem="imagenet", optimizer=ADAM),
        lambda: (torch.rand(128, 3, 224, 224), torch.randint(0, 1000, (128,))),
    ),
    "GPT (124 million)": Case(
        lambda: LitGPT(**GPT2, optimizer=ADAM),
        lambda: (tokens(8, 1024, 50257), tokens(8, 1024, 50257)),
    ),
    "transformer": Case(
        lambda: LitTransformer(source_vocab_size=8192, target_vocab_size=8192, **BASE, optimizer=ADAM),
        lambda: (tokens(64, 64, 8192), torch.full((64,), 64), tokens(64, 64, 8192), tokens(64, 64, 8192)),
    ),
}


def measure(name: str) -> dict[str, Any]:
    """Rows per second of both loops in bfloat16, the peak memory, and the fraction of the GPU's operations."""
    case = CASES[name]
    batch = tuple(t.cuda() for t in case.batch())
    torch.cuda.reset_peak_memory_stats()
    bare = bare_rate(case, batch)
    ours = our_rate(case, batch)
    memory = torch.cuda.max_memory_allocated() / 2**30  # before the count of operations, which is in single precision
    card = torch.cuda.get_device_name()
    peak = next((value for mark, value in PEAK.items() if mark in card), float("nan"))
    per_row = operations(case, batch) / len(batch[0])
    row = {"model": name, "card": card, "ours": ours, "bare": bare, "peak_gib": memory}
    return row | {"utilization": ours * per_row / peak}


def operations(case: Case, batch: tuple[Tensor, ...]) -> float:
    """Floating-point operations of a step: those of the forward pass, counted, three times."""
    model = case.model().cuda()
    counter = FlopCounterMode(display=False)
    with counter:
        model(*batch[:-1])
    return 3.0 * counter.get_total_flops()


def bare_rate(case: Case, batch: tuple[Tensor, ...]) -> float:
    """The shortest loop that makes the same steps."""
    model = case.model().cuda()
    model.record_train_loss = lambda loss, count: None
    optimizer = ADAM(model.parameters())
    for step in range(WARMUP + STEPS):
        if step == WARMUP:
            torch.cuda.synchronize()
            begin = time.perf_counter()
        with torch.autocast("cuda", torch.bfloat16):
            loss = model.training_step(batch, step)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    torch.cuda.synchronize()
    return STEPS * len(batch[0]) / (time.perf_counter() - begin)


class Timed(torch.nn.Module):
    """A clock between two steps of a Lightning run."""

    def __init__(self) -> None:
        super().__init__()
        self.begin = self.end = 0.0

    def __call__(self, step: int) -> None:
        if step in (WARMUP, WARMUP + STEPS):
            torch.cuda.synchronize()
            self.begin, self.end = self.end, time.perf_counter()


def our_rate(case: Case, batch: tuple[Tensor, ...]) -> float:
    """The same by Lightning's trainer."""
    model, clock = case.model(), Timed()
    plain = model.on_train_batch_end
    model.on_train_batch_end = lambda *args: (plain(*args), clock(model.global_step))
    with TemporaryDirectory() as folder:
        settings = {"accelerator": "gpu", "devices": 1, "precision": "bf16-mixed", "max_epochs": 1}
        trainer = small_trainer(Path(folder), **settings, log_every_n_steps=1000)
        trainer.fit(model, DataLoader([batch] * (WARMUP + STEPS), batch_size=None))  # type: ignore[arg-type]
    return STEPS * len(batch[0]) / (clock.end - clock.begin)
