"""Wrong labels: how many, in which splits, and that a network can memorize them."""

from functools import partial

import pytest
import torch

from common.messages import UserError
from datamodules.vision.mnist import MNIST5k
from datamodules.vision.noisy_mnist import NoisyMNIST5k, corrupt


def test_the_fraction_is_exact_and_no_wrong_label_is_the_right_one() -> None:
    labels = torch.arange(1000) % 10
    noisy = corrupt(labels, 0.3, 10, torch.Generator().manual_seed(0))
    assert int((noisy != labels).sum()) == 300 and noisy.min() >= 0 and noisy.max() <= 9
    assert len(torch.unique((noisy - labels)[noisy != labels] % 10)) == 9  # each of the others comes up


def test_training_and_validation_are_wrong_and_the_test_is_right() -> None:
    clean, noisy = MNIST5k().load("fit"), NoisyMNIST5k(noise=0.4).load("fit")
    fractions = {name: float((clean[name][1] != noisy[name][1]).float().mean()) for name in ("train", "val", "test")}
    assert fractions == {"train": pytest.approx(0.4), "val": pytest.approx(0.4), "test": 0.0}
    assert all(torch.equal(clean[name][0], noisy[name][0]) for name in ("train", "val", "test"))


def test_without_held_out_data_the_training_rows_validate() -> None:
    splits = NoisyMNIST5k(hold_out=False).load("fit")
    assert splits["val"] is splits["train"]


@pytest.mark.parametrize("noise", [-0.1, 1.5])
def test_a_fraction_out_of_range_is_refused(noise: float) -> None:
    with pytest.raises(UserError, match=r"data.noise is"):
        NoisyMNIST5k(noise=noise)


def test_a_network_learns_labels_that_are_all_wrong() -> None:
    from lit_models.mlp.mlp import MLP

    data = NoisyMNIST5k(noise=1.0, image_size=14)
    data.setup("fit")
    x, y = data.transform(tuple(t[:300] for t in data.splits["train"]))
    net = MLP(196, 10, [256])
    descent = partial(torch.optim.Adam, lr=0.005)(net.parameters())
    for _ in range(200):
        descent.zero_grad()
        torch.nn.functional.cross_entropy(net(x), y).backward()
        descent.step()
    assert float((net(x).argmax(1) == y).float().mean()) > 0.99
