"""EM climbs, a step of the module is a sweep, and the planted mixture is found."""

from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest
import torch

from common.messages import UserError
from datamodules.synthetic.clusters import Clusters
from lit_models.probability.gaussian_mixture import GaussianMixture, LitGaussianMixture, held_out_losses
from scripts.evidence.parity.probability import clusters
from tests.small import small_trainer

SGD = partial(torch.optim.SGD, lr=1.0)


def test_the_likelihood_never_falls() -> None:
    x, net = clusters(), GaussianMixture(2, 3).double()
    net.start_at(x, torch.tensor([0.1, 0.5, 0.9]))
    losses = []
    for _ in range(30):
        losses.append(float(-net(x).mean()))
        net.fit(x, 1, reg_covar=0.0)
    assert all(after <= before + 1e-10 for before, after in pairwise(losses))
    assert losses[-1] < losses[0] - 0.1


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_one_training_step_is_one_sweep(precision: str, tmp_path: Path) -> None:
    data = Clusters(num_train=300, batch_size=300)
    model = LitGaussianMixture(num_features=2, num_components=3, optimizer=SGD)
    by_hand = GaussianMixture(2, 3)
    small_trainer(tmp_path, max_epochs=1, precision=precision).fit(model, data)
    x = data.splits["train"][0]
    by_hand.start_at(x, model.start)
    by_hand.fit(x, 1)
    for name, value in by_hand.state_dict().items():
        torch.testing.assert_close(model.net.state_dict()[name], value, msg=name)


def test_means_are_planted_far_from_each_other() -> None:
    x = torch.cat([torch.zeros(50, 2), torch.full((50, 2), 10.0)]) + 0.1 * torch.randn(100, 2)
    net = GaussianMixture(2, 2)
    net.start_at(x, torch.tensor([0.2, 0.7]))
    assert float((net.means[0] - net.means[1]).detach().norm()) > 10


def test_samples_have_the_density_of_the_mixture() -> None:
    net = GaussianMixture(2, 3).double()
    net.start_at(clusters(), torch.tensor([0.1, 0.5, 0.9]))
    net.fit(clusters(), 10)
    drawn = net.sample(20_000, torch.Generator().manual_seed(0)).detach()
    again = GaussianMixture(2, 3).double()
    again.load_state_dict(net.state_dict())
    again.fit(drawn, 5)
    assert float((net(drawn).mean() - again(drawn).mean()).detach().abs()) < 0.002
    mean = (net.logits.softmax(0)[:, None] * net.means).sum(0)
    torch.testing.assert_close(drawn.mean(0), mean.detach(), atol=0.05, rtol=0)


def test_held_out_rows_choose_the_number_of_components() -> None:
    data = Clusters(num_clusters=3, spread=6.0, num_train=600, num_val=600)
    splits = data.load("fit")
    losses = held_out_losses(splits["train"][0].double(), splits["val"][0].double(), range(1, 6), seed=1)
    assert losses[0] > losses[1] > losses[2]
    assert min(losses[2:]) > losses[2] - 0.02  # more components gain nothing


def test_a_resumed_run_does_not_start_anew(tmp_path: Path) -> None:
    data = Clusters(num_train=200, batch_size=200)
    model = LitGaussianMixture(num_features=2, num_components=3, optimizer=SGD)
    trainer = small_trainer(tmp_path, max_epochs=2)
    trainer.fit(model, data)
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    more = LitGaussianMixture(num_features=2, num_components=3, optimizer=SGD)
    small_trainer(tmp_path, max_epochs=4).fit(more, data, ckpt_path=tmp_path / "a.ckpt", weights_only=True)
    whole = LitGaussianMixture(num_features=2, num_components=3, optimizer=SGD)
    whole.start.copy_(model.start)
    small_trainer(tmp_path, max_epochs=4).fit(whole, data)
    assert torch.equal(more.net.means, whole.net.means)  # type: ignore[arg-type]


def test_fewer_rows_than_components_are_refused() -> None:
    with pytest.raises(UserError, match=r"2 rows for model.num_components 3"):
        GaussianMixture(2, 3).start_at(torch.randn(2, 2), torch.rand(3))
