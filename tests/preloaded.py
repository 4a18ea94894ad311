"""What the fork server imports, loads and does once for all processes of ``tests/warm.py``.

A first command and a first picture are three times as slow as later ones: files are read, types resolved, fonts loaded.
"""

import io

import torch
import torch.distributed.launcher.api

import scripts.front.baselines
import scripts.front.lightning_cli  # noqa: F401
from callbacks.pictures.figures import new_figure
from datamodules.vision.mnist import MNIST5k
from scripts.front.arguments import resolve
from tests.recipes import parser

torch.set_num_threads(1)
DIGITS = MNIST5k(batch_size=64, shift=2)
DIGITS.setup("fit")
parser().parse_args(resolve("fit", ["cnn/lenet"]).args)
figure = new_figure(4, 2)
axes = figure.subplots()
axes.plot([1, 2], [3, 4], label="a")
axes.legend()
figure.savefig(io.BytesIO(), format="png")
