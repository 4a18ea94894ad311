"""How a network becomes stages, in one process; runs of two are in tests/distributed."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from common.messages import UserError
from lit_models.cnn.alexnet import AlexNet
from lit_models.cnn.lenet import LeNet
from lit_models.parallel.batch_norm import SynchronizedBatchNorm
from lit_models.parallel.pipeline import Given, Pipeline, sequence_of, stages_of
from tests.small import SmallNet

X = torch.rand(2, 1, 28, 28)


def test_a_network_becomes_its_layers_by_name() -> None:
    names = [name for name, _ in sequence_of(LeNet(), X)]
    assert names[:2] == ["features.0", "features.1"] and names[-1] == "head.5"


def test_a_flattening_that_is_no_layer_is_found() -> None:
    net = AlexNet(1, 4, 28, stem="small", width=0.1, pool_size=2, hidden_size=8, dropout=0.5)
    layers = sequence_of(net, X)
    assert "flatten before classifier.1" in [name for name, _ in layers]


def test_what_is_no_sequence_is_refused() -> None:
    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(3, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + self.layer(x)

    with pytest.raises(UserError, match="Residual is not layers one after the other"):
        sequence_of(Residual(), torch.rand(2, 3))
    tied = nn.Sequential(nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 3))
    tied[2].weight = tied[0].weight
    with pytest.raises(UserError, match="Sequential uses weights in two layers"):
        sequence_of(tied, torch.rand(2, 3))


def test_stages_have_as_many_layers_with_weights_in_their_order() -> None:
    layers = sequence_of(LeNet(), X)
    stages = stages_of(layers, 2)
    assert [name for stage in stages for name, _ in stage] == [name for name, _ in layers]
    heavy = [sum(any(True for _ in layer.parameters()) for _, layer in stage) for stage in stages]
    assert heavy == [3, 2]
    with pytest.raises(UserError, match=r"6 processes for 5 layers with weights: --trainer.devices 5 at most"):
        stages_of(layers, 6)


def test_given_gives_what_it_was_given() -> None:
    assert torch.equal(Given(X)(None), X)


def test_batch_normalization_over_processes_is_refused() -> None:
    """It would wait for processes that do not have the layer."""
    strategy, model = Pipeline(), SmallNet()
    model._trainer = SimpleNamespace(accumulate_grad_batches=1)
    strategy._lightning_module, strategy._layer_sync = model, SynchronizedBatchNorm()
    with pytest.raises(UserError, match="no -c trainer/sync_batch_norm"):
        strategy.divide(model.net)
