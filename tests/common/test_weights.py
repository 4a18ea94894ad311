"""Weights are told from biases and gains by their dimensions, and by their names where a bias has several."""

from torch import nn

from common.weights import is_weight
from lit_models.cnn.batch_norm import BatchNorm
from lit_models.convolution.tiled import TiledConv2d
from lit_models.convolution.unshared import UnsharedConv2d


def test_weights_are_not_biases_or_gains_whatever_their_dimensions() -> None:
    net = nn.Sequential(
        nn.Conv2d(1, 2, 3), BatchNorm(2), UnsharedConv2d(2, 2, 4, 3), TiledConv2d(2, 2, 3), nn.GRU(3, 4)
    )
    found = {name for name, p in net.named_parameters() if is_weight(name, p)}
    assert found == {"0.weight", "2.weight", "3.weight", "4.weight_ih_l0", "4.weight_hh_l0"}
