"""Counting is one step, and on MNIST the book's accuracy to the digit."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from common.messages import UserError
from datamodules.vision.mnist import MNIST, MNIST5k
from lit_models.probability.naive_bayes import LitNaiveBayes, NaiveBayes, counted
from tests.small import small_trainer


def test_probabilities_are_the_books_smoothed_counts() -> None:
    pixels = torch.tensor([[1.0, 0.0], [1.0, 1.0], [0.0, 0.0]], dtype=torch.float64)
    found = counted(pixels, torch.tensor([0, 0, 1]), 2)
    expected = torch.tensor([[3 / 4, 2 / 4], [1 / 3, 1 / 3]], dtype=torch.float64)  # (n + 1) / (n_y + 2)
    torch.testing.assert_close(found["logits"].sigmoid(), expected)
    torch.testing.assert_close(found["log_prior"].exp(), torch.tensor([2 / 3, 1 / 3], dtype=torch.float64))


def test_without_smoothing_a_pixel_that_is_always_the_same_is_refused() -> None:
    with pytest.raises(UserError, match=r"give model.smoothing more than 0"):
        counted(torch.ones(2, 1, dtype=torch.float64), torch.tensor([0, 1]), 2, smoothing=0.0)


def test_one_epoch_counts_all_training_rows(tmp_path: Path) -> None:
    data = MNIST5k(batch_size=3500)
    model = LitNaiveBayes(num_classes=10, image_size=28, optimizer=partial(torch.optim.SGD, lr=1.0))
    small_trainer(tmp_path, max_epochs=1).fit(model, data)
    images, y = data.splits["train"]
    solution = counted((images.flatten(1) >= 128).double(), y, 10)
    torch.testing.assert_close(model.net.logits, solution["logits"].float(), atol=1e-5, rtol=1e-5)


def test_generated_images_have_the_pixels_of_their_class() -> None:
    """Two classes of which one never has a pixel and one always: a row of probabilities and two of images."""
    model = LitNaiveBayes(num_classes=2, image_size=3)
    with torch.no_grad():
        model.net.logits[0], model.net.logits[1] = -50.0, 50.0
    (found,) = model.generate(None, [], samples=2)
    pixels = torch.from_numpy(np.array(found.image)) / 255
    assert pixels.shape == (2 * (3 * 4 - 1), 2 * (2 * 4 - 1))
    for top in (0, 8, 16):  # three rows of 3 x 3 pixels, twice as large, with a border
        assert not pixels[top : top + 6, :6].any() and bool((pixels[top : top + 6, 8:] == 1).all())
    with pytest.raises(UserError, match="leave out --prompt"):
        next(model.generate(None, ["3"]))


def test_many_pixels_do_not_underflow() -> None:
    net = NaiveBayes(3, 3, 100)
    with torch.no_grad():
        net.logits.fill_(-5.0)
    joint = net(torch.ones(2, 3, 100, 100))
    assert bool(torch.isfinite(joint).all()) and float(joint.max()) < -1e5


def test_autocast_leaves_the_sums_over_pixels_as_they_are() -> None:
    model, x = LitNaiveBayes(num_classes=10, image_size=28), torch.rand(4, 1, 28, 28)
    torch.nn.init.normal_(model.net.logits)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = model(x)
    torch.testing.assert_close(mixed, model(x))


@pytest.mark.realdata
def test_accuracy_on_mnist_is_the_books_to_the_digit() -> None:
    """8,427 of 10,000, with all 60,000 training images: D2L 22.9."""
    splits = MNIST(val_size=1000).load("fit")
    images, labels = (torch.cat([splits["train"][k], splits["val"][k]]) for k in (0, 1))
    net = NaiveBayes().double()
    with torch.no_grad():
        for name, value in counted((images.flatten(1) >= 128).double(), labels, 10).items():
            getattr(net, name).copy_(value)
    test, y = splits["test"]
    batches = zip(test.split(1000), y.split(1000), strict=True)
    right = sum(int((net(x / 255.0).argmax(1) == t).sum()) for x, t in batches)
    assert right == 8427
