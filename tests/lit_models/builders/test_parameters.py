"""Parameters: initializers by class, the book's own distribution, tied weights."""

import pytest
import torch
from torch import nn

from lit_models.builders.parameters import initialize, tails_, tied


def net() -> nn.Sequential:
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Sequential(nn.Linear(8, 8), nn.LayerNorm(8)), nn.Linear(8, 1))


def test_layers_are_drawn_by_class_at_any_depth() -> None:
    model = net()
    left = initialize(model, {nn.Linear: lambda w: nn.init.constant_(w, 42.0)}, bias=nn.init.ones_)
    assert left == ["2.1"]  # the normalization has a weight too
    for layer in model.modules():
        if isinstance(layer, nn.Linear):
            assert bool((layer.weight == 42).all()) and bool((layer.bias == 1).all())
    assert bool((model[2][1].weight == 1).all())


def test_subclasses_are_covered_and_the_first_rule_counts() -> None:
    class Own(nn.Linear):
        pass

    model = nn.Sequential(Own(2, 2), nn.Linear(2, 2))
    initialize(model, {Own: nn.init.ones_, nn.Linear: nn.init.zeros_})
    assert bool((model[0].weight == 1).all()) and bool((model[1].weight == 0).all())
    initialize(model, {nn.Linear: nn.init.zeros_})
    assert bool((model[0].weight == 0).all())  # type(m) == nn.Linear would pass it over


def test_a_layer_without_bias_is_no_trouble() -> None:
    assert initialize(nn.Linear(2, 2, bias=False), {nn.Linear: nn.init.zeros_}) == []


def test_the_books_distribution_is_nought_or_in_the_tails() -> None:
    weight = tails_(torch.empty(200, 200))
    assert float((weight == 0).float().mean()) == pytest.approx(0.5, abs=0.02)
    assert float(weight[weight != 0].abs().min()) >= 5 and float(weight.abs().max()) <= 10


def shared_twice() -> tuple[nn.Linear, nn.Sequential]:
    shared = nn.Linear(8, 8)
    return shared, nn.Sequential(nn.Linear(4, 8), nn.ReLU(), shared, nn.ReLU(), shared, nn.ReLU(), nn.Linear(8, 1))


def test_a_tied_layer_has_one_entry_in_parameters_and_two_in_the_state_dict() -> None:
    _, model = shared_twice()
    assert tied(model) == [["2.weight", "4.weight"], ["2.bias", "4.bias"]] and tied(net()) == []
    assert len(list(model.parameters())) == 6 and len(model.state_dict()) == 8


def test_its_gradient_is_the_sum_over_its_uses() -> None:
    shared, model = shared_twice()
    x = torch.randn(5, 4)
    model(x).sum().backward()
    copies = [nn.Linear(8, 8), nn.Linear(8, 8)]
    for copy in copies:
        copy.load_state_dict(shared.state_dict())
    nn.Sequential(model[0], nn.ReLU(), copies[0], nn.ReLU(), copies[1], nn.ReLU(), model[6])(x).sum().backward()
    assert copies[0].weight.grad is not None and copies[1].weight.grad is not None
    torch.testing.assert_close(shared.weight.grad, copies[0].weight.grad + copies[1].weight.grad)


def test_changing_one_name_changes_the_other() -> None:
    _, model = shared_twice()
    model[2].weight.data[0, 0] = 100
    assert model[4].weight[0, 0] == 100
