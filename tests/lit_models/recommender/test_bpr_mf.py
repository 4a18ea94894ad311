"""BPR-MF: the battery, and the facts of its own file."""

import torch

from lit_models.recommender.bpr_mf import Factors, LitBPRMF
from tests.battery import ADAM, RankerBattery


class TestLitBPRMF(RankerBattery):
    parameters = 12 * 4 + 15 * 4 + 15

    def model(self) -> LitBPRMF:
        return LitBPRMF(num_users=12, num_items=15, embed_size=4, optimizer=ADAM)


def test_penalty_is_of_the_vectors_in_use() -> None:
    net = Factors(3, 4, 2, item_bias=False)
    torch.nn.init.ones_(net.user.weight)
    torch.nn.init.constant_(net.item.weight, 2.0)
    found = net.squares(torch.tensor([0, 1]), torch.tensor([[0, 3], [1, 1]]))
    assert float(found) == (2 * 2 + 4 * 8) / 4 and net.bias is None
