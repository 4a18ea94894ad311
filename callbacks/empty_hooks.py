"""Spares each batch the work that does nothing: callbacks' empty hooks, and the contexts of a profiler that is off.

Lightning calls six hooks of every callback for every batch, each under a profiler's context, whether it does anything
or not: 80 calls a step with the default callbacks. It leaves out a hook that is not callable; so the hooks that a
callback's class does not define are set to None. Without a profiler it opens some twenty contexts a step that start and
stop nothing, each a generator of its own; here all of them are one context.
"""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

from lightning.pytorch import Callback, Trainer
from lightning.pytorch.profilers import PassThroughProfiler

PER_BATCH = (
    "on_train_batch_start",
    "on_before_zero_grad",
    "on_before_backward",
    "on_after_backward",
    "on_before_optimizer_step",
    "on_train_batch_end",
)


class NoProfiler(PassThroughProfiler):
    """The profiler that measures nothing, in one context that all actions share."""

    context: AbstractContextManager[Any] = nullcontext()

    def profile(self, action_name: str) -> AbstractContextManager[Any]:  # type: ignore[override]
        return self.context


def skip_empty_hooks(trainer: Trainer) -> None:
    """Sets the per-batch hooks that a callback inherits unchanged from ``Callback`` to None, on the instance alone, and
    puts ``NoProfiler`` in the place of the default profiler; a profiler that was asked for stays.
    """
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        for name in PER_BATCH:
            if getattr(type(callback), name) is getattr(Callback, name):
                setattr(callback, name, None)
    if type(trainer.profiler) is PassThroughProfiler:  # type: ignore[attr-defined]
        trainer.profiler = NoProfiler()  # type: ignore[attr-defined]
