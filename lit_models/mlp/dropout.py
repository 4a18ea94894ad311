"""Dropout by hand: leave out random units while training, so that none can rely on another.

Srivastava et al. 2014, "Dropout: A Simple Way to Prevent Neural Networks from Overfitting". D2L 5.6.
Departs from the paper, as the book and every library do: units that stay are divided by 1 - p in training (inverted
dropout), where the paper multiplies the weights in evaluation.

    dive fit mlp/dropout              5,000 real MNIST digits, offline
    dive fit mlp/dropout_mnist        the book's recipe (784-256-256-10) on all of MNIST

The numbers they reach are in RESULTS.md.
"""

import torch
from torch import Tensor, nn

from lit_models.tasks.classifier import Classifier
from lit_models.tasks.trains import flat_size, trains


def dropout(x: Tensor, p: float) -> Tensor:
    """Zeroes each entry with probability ``p`` and divides the others by 1 - p: the expectation stays x. Any shape.

    Raises:
        ValueError: ``p`` is not a probability.
    """
    if not 0 <= p <= 1:
        raise ValueError(f"dropout is {p}: a probability lies between 0 and 1")
    if p == 1:
        return x * 0.0  # no unit is left to be divided by zero
    keep = torch.empty_like(x).bernoulli_(1 - p)
    return x * keep / (1 - p)


class Dropout(nn.Module):
    """``dropout`` in training, the identity in evaluation.

    Args:
        p: Probability that a unit is dropped.
    """

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        dropout(torch.zeros(()), p)  # refuses a wrong p before training rather than in its first step
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        return dropout(x, self.p) if self.training else x


class DropoutMLP(nn.Module):
    """Two hidden layers, each with dropout after its activation. (B, ...) -> (B, num_classes) logits.

    Args:
        num_features: Numbers in one sample once it is flattened.
        num_classes: Number of logits.
        hidden_size: Width of both hidden layers.
        dropout: Probability with which a hidden unit is left out in training.
    """

    def __init__(
        self, num_features: int = 784, num_classes: int = 10, hidden_size: int = 256, dropout: float = 0.5
    ) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Flatten(),  # (B, num_features)
            nn.Linear(num_features, hidden_size),
            nn.ReLU(),
            Dropout(dropout),
            nn.Linear(hidden_size, hidden_size),
            nn.ReLU(),
            Dropout(dropout),
            nn.Linear(hidden_size, num_classes),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


@trains(DropoutMLP, num_features=flat_size)
class LitDropout(Classifier):
    """The dropout MLP trained as a classifier of images."""
