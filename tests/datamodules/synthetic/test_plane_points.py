"""Points whose distribution is known."""

import pytest
import torch

from datamodules.synthetic.plane_points import PlanePoints


@pytest.mark.parametrize(("kind", "modes"), [("gaussian", 1), ("ring", 8), ("grid", 25)])
def test_the_points_have_the_moments_that_the_data_states(kind: str, modes: int) -> None:
    data = PlanePoints(kind=kind, num_train=20000)  # type: ignore[arg-type]
    (x,) = data.load("fit")["train"]
    assert data.modes.shape == (modes, 2)
    torch.testing.assert_close(x.mean(0), data.true_mean, atol=0.06, rtol=0)
    torch.testing.assert_close(x.T.cov(), data.true_covariance, atol=0.1, rtol=0.05)


def test_the_book_s_covariance_is_a_transposed_a() -> None:
    expected = torch.tensor([[1.01, 1.95], [1.95, 4.25]])
    torch.testing.assert_close(PlanePoints().true_covariance, expected)


def test_points_of_a_mixture_are_near_their_modes() -> None:
    data = PlanePoints(kind="ring", std=0.05)
    (x,) = data.load("fit")["train"]
    assert float((torch.cdist(x, data.modes).min(1).values < 0.25).float().mean()) == 1


def test_splits_have_other_points_and_the_run_s_seed_does_not_matter() -> None:
    torch.manual_seed(1)
    one = PlanePoints().load("fit")
    torch.manual_seed(2)
    two = PlanePoints().load("fit")
    assert torch.equal(one["train"][0], two["train"][0])
    assert not torch.equal(one["train"][0], one["val"][0])
