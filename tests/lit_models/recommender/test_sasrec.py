"""SASRec: the battery, and the order of time."""

import torch

from lit_models.recommender.sasrec import LitSASRec, SASRec
from tests.battery import ADAM, RankerBattery


class TestLitSASRec(RankerBattery):
    batches = "users"
    parameters = 16 * 8 + 6 * 8 + (3 * 8 * 8 + 24 + 64 + 8) + 2 * (64 + 8) + 4 * 8 + 2 * 8

    def model(self) -> LitSASRec:
        return LitSASRec(
            num_users=12, num_items=15, context=6, hidden_size=8, num_layers=1, dropout=0.0, optimizer=ADAM
        )


def test_a_place_does_not_see_what_comes_after_it() -> None:
    net = SASRec(9, context=5, hidden_size=8).eval().double()
    history = torch.tensor([[9, 1, 2, 3, 4]])
    other = torch.tensor([[9, 1, 2, 8, 7]])
    one, two = net.states(history), net.states(other)
    torch.testing.assert_close(one[:, :3], two[:, :3])
    assert not torch.allclose(one[:, 3:], two[:, 3:])


def test_the_order_of_items_matters_and_without_positions_in_one_layer_only_who_is_last() -> None:
    users, one, two = torch.tensor([0]), torch.tensor([[1, 2, 3]]), torch.tensor([[2, 1, 3]])
    whole, bag = SASRec(9, hidden_size=8).eval(), SASRec(9, hidden_size=8, num_layers=1, positions=False).eval()
    assert not torch.allclose(whole(users, one), whole(users, two))
    torch.testing.assert_close(bag(users, one), bag(users, two))
    assert not torch.allclose(bag(users, one), bag(users, one.flip(1)))


def test_only_the_last_items_are_looked_at_and_none_is_allowed() -> None:
    net = SASRec(9, context=2, hidden_size=8).eval()
    users = torch.tensor([0])
    torch.testing.assert_close(net(users, torch.tensor([[5, 1, 2]])), net(users, torch.tensor([[7, 1, 2]])))
    assert torch.isfinite(net(users, torch.zeros(1, 0, dtype=torch.long))).all()


def test_every_parameter_has_a_gradient_without_positions_too() -> None:
    net = SASRec(9, hidden_size=8, positions=False)
    net(torch.tensor([0]), torch.tensor([[1, 2, 3]])).sum().backward()
    assert all(p.grad is not None for p in net.parameters()) and not bool(net.place.grad.any())  # type: ignore[union-attr]
