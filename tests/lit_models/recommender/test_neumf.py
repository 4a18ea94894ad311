"""NeuMF: the battery, and the facts of its own file."""

import torch

from lit_models.recommender.neumf import LitNeuMF, NeuMF
from tests.battery import ADAM, RankerBattery


class TestLitNeuMF(RankerBattery):
    parameters = 2 * (12 + 15) * 4 + (8 * 6 + 6) + (6 * 3 + 3) + (4 + 3) + 15

    def model(self) -> LitNeuMF:
        return LitNeuMF(num_users=12, num_items=15, embed_size=4, mlp_sizes=(6, 3), optimizer=ADAM)


def test_all_items_are_ranked_and_not_as_many_as_there_are_users() -> None:
    assert NeuMF(5, 9)(torch.tensor([0]), torch.zeros(1, 0)).shape == (1, 9)


def test_scores_are_logits_and_the_product_can_be_left_out() -> None:
    net = NeuMF(2, 3, embed_size=1, mlp_sizes=(2,))
    torch.nn.init.constant_(net.user.weight, 3.0)
    torch.nn.init.constant_(net.item.weight, 2.0)
    torch.nn.init.zeros_(net.output.weight[:, 1:].detach())
    assert net(torch.tensor([0]), torch.zeros(1, 0)).tolist() == [[6.0] * 3]
    net.product = False
    assert net(torch.tensor([0]), torch.zeros(1, 0)).tolist() == [[0.0] * 3]
