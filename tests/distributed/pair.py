"""Two processes that compare recipes, one after the other, as ``recipes.py`` says.

They stay for all recipes: importing, forking and a first training step cost more than most recipes' comparison.
"""

import gc
import time
import traceback
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.connection import wait as wait_for_any
from multiprocessing.process import BaseProcess
from pathlib import Path

import torch

from tests.distributed.recipes import compare
from tests.warm import FORKS, SECONDS, free_port, start


def serve(pipe: Connection, rank: int) -> None:
    """Compares the recipes that come through the pipe; answers with what went wrong, if anything, and CPU-seconds."""
    torch.set_num_threads(1)
    gc.collect()
    gc.freeze()  # a collection then looks at what a recipe left alone
    while True:
        try:
            name, words, port = pipe.recv()
        except EOFError:  # the test is over
            return
        began, wrong = time.process_time(), ""
        try:
            compare(name, words, rank, port)
        except Exception:
            wrong = traceback.format_exc()
        gc.collect()
        pipe.send((wrong, time.process_time() - began))


class Pair:
    """Two processes that stay for all recipes; new ones are started after a recipe in which one of them failed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.processes: list[BaseProcess] = []
        self.pipes: list[Connection] = []

    def compare(self, name: str, *words: str) -> tuple[str, float]:
        """What went wrong, nothing where the gradients are equal, and the CPU-seconds of both processes."""
        if not self.processes:
            for rank in range(2):
                here, there = FORKS.Pipe()
                self.processes.append(start(serve, there, rank, log=self.folder / f"rank{rank}.log"))
                self.pipes.append(here)
                there.close()
        port, seconds, wrong = free_port(), 0.0, ""
        for pipe in self.pipes:
            with suppress(OSError):  # of a process that died: its answer is missing below
                pipe.send((name, list(words), port))
        waiting = list(self.pipes)
        while waiting and not wrong:  # where one failed the other may wait for it in vain
            ready = wait_for_any(waiting, SECONDS)
            wrong = "" if ready else f"no answer within {SECONDS:.0f} s"
            for pipe in ready:
                waiting.remove(pipe)
                try:
                    answer = pipe.recv()
                except (EOFError, OSError):
                    answer = ("a process died", 0.0)
                wrong, seconds = wrong or answer[0], seconds + answer[1]
        if wrong:
            self.end()
        return wrong, seconds

    def end(self) -> None:
        for process in self.processes:
            process.kill()
            process.join()
        self.processes, self.pipes = [], []
