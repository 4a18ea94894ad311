"""Clips gradients of fused optimizers in bfloat16.

Lightning 2.6 refuses it, since a fused optimizer divides the gradients by the loss's scale in its step, after the
clipping. That is right in half precision (``16-mixed``); bfloat16 has the range of single precision and scales nothing.
"""

from functools import partial

from lightning.pytorch import Trainer
from lightning.pytorch.plugins.precision import MixedPrecision, Precision


def clip_unscaled(trainer: Trainer) -> None:
    """Lets a mixed-precision plugin without a scaler clip as in single precision; one with a scaler still refuses."""
    plugin = trainer.precision_plugin
    if type(plugin) is MixedPrecision and plugin.scaler is None:
        plugin.clip_gradients = partial(Precision.clip_gradients, plugin)  # type: ignore[method-assign]
