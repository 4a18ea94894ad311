"""Clips gradients of fused optimizers in bfloat16.

Lightning 2.6 refuses it, since a fused optimizer divides the gradients by the loss scale in its step, after the
clipping. That is right in half precision (``16-mixed``); bfloat16 has the range of single precision and needs no scale.
"""

from functools import partial

from lightning.pytorch import Trainer
from lightning.pytorch.plugins.precision import MixedPrecision, Precision


def clip_unscaled(trainer: Trainer) -> None:
    """Clips as in single precision where the mixed-precision plugin has no scaler; refuses where it has one."""
    plugin = trainer.precision_plugin
    if type(plugin) is MixedPrecision and plugin.scaler is None:
        plugin.clip_gradients = partial(Precision.clip_gradients, plugin)  # type: ignore[method-assign]
