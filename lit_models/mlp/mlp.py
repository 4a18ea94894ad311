"""The multilayer perceptron: linear layers with a non-linearity in between, for images and for tables.

Rumelhart, Hinton and Williams 1986, "Learning representations by back-propagating errors". D2L 5.1, 5.2, 5.5, 5.7.
Departs from the book: any number of hidden layers, and dropout after each. ``activation: identity`` shows the point of
D2L 5.1: without the non-linearity, layers of any depth are one linear map.

    dive fit mlp/mlp                     5,000 real MNIST digits, offline
    dive fit mlp/mlp_mnist               the book's recipe (784-256-10) on all of MNIST
    dive fit mlp/mlp_fashion_mnist       the book's recipe on its own data
    dive fit mlp/mlp_regression          a real table: the fuel consumption of 392 cars, offline
    dive fit mlp/early_stopping          two labels in five are wrong: held-out rows say when to stop, offline
    dive ensemble mlp/house_prices      a generated table in five folds, offline
    dive ensemble mlp/house_prices_kaggle      the real one, with a submission
    dive fit mlp/mlp --data CSVTable --data.path FILE --data.target COLUMN        your own table's classes

The numbers they reach are in RESULTS.md.
"""

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from common.messages import UserError
from lit_models.tasks.classifier import Classifier
from lit_models.tasks.regressor import Regressor
from lit_models.tasks.trains import flat_size, trains

Activation = Literal["relu", "sigmoid", "tanh", "gelu", "identity"]
ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "gelu": nn.GELU,
    "identity": nn.Identity,
}


class MLP(nn.Module):
    """Linear, activation, dropout for each hidden layer, and a linear layer on top. (B, ...) -> (B, num_outputs).

    Args:
        num_features: Numbers in one sample once it is flattened.
        num_outputs: Length of the output.
        hidden_sizes: Width of each hidden layer; none makes a linear model.
        activation: Non-linearity after each hidden layer.
        dropout: Probability with which a hidden unit is left out in training.
    """

    def __init__(
        self,
        num_features: int = 784,
        num_outputs: int = 10,
        hidden_sizes: Sequence[int] = (256,),
        activation: Activation = "relu",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Flatten()]  # (B, num_features)
        width = num_features
        for size in hidden_sizes:
            layers += [nn.Linear(width, size), ACTIVATIONS[activation](), nn.Dropout(dropout)]  # (B, size)
            width = size
        self.layers = nn.Sequential(*layers, nn.Linear(width, num_outputs))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


def classes(num_classes: int = 10) -> int:
    """The number of outputs of a classifier.

    Args:
        num_classes: Number of classes, at least 2.

    Raises:
        UserError: There are no classes, as in a table whose target is a number.
    """
    if num_classes < 2:
        raise UserError(
            f"num_classes is {num_classes}: a classifier needs at least 2; "
            "for a target that is a number start with mlp/mlp_regression"
        )
    return num_classes


@trains(MLP, num_features=flat_size, num_outputs=classes)
class LitMLP(Classifier):
    """An MLP that tells classes of images or of a table's rows apart."""


def outputs(num_outputs: int = 1) -> int:
    """The number of outputs of a regressor.

    Args:
        num_outputs: Numbers to predict for each row, at least 1.

    Raises:
        UserError: There is nothing to predict, as in a table whose target is a class.
    """
    if num_outputs < 1:
        raise UserError(
            f"num_outputs is {num_outputs}: a regressor needs at least 1; "
            "for a target that is a class start with mlp/mlp"
        )
    return num_outputs


@trains(MLP, num_outputs=outputs)
class LitMLPRegressor(Regressor):
    """An MLP that predicts numbers from a table's rows.

    The network's output is in standard deviations from the mean; ``forward`` turns that into the target's units, where
    the datamodule says its ``target_mean`` and ``target_std`` (of the training rows). A price of 200,000 would
    otherwise be out of reach of weights drawn for numbers around one.
    """

    target_mean: Tensor
    target_std: Tensor

    def __init__(self, hidden_sizes: Sequence[int] = (64, 64), **task: Any) -> None:
        super().__init__(**task)
        self.register_buffer("target_mean", torch.zeros(()))
        self.register_buffer("target_std", torch.ones(()))

    def setup(self, stage: str) -> None:
        super().setup(stage)
        if stage == "fit":
            self.target_mean.fill_(self.data_attribute("target_mean", 0.0))
            self.target_std.fill_(self.data_attribute("target_std", 1.0))

    def forward(self, *inputs: Tensor) -> Tensor:
        return super().forward(*inputs) * self.target_std + self.target_mean
