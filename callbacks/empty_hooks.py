"""Skips per-batch calls that do nothing: callbacks' empty hooks, and the contexts of a profiler that is off.

Lightning calls six hooks of every callback for every batch, each under a profiler's context, also where the hook is
empty: 80 calls a step with the default callbacks. It skips a hook that is not callable, so the hooks that a callback's
class does not define are set to None. Without a profiler it opens about twenty contexts a step that measure nothing,
each a new generator; here they are all the same context object.
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
    """A profiler that measures nothing, with one context for all actions."""

    context: AbstractContextManager[Any] = nullcontext()

    def profile(self, action_name: str) -> AbstractContextManager[Any]:  # type: ignore[override]
        return self.context


def skip_empty_hooks(trainer: Trainer) -> None:
    """Sets the per-batch hooks that a callback inherits unchanged from ``Callback`` to None, on the instance only, and
    replaces the default profiler by ``NoProfiler``; a profiler that the user chose stays.
    """
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        for name in PER_BATCH:
            if getattr(type(callback), name) is getattr(Callback, name):
                setattr(callback, name, None)
    if type(trainer.profiler) is PassThroughProfiler:  # type: ignore[attr-defined]
        trainer.profiler = NoProfiler()  # type: ignore[attr-defined]
