"""A second head: a part of the model, of its checkpoint and of its optimizer; its gradient reaches what is shared."""

from typing import Any

import pytest
import torch

from common.messages import UserError
from lit_models.cnn.lenet import LitLeNet
from lit_models.regularization.multitask import Rotation, turned


def test_each_image_is_turned_by_its_own_number_of_quarters() -> None:
    x = torch.arange(3.0 * 2 * 2).reshape(3, 1, 2, 2)
    found = turned(x, torch.tensor([0, 1, 2]))
    assert torch.equal(found[0], x[0]) and torch.equal(found[2], x[2].flip(-1).flip(-2))
    assert found[1, 0].tolist() == [[5, 7], [4, 6]], "counter-clockwise"


def test_the_head_is_trained_with_the_features_and_is_in_the_checkpoint() -> None:
    torch.manual_seed(0)
    model: Any = LitLeNet(regularizers=[Rotation(0.5)])
    x = torch.rand(6, 1, 28, 28)
    logits = model(x)
    loss = model.regularizers[0].penalty(model, x, logits, logits.sum(1))
    loss.backward()
    head = model.second_heads["Rotation"]
    assert head.weight.grad.abs().sum() > 0 and next(model.net.parameters()).grad.abs().sum() > 0
    last = [m for m in model.net.modules() if isinstance(m, torch.nn.Linear)][-1]
    assert last.weight.grad is None, "the first task's head has no part in the second"
    assert head.in_features == last.in_features and "second_heads.Rotation.weight" in model.state_dict()
    groups = model.configure_optimizers().param_groups
    assert any(p is head.weight for group in groups for p in group["params"])
    assert not any(name.startswith("second") for name in LitLeNet().state_dict())


def test_what_it_cannot_do_is_one_line() -> None:
    with pytest.raises(UserError, match="weight is 0"):
        Rotation(0)
    model: Any = LitLeNet(regularizers=[Rotation()])
    with pytest.raises(UserError, match="needs square images, not 8 x 9"):
        model.regularizers[0].penalty(model, torch.rand(2, 1, 8, 9), torch.zeros(2, 10), torch.zeros(2))
    with pytest.raises(UserError, match="Flatten has no dense layer"):
        Rotation().build(torch.nn.Flatten())
