"""External causes that end a run, each in one line: a full disk, a missing or dead process, a port in use.

The libraries report them at the end of a long trace; a test pins their wording.
"""

import errno
import os
import re
import socket
import sys
from collections.abc import Sequence
from traceback import format_tb, walk_tb

from lightning.fabric.plugins.environments.slurm import SLURMEnvironment

from common.messages import RunError, UserError, did_you_mean

PROCESSES = 8  # on each core
#: What Lightning and torch say, and what is said instead; {0} is the whole text, {1} the first group.
SAID = (
    (
        r"`val_check_interval` \((\S+)\) must be less .* training batches \((\d+)\)",
        "trainer.val_check_interval is {1}, and an epoch has {2} batches: give at most {2}, or a fraction",
    ),
    (
        r"Early stopping conditioned on metric `([^`]+)` which is not available\..* following: (.*)",
        "EarlyStopping looks at {1}, which is not logged: give its monitor one of {2}",
    ),
    (
        r"`ModelCheckpoint\(monitor='([^']+)'\)` could not find the monitored key in the returned metrics: \[(.*?)\]",
        "the best checkpoint is looked for by {1}, which is not logged: give its metric (monitor) one of {2}",
    ),
    (
        r"ReduceLROnPlateau conditioned on metric (\S+) which is not available. Available metrics are: \[(.*?)\]",
        "ReduceLROnPlateau looks at {1}, which is not logged: give --model.lr_monitor one of {2}",
    ),
    (
        r"You requested to check (\S+) of the .* Try at least `(\w+)=(\S+)`",
        "trainer.{2} is {1}, less than one batch: give at least {3}, or a whole number of batches",
    ),
    (r"`Trainer\(devices='?(-?\d+)'?\)` value is not a valid", "trainer.devices is {1}: give at least 1"),
    (
        r"No supported gpu backend found",
        "trainer.accelerator is gpu, and torch finds no GPU here: give cpu",
    ),
    (
        r"invalid strategy name: `strategy='([^']*)'`",
        "trainer.strategy is {1}: leave it out, or take a preset such as -c trainer/ddp or -c trainer/fsdp",
    ),
    (
        r"configured with `enable_checkpointing=False` but found",
        "trainer.enable_checkpointing is false, but a run keeps its checkpoints: leave it out",
    ),
    (r"^Invalid (?:beta|epsilon|weight_decay|momentum|learning rate|rho|alpha|lr)\b.*", "model.optimizer: {0}"),
)
DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO)


def explain_failure(error: BaseException) -> Exception | None:
    """The one line for an error of the machine, the network or another process; None for any other error."""
    if getattr(error, "exit_code", None) is not None:
        return None
    text = " ".join(str(error).split())
    if isinstance(error, OSError) and error.errno in DISK:
        where = f" {error.filename}" if error.filename else ""
        reason = os.strerror(error.errno or 0)
        return RunError(f"cannot write{where}: {reason}; the last save is kept. Make room and continue with --resume")
    for frame, _ in walk_tb(error.__traceback__) if isinstance(error, KeyError) else ():
        if frame.f_code.co_name == "get_weight" and "weights_enum" in frame.f_locals:  # torchvision's
            published, name = frame.f_locals["weights_enum"], str(error.args[0])
            near = did_you_mean(name, published.__members__)
            return UserError(f"weights: {published.__name__} has no {name!r}{near or ': take DEFAULT'}")
    for pattern, says in SAID:
        if (found := re.search(pattern, text)) and explain_numbers(error, sys.argv) is None:
            return UserError(says.format(text, *found.groups()))
    if "out of memory" in text and type(error).__name__ == "OutOfMemoryError":
        return RunError(f"the GPU's memory is full ({text[:80]}): a smaller --data.batch_size, or -c trainer/bf16")
    if "mixed torch.Tensor and DTensor" in text:
        return UserError(
            "the model uses a weight outside of its network's forward pass, where each process has a part "
            "of it: train it with -c trainer/ddp"
        )
    if "parameters that were not used in producing the loss" in text:
        return UserError("some weights get no gradient in a step, as in GANs: train with -c trainer/ddp_find_unused")
    if found := re.search(r"Timed out after (\d+) seconds waiting for clients. (\d+)/(\d+) clients joined", text):
        return RunError(
            f"{found[2]} of {found[3]} processes came within {found[1]} s: start the others, or set --trainer.devices "
            "and --trainer.num_nodes to what is there"
        )
    if found := re.search(r"client socket has timed out after (\d+)ms while trying to connect to \(([^)]+)\)", text):
        place = found[2].replace(", ", ":")
        return RunError(
            f"no answer from the first process at {place} within {int(found[1]) // 1000} s: is it running, and are "
            "MASTER_ADDR and MASTER_PORT the same everywhere?"
        )
    if found := re.search(r"failed to listen on any local network address. port: (\d+)", text):
        return RunError(f"port {found[1]} is in use: give all processes another MASTER_PORT")
    if found := re.search(r"`devices=(\d+)`.*\((\d+) \* (\d+)\) does not match the world size \((\d+)\)", text):
        return UserError(world_mismatch("the launcher", int(found[4]), int(found[2]), int(found[3])))
    if found := re.search(r"You set `--ntasks=(\d+)` in your SLURM bash script", text):
        return UserError(f"--ntasks={found[1]} says not how many tasks a node has: use --ntasks-per-node={found[1]}")
    workers = isinstance(error, ConnectionError | EOFError) and "dataloader.py" in "".join(
        format_tb(error.__traceback__)
    )
    if workers or re.search(r"DataLoader worker \(pid.*\) (exited unexpectedly|is killed)", text):
        return RunError("a data-loading worker died, often for lack of memory: fewer workers, then --resume")
    if found := re.search(r"[Tt]imed out waiting (\d+)ms for (?:recv|send) operation", text):
        return RunError(f"another process did not answer for {int(found[1]) // 1000} s; continue with --resume")
    if re.search(r"Connection (closed|reset) by peer|Broken pipe|remote worker crashing|Socket closed", text):
        return RunError("another process ended within a step: its own last line says why; continue with --resume")
    return explain_numbers(error, sys.argv)


