"""Rows come from the stated mixture."""

import pytest
import torch

from common.messages import UserError
from datamodules.synthetic.clusters import Clusters


def test_rows_of_a_cluster_have_its_mean_and_the_density_is_a_mixture() -> None:
    data = Clusters(num_train=20_000)
    x, k = data.load("fit")["train"]
    weights, means, factors = data.truth()
    for cluster in range(data.num_clusters):
        rows = x[k == cluster].double()
        torch.testing.assert_close(rows.mean(0), means[cluster], atol=0.1, rtol=0)
        torch.testing.assert_close(rows.T.cov(), factors[cluster] @ factors[cluster].T, atol=0.1, rtol=0)
    torch.testing.assert_close(k.bincount() / len(k), weights.float(), atol=0.02, rtol=0)
    grid = torch.cartesian_prod(*[torch.linspace(-16, 16, 401, dtype=torch.float64)] * 2)
    assert abs(float(data.log_density(grid).exp().sum() * 0.08**2) - 1) < 1e-3


def test_no_cluster_is_one_line() -> None:
    with pytest.raises(UserError, match="give at least 1"):
        Clusters(num_clusters=0)
