"""Own layers: rows of mean nought, a dense layer that learns, and the book's, which does not."""

import torch
from torch import nn

from lit_models.builders.custom_layers import Centered, Dense


def test_each_rows_mean_is_nought_whoever_its_neighbors_are() -> None:
    x = torch.randn(4, 9) + 3
    assert float(Centered()(x).mean(1).abs().max()) < 1e-6
    assert torch.equal(Centered()(x)[:1], Centered()(x[:1]))  # the book's mean over the batch fails this
    assert not list(Centered().parameters())


def test_the_dense_layer_is_a_linear_one_with_a_relu() -> None:
    dense, linear, x = Dense(4, 3), nn.Linear(4, 3), torch.randn(6, 4)
    linear.load_state_dict({"weight": dense.weight.T, "bias": dense.bias})
    torch.testing.assert_close(dense(x), torch.relu(linear(x)))


def steps(detached: bool) -> tuple[float, float]:
    """First and last loss of a small network whose only learnable layer is the dense one."""
    dense, x = Dense(4, 3, detached), torch.rand(32, 4)
    nn.init.constant_(dense.weight, 0.1)  # every unit starts alive
    y = x[:, :3] * 2
    scale = nn.Parameter(torch.ones(()))  # so that there is a gradient at all
    descent = torch.optim.SGD([*dense.parameters()], lr=0.5)
    losses = []
    for _ in range(400):
        descent.zero_grad()
        loss = (scale * dense(x) - y).square().mean()
        loss.backward()
        descent.step()
        losses.append(float(loss.detach()))
    return losses[0], losses[-1]


def test_the_dense_layer_learns() -> None:
    first, last = steps(detached=False)
    assert last < 0.2 * first


def test_the_books_layer_never_does() -> None:
    first, last = steps(detached=True)
    assert first == last
