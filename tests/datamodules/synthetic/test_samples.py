"""Rows have the distribution that the datamodule states."""

import pytest
import torch

from common.messages import UserError
from datamodules.synthetic.samples import Samples


@pytest.mark.parametrize("family", ["bernoulli", "categorical", "exponential", "gaussian", "laplace", "poisson"])
def test_rows_have_the_stated_mean_and_the_same_rows_come_again(family: str) -> None:
    data = Samples(family=family, num_features=3, num_values=4, num_train=20_000)  # type: ignore[arg-type]
    (x,) = data.load("fit")["train"]
    truth = data.truth()
    if family != "categorical":
        assert float(((x.double().mean(0) - truth.mean) / truth.variance.sqrt()).abs().max()) < 0.03
    assert torch.equal(x, data.load("fit")["train"][0])
    torch.testing.assert_close(data.log_density(x[:9]), truth.log_prob(x[:9].double()).float())


def test_sizes_that_make_no_sense_are_one_line() -> None:
    with pytest.raises(UserError, match="give at least 1 and 2"):
        Samples(num_values=1)
