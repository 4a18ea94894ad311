"""What the fork server imports and loads once for all processes of ``tests/warm.py``."""

import torch

import scripts.front.baselines
import scripts.front.lightning_cli  # noqa: F401
from datamodules.vision.mnist import MNIST5k

torch.set_num_threads(1)
DIGITS = MNIST5k(batch_size=64, shift=2)
DIGITS.setup("fit")