def explain_numbers(error: BaseException, words: Sequence[str]) -> UserError | None:
    """One line where something failed that was given a negative number, or divided by a zero that was given: a size of
    -1 is a typing error, and torch says of it what it says of any other fault. None else.

    Args:
        error: What was raised.
        words: The command.
    """
    kinds = (RuntimeError, ValueError, AssertionError, IndexError, OverflowError, ZeroDivisionError)
    if not isinstance(error, kinds) or getattr(error, "exit_code", None) is not None:
        return None
    for word, following in zip(words, [*words[1:], ""], strict=True):
        key, joined, value = word.partition("=")
        value = value if joined else following
        ours = key.startswith(("--model.", "--data.", "--trainer.", "--seed_everything"))
        if not ours or not re.fullmatch(r"-?\d*\.?\d+(?:e[+-]?\d+)?", value):
            continue
        negative = float(value) < 0 and not key.startswith("--trainer.")  # there -1 means without an end
        if negative or (float(value) == 0 and isinstance(error, ZeroDivisionError)):
            reason = " ".join(str(error).split())[:120] or type(error).__name__
            name = key.removeprefix("--").replace(".init_args.", ".")
            return UserError(f"{name} is {value}, which is the likely cause of: {reason}")
    return None


def world_mismatch(who: str, tasks: int, devices: int, nodes: int) -> str:
    return (
        f"{who} started {tasks} processes, but --trainer.devices {devices} x --trainer.num_nodes {nodes} are "
        f"{devices * nodes}: make both equal"
    )


def check_launcher(devices: int, nodes: int, accelerator: str = "") -> None:
    """Refuses to train separately in each of several processes, or to wait for processes that are not started.

    Args:
        devices, nodes: The trainer's.
        accelerator: The name of its accelerator's class; on a CPU each device is a process.

    Raises:
        UserError: SLURM or torchrun started another number of processes than devices times nodes, or the trainer would
            start so many that the machine stands still.
    """
    env, most = os.environ, PROCESSES * (os.cpu_count() or 1)
    if accelerator == "CPUAccelerator" and devices > most:
        raise UserError(f"trainer.devices is {devices}: on a CPU each is a process, and this machine bears {most}")
    if "TORCHELASTIC_RUN_ID" in env:
        who, tasks = "torchrun", int(env.get("WORLD_SIZE", 1))
    elif "SLURM_NTASKS" in env and env.get("SLURM_JOB_NAME") not in ("bash", "interactive"):
        who, tasks = "srun", int(env["SLURM_NTASKS"])
    else:
        return
    if tasks != devices * nodes:
        raise UserError(world_mismatch(who, tasks, devices, nodes))
    if who == "srun" and tasks > 1:
        check_first_node()


def check_first_node() -> None:
    """Refuses to wait for a first node whose name has no address.

    Raises:
        UserError: The name is not known here.
    """
    nodes = os.environ.get("SLURM_NODELIST", "127.0.0.1")
    name = os.environ.get("MASTER_ADDR") or SLURMEnvironment.resolve_root_node_address(nodes)
    try:
        socket.getaddrinfo(name, None)
    except OSError as error:
        raise UserError(
            f"the job's first node, {name}, has no address on {socket.gethostname()} ({error.strerror or error}): let "
            "/etc/hosts or DNS know it, or set MASTER_ADDR to an address"
        ) from None
