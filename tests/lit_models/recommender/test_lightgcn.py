"""LightGCN: the battery, and its steps over the graph."""

import torch

from lit_models.recommender.lightgcn import LightGCN, LitLightGCN
from tests.battery import ADAM, RankerBattery


class TestLitLightGCN(RankerBattery):
    parameters = (12 + 15) * 4

    def model(self) -> LitLightGCN:
        return LitLightGCN(num_users=12, num_items=15, embed_size=4, num_layers=2, optimizer=ADAM)


def test_one_step_by_the_normalized_matrix() -> None:
    net = LightGCN(2, 3, embed_size=2, num_layers=1)
    net.take_graph(torch.tensor([0, 1, 5]))  # user 0 has 0 and 1, user 1 has 2
    a = torch.zeros(5, 5)
    for user, item in ((0, 2), (0, 3), (1, 4)):
        a[user, item] = a[item, user] = 1
    scale = a.sum(1).rsqrt()
    x = net.nodes.weight.detach()
    expected = (x + scale[:, None] * a * scale @ x) / 2
    torch.testing.assert_close(torch.cat(net.smoothed()).detach(), expected)


def test_without_steps_it_is_a_plain_product() -> None:
    net = LightGCN(2, 3, embed_size=2, num_layers=0)
    net.take_graph(torch.tensor([0, 5]))
    user, item = net.nodes.weight[:2], net.nodes.weight[2:]
    torch.testing.assert_close(net(torch.tensor([0, 1]), torch.zeros(2, 0)), user @ item.T)
