"""Speech: the loss by hand and torch's, a training step, and a sound that comes in for an hour.

``CTC`` is the loss with its gradient on 32 sounds of 200 frames with 12 of 11 characters. ``speech`` is ``rnn/speech``
as ``dive fit`` runs it against the shortest loop. ``streaming`` hears a sound in
pieces of 200 ms with the network of ``rnn/speech_stream``, untrained: samples are seconds of sound, ``ours`` begins
after an hour of it, ``early`` at once, and ``real time`` is the sound itself, 1 by definition.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lit_models.functional.ctc import ctc_loss, torch_ctc_loss
from lit_models.rnn.listener import Listener
from scripts.evidence.benches import ours
from scripts.evidence.benches.part import Goal, Part
from scripts.evidence.benches.workloads import Clock, take_turns
from scripts.front.build import build

PART = Part(
    "Speech",
    """\
`CTC` is the loss and its gradient by hand and torch's; `speech` is `rnn/speech` as `dive fit` runs it against the
shortest loop; `streaming` counts seconds of sound that come in pieces of 200 ms: after an hour (`ours`), at once, and
the pace of the sound itself.""",
    "samples",
    (
        Goal("speech", "bare", 0.95, None, "steps of tens of milliseconds"),
        Goal("streaming", "real time", 10.0, None, "a tenth of a thread at most"),
        Goal("streaming", "early", 0.9, None, "the state has the same size after an hour"),
    ),
)
BATCH, FRAMES, CHARACTERS, LENGTH, ROWS = 32, 200, 11, 12, 320
RATE, PIECE, HOUR = 8000, 0.2, 3600.0
Row = dict[str, Any]


def measure(
    threads: int, repeats: int, say: Callable[[str], None], steps: int = 20, hour: float = HOUR, listen: float = 20.0
) -> list[Row]:
    """Sounds, or seconds of sound, a second of each side in each turn.

    Args:
        threads, repeats, say: See ``dive bench``.
        steps: Batches.
        hour: Seconds of sound before the late part of the stream.
        listen: Seconds of sound that are timed.
    """
    torch.set_num_threads(threads)
    losses = {"ours": partial(loss, ctc_loss), "torch": partial(loss, torch_ctc_loss)}
    training = {"ours": train_ours, "bare": train_bare}
    return [
        *take_turns("CTC", threads, losses, repeats, steps, 2, say),
        *take_turns("speech", threads, training, repeats, steps, 3, say),
        *streaming(threads, repeats, say, hour, listen),
    ]


def loss(function: Callable[..., Tensor], clock: Clock) -> None:
    logits = torch.randn(BATCH, FRAMES, 1 + CHARACTERS, requires_grad=True)
    targets = torch.randint(1, 1 + CHARACTERS, (BATCH, LENGTH))
    lengths = torch.full((BATCH,), FRAMES)
    while not clock.done:
        function(F.log_softmax(logits, 2), targets, lengths).mean().backward()
        clock.tick(BATCH)


def recipe() -> tuple[Any, Any]:
    """The recipe with few sounds and one learning rate."""
    _, model, data = build(["rnn/speech", "--model.lr_scheduler", "null", "--data.num_train", str(ROWS)])
    return model, data


def train_ours(clock: Clock) -> None:
    ours.fit(*recipe(), clock, gradient_clip_val=1.0)


def train_bare(clock: Clock) -> None:
    """The same network and data, torch's loss, the fused step; nothing of Lightning."""
    model, data = recipe()
    net, rows = model.net, data.load("fit")["train"]
    optimizer = torch.optim.Adam(net.parameters(), 0.004, fused=True)
    while not clock.done:
        for index in torch.randperm(ROWS).split(BATCH):
            x, lengths, targets = data.transform(tuple(part[index] for part in rows))
            losses = torch_ctc_loss(net(x, lengths), targets, net.frame_counts(lengths))
            optimizer.zero_grad()
            (losses.sum() / (targets > 0).sum()).backward()
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()
            clock.tick(len(x))
            if clock.done:
                return


def streaming(threads: int, repeats: int, say: Callable[[str], None], hour: float, listen: float) -> list[Row]:
    """Seconds of sound that are heard in a second, at the beginning and after an hour."""
    _, model, _ = build(["rnn/speech_stream"])
    net: Any = model.eval().net
    facts = {"workload": "streaming", "threads": threads, "steps": round(listen / PIECE), "samples": round(listen)}
    table: dict[str, Row] = {side: {**facts, "side": side, "rates": []} for side in ("ours", "early", "real time")}
    for _ in range(repeats):
        listener = Listener(net, RATE)
        table["early"]["rates"].append(heard(listener, listen, PIECE))
        heard(listener, hour, 10.0)
        table["ours"]["rates"].append(heard(listener, listen, PIECE))
        table["real time"]["rates"].append(1.0)
        say(f"streaming, {threads} threads: {table['ours']['rates'][-1]:,.0f} s of sound a second after {hour:,.0f} s")
    return list(table.values())


def heard(listener: Listener, seconds: float, piece: float) -> float:
    """Hears noise in pieces; returns the seconds of sound of a second of work."""
    sound = 0.1 * torch.randn(round(piece * RATE))
    begin = time.perf_counter()
    for _ in range(round(seconds / piece)):
        listener.hear(sound)
    return seconds / (time.perf_counter() - begin)
