"""What every trainer of the project gets besides its callbacks, in ``dive`` and in its measurements."""

from lightning.pytorch import Trainer

from callbacks.device_search import skip_search_for_gpu
from callbacks.empty_hooks import skip_empty_hooks
from callbacks.unscaled_clipping import clip_unscaled


def prepare(trainer: Trainer) -> None:
    """Leaves out of a step what does nothing, and lets fused optimizers clip in bfloat16."""
    skip_empty_hooks(trainer)
    clip_unscaled(trainer)
    skip_search_for_gpu()
