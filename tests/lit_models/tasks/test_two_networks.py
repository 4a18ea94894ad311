"""Averaged weights, frozen networks, optimizers that take more steps."""

import torch
from torch import nn

from lit_models.tasks.two_networks import frozen, move_average, rescaled


def test_the_average_is_torch_s_and_its_buffers_are_those_of_the_network() -> None:
    from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    average = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    average.load_state_dict(net.state_dict())
    reference = AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(0.9))
    reference.update_parameters(net)
    for _ in range(3):
        net(torch.randn(8, 3))
        for p in net.parameters():
            p.data.add_(torch.randn_like(p))
        move_average(average, net, 0.9)
        reference.update_parameters(net)
    for mine, its in zip(average.parameters(), reference.module.parameters(), strict=True):
        torch.testing.assert_close(mine, its)
    assert torch.equal(average[1].running_mean, net[1].running_mean)


def test_a_half_life_halves_the_old_weights() -> None:
    average, net = nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)
    average.weight.data.fill_(1.0), net.weight.data.zero_()
    for _ in range(10):
        move_average(average, net, 0.5 ** (100 / 1000))
    torch.testing.assert_close(float(average.weight), 0.5)


def test_a_frozen_network_passes_gradients_on_and_keeps_none() -> None:
    net = nn.Linear(2, 1)
    net.bias.requires_grad_(False)
    x = torch.randn(3, 2, requires_grad=True)
    with frozen(net):
        net(x).sum().backward()
    assert net.weight.grad is None and x.grad is not None
    assert net.weight.requires_grad and not net.bias.requires_grad


def test_seventeen_steps_in_sixteen_batches_have_lower_rates_and_betas() -> None:
    optimizer = rescaled(torch.optim.Adam([nn.Parameter(torch.zeros(1))], lr=0.002, betas=(0.0, 0.99)), 16 / 17)
    group = optimizer.param_groups[0]
    assert group["lr"] == 0.002 * 16 / 17 and group["betas"] == (0.0, 0.99 ** (16 / 17))
