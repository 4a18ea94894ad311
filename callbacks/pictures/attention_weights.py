"""The attention weights of a network, for the callbacks that draw them.

A module that can keep its weights has an attribute ``need_weights``; when it is set, the weights of the last call
(B, H, Q, K) are in ``weights``. ``lit_models/layers/multi_head.py`` is such a module.
"""

from typing import Any

import torch
from lightning.pytorch import LightningModule
from torch import Tensor


def attention_weights(model: LightningModule, *inputs: Any) -> dict[str, Tensor]:
    """Runs ``model(*inputs)`` in evaluation and returns each attention's weights (B, H, Q, K) by the module's name.

    Empty where no module can keep its weights. The model is left as it was.
    """
    keepers = {name: module for name, module in model.named_modules() if hasattr(module, "need_weights")}
    if not keepers:
        return {}
    training = model.training
    model.eval()
    try:
        for module in keepers.values():
            module.need_weights = True  # type: ignore[assignment]
        with torch.no_grad():
            model(*inputs)
        kept = {name: module.weights for name, module in keepers.items()}
    finally:
        for module in keepers.values():
            module.need_weights, module.weights = False, None  # type: ignore[assignment]
        model.train(training)
    return {name: weights.float().cpu() for name, weights in kept.items() if isinstance(weights, Tensor)}
