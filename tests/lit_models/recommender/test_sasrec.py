"""SASRec: the battery, the order of time, and short histories."""

from pathlib import Path

import pytest
import torch

from common.messages import UserError
from datamodules.ratings.ratings_file import RatingsFile
from lit_models.recommender.sasrec import LitSASRec, SASRec
from tests.battery import ADAM, RankerBattery
from tests.small import small_trainer


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


def histories(folder: Path, *lengths: int) -> RatingsFile:
    """A file of users with so many ratings; leave_one_out tests and validates with two of three and more."""
    path = folder / "ratings.csv"
    rows = [f"u{user},i{item}" for user, length in enumerate(lengths) for item in range(length)]
    path.write_text("\n".join(["user,item", *rows]) + "\n")
    return RatingsFile(str(path), batches="users", batch_size=1)


def test_a_batch_of_users_with_one_training_item_has_a_loss_of_zero(tmp_path: Path) -> None:
    data = histories(tmp_path, 1, 3, 7)
    model = LitSASRec(num_users=3, num_items=7, hidden_size=8, num_layers=1, optimizer=ADAM)
    trainer = small_trainer(tmp_path, max_epochs=1)
    trainer.fit(model, datamodule=data)
    assert 0 < float(trainer.callback_metrics["train/loss"]) < torch.inf  # of the third user
    assert all(torch.isfinite(p).all() for p in model.parameters())
    assert float(model.training_step((torch.tensor([0]), torch.tensor([[2]])), 0).detach()) == 0


def test_data_without_a_second_item_is_one_line(tmp_path: Path) -> None:
    model = LitSASRec(num_users=2, num_items=3, hidden_size=8, optimizer=ADAM)
    with pytest.raises(UserError, match="no user has two training items"):
        small_trainer(tmp_path).fit(model, datamodule=histories(tmp_path, 3, 1))
