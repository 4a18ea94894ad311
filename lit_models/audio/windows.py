"""A sound longer than a network's window: the mean of its windows' probabilities."""

from collections.abc import Callable

import torch
from torch import Tensor


def mean_over_windows(net: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Logits (B, num_classes) of sounds (B, T), or of the windows of sounds, (B, W, T).

    Of windows they are the logarithm of the mean probabilities. A window of nothing but zeros fills up a sound that has
    fewer than others of its batch, and does not count.

    Args:
        net: Maps (N, T) to logits (N, num_classes).
        x: The sounds.
    """
    if x.ndim == 2:
        return net(x)
    there = x.abs().amax(2) > 0  # (B, W)
    there[:, 0] |= ~there.any(1)  # of silence the first window
    log_probs = net(x[there]).log_softmax(1)  # (windows that are there, num_classes)
    every = log_probs.new_full((*there.shape, log_probs.shape[1]), -torch.inf)
    every[there] = log_probs
    return every.logsumexp(1) - there.sum(1, keepdim=True).log()
