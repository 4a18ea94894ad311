"""Eager against ``torch.compile``: what compiling takes, what a step gains, after how many steps it is paid. D2L 13.1.

Two models with the same weights take turns on the same batch, each its own forward pass, backward pass and optimizer
step. Compiling is the first step of the compiled one less an ordinary step; the compiler's cache is new, as on the
first day, and the first network's time includes starting the compiler. Their first losses must agree, or nothing is
compared. On a CPU inductor needs a C++ compiler.
"""

import shutil
import time
from statistics import median
from typing import Any

import torch
from torch import Tensor
from torch._inductor.utils import fresh_cache

from scripts.evidence.studies.work import Row, Setting, Training, optimizer_of, training

#: Networks without dropout in training, whose random numbers the compiled network would draw otherwise.
RECIPES = {
    "mlp/mlp": ["--model.dropout", "0"],
    "cnn/lenet": [],
    "cnn/resnet": [],
    "attention/gpt": ["--model.dropout", "0"],
}
SMALL = ["mlp/mlp", "cnn/lenet"]


def compiler() -> str | None:
    """Why nothing can be compiled here; None if it can."""
    if torch.cuda.is_available() or any(shutil.which(name) for name in ("g++", "c++", "clang++")):
        return None
    return "no C++ compiler (g++, clang++): inductor cannot compile for the CPU"


def timed(work: Training, steps: int) -> float:
    """Seconds of a step, the median of some."""
    times = []
    for _ in range(steps):
        begin = time.perf_counter()
        work.step()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        times.append(time.perf_counter() - begin)
    return median(times)


def on_this_device(work: Training) -> Training:
    if not torch.cuda.is_available():
        return work
    work.model.cuda()
    batch = tuple(t.cuda() for t in work.batch)
    return Training(work.recipe, work.model, batch, optimizer_of(work.model))


def same(recipe: str, eager: Tensor, made: Tensor) -> None:
    """Refuses a comparison of different things.

    Raises:
        RuntimeError: The two first losses differ by a thousandth or more.
    """
    if not torch.allclose(made, eager, rtol=1e-3):
        raise RuntimeError(f"{recipe}: the first loss is {eager:.5f} eager and {made:.5f} compiled")


def compare(recipe: str, words: list[str], setting: Setting, backend: str = "inductor") -> Row:
    """One network, eager and compiled in turns."""
    torch.manual_seed(0)
    eager = on_this_device(training([recipe, *words]))
    compiled = eager.twin()
    net: Any = compiled.model.net
    with fresh_cache():
        net.compile(backend=backend)
        first = eager.step()
        begin = time.perf_counter()
        loss = compiled.step()
        taken = time.perf_counter() - begin
        same(recipe, first, loss)
        turns, steps = (2, 2) if setting.small else (7, 20)
        for work in (eager, compiled):
            timed(work, 3)
        rates: dict[str, list[float]] = {"eager": [], "compiled": []}
        for _ in range(turns):
            for name, work in (("eager", eager), ("compiled", compiled)):
                rates[name].append(timed(work, steps))
    torch._dynamo.reset()
    facts = {"network": type(net).__name__, "recipe": recipe, "parameters": eager.parameters}
    facts |= {"batch": len(eager.batch[0]), "where": "GPU" if torch.cuda.is_available() else "CPU"}
    return facts | rates | {"compiling": taken - median(rates["compiled"])}


def measure(setting: Setting) -> list[Row]:
    """A row for each network: seconds of a step in each turn, and of compiling."""
    if (why := compiler()) is not None:
        setting.say(why)
        return []
    torch.set_num_threads(setting.threads)
    rows = []
    for recipe in setting.recipes or (SMALL if setting.small else RECIPES):
        rows.append(row := compare(recipe, RECIPES.get(recipe, []), setting))
        gain = median(row["eager"]) / median(row["compiled"])
        setting.say(f"{recipe}: {row['compiling']:.1f} s to compile, then {gain:.2f} times as fast")
    return rows
