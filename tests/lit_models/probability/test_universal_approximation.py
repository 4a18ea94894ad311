"""Width helps units that bend, and only those."""

from functools import partial
from pathlib import Path

import torch

from datamodules.synthetic.wiggle import Wiggle
from lit_models.probability.universal_approximation import LitUniversalApproximation, RandomFeatures, ridge
from tests.small import small_trainer


def test_the_error_falls_with_width_for_relu_and_stays_for_linear_units() -> None:
    splits = Wiggle().load("fit")
    (x, y), (new, truth) = ([t.double() for t in splits[name]] for name in ("train", "val"))
    errors: dict[str, list[float]] = {}
    for activation in ("relu", "identity"):
        for width in (4, 32, 256):
            torch.manual_seed(0)
            net = RandomFeatures(1, width, activation).double()  # type: ignore[arg-type]
            weights = ridge(net.hidden(x), y)
            error = float((net.hidden(new) @ weights - truth).square().mean().sqrt())
            errors.setdefault(activation, []).append(error)
    relu, linear = errors["relu"], errors["identity"]
    assert relu[0] > 5 * relu[1] > 25 * relu[2]
    assert max(linear) - min(linear) < 0.01 and min(linear) > 0.5


def test_one_epoch_reaches_the_solution_in_closed_form(tmp_path: Path) -> None:
    data = Wiggle(batch_size=1000)
    model = LitUniversalApproximation(width=30, optimizer=partial(torch.optim.SGD, lr=1.0))
    small_trainer(tmp_path, max_epochs=1).fit(model, data)
    x, y = (t.double() for t in data.splits["train"])
    expected = ridge(model.net.hidden(x), y)
    scale = float(expected.abs().max())
    torch.testing.assert_close(model.net.weight.detach().double(), expected, atol=1e-5 * scale, rtol=0)
    assert len(model.panels()) == 2
