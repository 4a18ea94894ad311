"""Spares each batch the callbacks' empty hooks.

Lightning calls six hooks of every callback for every batch, each under a profiler's context, whether it does anything
or not: 80 calls a step with the default callbacks. It leaves out a hook that is not callable; so the hooks that a
callback's class does not define are set to None.
"""

from collections.abc import Iterable

from lightning.pytorch import Callback

PER_BATCH = (
    "on_train_batch_start",
    "on_before_zero_grad",
    "on_before_backward",
    "on_after_backward",
    "on_before_optimizer_step",
    "on_train_batch_end",
)


def skip_empty_hooks(callbacks: Iterable[Callback]) -> None:
    """Sets the per-batch hooks that a callback inherits unchanged from ``Callback`` to None, on the instance alone."""
    for callback in callbacks:
        for name in PER_BATCH:
            if getattr(type(callback), name) is getattr(Callback, name):
                setattr(callback, name, None)
