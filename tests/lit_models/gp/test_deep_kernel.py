"""Deep kernels: the kernel sees features, the network gets a gradient, and learned features are better."""

from functools import partial
from pathlib import Path

import torch

from datamodules.synthetic.friedman import Friedman
from lit_models.gp.deep_kernel import DeepKernel, LitDeepKernel
from tests.small import small_trainer

ADAM = partial(torch.optim.Adam, lr=0.02)


def test_features_are_in_the_open_cube_and_inducing_points_among_them() -> None:
    gp = DeepKernel(10, feature_size=3, num_inducing=5)
    x, y = 5 * torch.randn(40, 10), torch.randn(40)
    gp.begin(x, y)
    assert gp.see(x).shape == (40, 3) and float(gp.see(x).abs().max()) < 1
    assert gp.num_features == 3
    assert float(gp.gp.variational_strategy.inducing_points.abs().max()) < 1.05


def test_every_layer_gets_a_gradient_unless_it_is_frozen() -> None:
    x, y = torch.randn(20, 10), torch.randn(20)
    for learn in (True, False):
        gp = DeepKernel(10, learn_features=learn)
        gp.begin(x, y)
        with torch.no_grad():  # as the prior, the process does not depend on what it sees
            next(gp.gp.variational_strategy._variational_distribution.parameters()).normal_()
        gp.loss(x, y, 20).backward()
        gradients = [p.grad for p in gp.features.parameters()]
        assert all((g is not None and bool(g.abs().sum() > 0)) is learn for g in gradients)


def test_learned_features_are_better_than_random_ones(tmp_path: Path) -> None:
    errors = []
    for learn in (True, False):
        model = LitDeepKernel(num_features=10, num_inducing=16, learn_features=learn, optimizer=ADAM)
        data = Friedman(num_train=600, batch_size=100)
        trainer = small_trainer(tmp_path, max_epochs=15, limit_val_batches=0)
        trainer.fit(model, datamodule=data)
        errors.append(trainer.test(model, datamodule=data, verbose=False)[0]["test/rmse"])
    assert errors[0] < 0.8 * errors[1]
