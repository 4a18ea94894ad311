"""Real processes that cost milliseconds: forked from one that has imported torch and Lightning.

Importing Lightning takes five seconds of CPU. Tests of kills, signals and several processes need processes of their
own; the standard library's fork server imports once for all of them. It has never run a backward pass: torch refuses
one in a process forked after that.
"""

import multiprocessing
import os
import socket
import sys
import time
from collections.abc import Callable, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["tests.preloaded"])
SECONDS = 300.0  # until a process is taken for hanging, on a machine that others use too


def start(
    target: Callable[..., Any],
    *args: Any,
    log: Path | None = None,
    env: dict[str, str | None] | None = None,
    daemon: bool = True,
) -> BaseProcess:
    """Starts ``target(*args)`` in a process of its own; its output goes to the file ``log``. A daemon ends with pytest
    and may have no workers.
    """
    inherited = {key: os.environ[key] for key in ("DIVE_RUNS", "DIVE_DATA", "PATH") if key in os.environ}
    threads = {"OMP_NUM_THREADS": "1"}  # Lightning would take all cores that its processes leave
    process = FORKS.Process(target=enter, args=(target, args, log, threads | inherited | (env or {})), daemon=daemon)
    process.start()
    return process


def start_ranks(
    target: Callable[..., Any],
    *args: Any,
    world: int = 2,
    folder: Path | None = None,
    env: dict[str, str | None] | None = None,
) -> list[BaseProcess]:
    """Starts ``target(*args)`` as all ranks of one node, as a launcher outside of Lightning does."""
    port = str(free_port())
    return [
        start(
            target,
            *args,
            log=folder / f"rank{rank}.log" if folder else None,
            env={"LOCAL_RANK": str(rank), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, **(env or {})},
        )
        for rank in range(world)
    ]


def enter(target: Callable[..., Any], args: Sequence[Any], log: Path | None, env: dict[str, str | None]) -> None:
    """What the new process does first."""
    for key, value in env.items():
        if value is None:
            os.environ.pop(key, None)
        else:
            os.environ[key] = value
    if log is not None:
        log.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(file, 1)
        os.dup2(file, 2)
    target(*args)


def dive(*words: str) -> None:
    """``dive WORDS``, ending with its exit code."""
    from scripts.cli import main

    sys.argv = ["dive", *words]
    sys.exit(main())


def as_dive(target: Callable[[], None]) -> None:
    """Runs ``target`` in the place of what ``dive fit`` runs: what it raises becomes a line and an exit code."""
    import tests.preloaded  # noqa: F401  it derives from the class that is replaced, where no server has imported it
    from scripts import cli
    from scripts.front import lightning_cli
    from scripts.front.arguments import Command

    lightning_cli.DiveCLI = lambda command: target()  # type: ignore[assignment,misc]
    cli.dispatch = lambda argv: lightning_cli.launch(Command("fit", "a/test"))
    sys.exit(cli.main(["fit"]))


def lines(log: Path) -> list[str]:
    """What the command said about its end."""
    return [line.removeprefix("dive: ") for line in log.read_text().splitlines() if line.startswith("dive: ")]


def wait(*processes: BaseProcess, seconds: float = SECONDS) -> list[int]:
    """The exit codes; a process that does not end in time is killed and fails the test."""
    until = time.monotonic() + seconds
    for process in processes:
        process.join(max(0.0, until - time.monotonic()))
    hanging = [k for k, process in enumerate(processes) if process.is_alive()]
    for process in processes:
        process.kill()
    assert not hanging, f"processes {hanging} of {len(processes)} still ran after {seconds:.0f} s"
    return [int(process.exitcode or 0) for process in processes]


def free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])
