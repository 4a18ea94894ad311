"""Caser: the battery, and the facts of its own file."""

import torch

from lit_models.recommender.caser import Caser, LitCaser
from tests.battery import ADAM, RankerBattery


class TestLitCaser(RankerBattery):
    batches = "windows"
    parameters = 12 * 4 + 16 * 4 + (1 + 2) * 4 * 2 + 4 + (2 * 3 + 3) - 0 + ((2 * 2 + 3 * 4) * 4 + 4) + 15 * 8 + 15

    def model(self) -> LitCaser:
        return LitCaser(
            num_users=12, num_items=15, context=2, embed_size=4, horizontal=2, vertical=3, dropout=0.0, optimizer=ADAM
        )


def test_only_the_last_items_count_and_their_order_does() -> None:
    net, users = Caser(3, 9).eval(), torch.tensor([1])
    last = [1, 2, 3, 4, 5]
    torch.testing.assert_close(net(users, torch.tensor([[8, *last]])), net(users, torch.tensor([[0, *last]])))
    assert not torch.allclose(net(users, torch.tensor([last])), net(users, torch.tensor([last[::-1]])))


def test_without_vertical_kernels_and_with_one_row() -> None:
    net = Caser(3, 9, vertical=0)
    assert net(torch.tensor([1]), torch.tensor([[1]])).shape == (1, 9) and net.down is None
