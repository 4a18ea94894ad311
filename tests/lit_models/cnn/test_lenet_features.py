"""The stored LeNet: it knows digits that it was not trained on, at both sizes, and no gradient reaches it."""

import torch

from datamodules.vision.mnist import MNIST5k
from lit_models.cnn.lenet_features import LeNetFeatures, lenet_features


def test_it_knows_the_test_digits_at_28_and_at_16_pixels() -> None:
    for size, least in ((28, 0.97), (16, 0.95)):
        images, labels = MNIST5k(image_size=size).load("test")["test"]
        features, logits = lenet_features()(images / 255)
        assert features.shape == (1000, 84) and bool((features >= 0).all())
        assert float((logits.argmax(1) == labels).float().mean()) > least


def test_it_is_read_once_and_cannot_be_trained() -> None:
    net = lenet_features()
    assert net is lenet_features() and not net.training
    assert not any(p.requires_grad for p in net.parameters())


def test_features_are_what_the_last_layer_reads() -> None:
    net, x = lenet_features(), torch.rand(3, 1, 28, 28)
    features, logits = net(x)
    torch.testing.assert_close(net.net(x), logits)
    torch.testing.assert_close(net.net.head[-1](features), logits)


def test_it_is_in_single_precision_also_where_it_is_first_read_in_a_run_of_another() -> None:
    torch.set_default_dtype(torch.float64)
    try:
        net = LeNetFeatures()
    finally:
        torch.set_default_dtype(torch.float32)
    assert net(torch.rand(2, 1, 28, 28))[0].dtype == torch.float32
    assert not any(p.requires_grad for p in net.parameters())
