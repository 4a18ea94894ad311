"""Measures of generated pictures: their values on Gaussians, on copies and on what is missing."""

import pytest
import torch
from torch import Tensor

from common.messages import UserError
from lit_models.functional.generated_pictures import (
    PictureScores,
    frechet_distance,
    kernel_distance,
    kernel_distance_error,
    nearest,
    precision_recall,
)


def gaussian(rows: int, mean: float = 0.0, std: float = 1.0, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return mean + std * torch.randn(rows, 4, generator=generator, dtype=torch.float64)


def test_frechet_distance_of_gaussians_is_the_formula() -> None:
    """Of independent features: the sum of (m1 - m2)^2 + (s1 - s2)^2."""
    found = frechet_distance(gaussian(200_000), gaussian(200_000, 1.0, 3.0, seed=1))
    assert abs(float(found) - 4 * (1 + 4)) < 0.2


def test_distances_of_a_set_from_itself_are_zero_or_below() -> None:
    x = gaussian(300)
    assert abs(float(frechet_distance(x, x))) < 1e-9
    assert float(kernel_distance(x, x)) < 0  # pairs of a row with itself are left out within a set


def test_frechet_distance_of_few_pictures_is_too_large() -> None:
    few, many = (
        frechet_distance(gaussian(20), gaussian(20, seed=1)),
        frechet_distance(gaussian(2000), gaussian(2000, seed=1)),
    )
    assert float(few) > 20 * float(many)


def test_kernel_distance_has_no_bias() -> None:
    found = [float(kernel_distance(gaussian(15, seed=k), gaussian(25, seed=100 + k))) for k in range(100)]
    mean = sum(found) / len(found)
    assert min(found) < 0 and abs(mean) < 0.3
    assert float(kernel_distance(gaussian(100), gaussian(100, 1.0, seed=1))) > 1


def test_kernel_distance_error_is_the_spread_of_repeated_estimates() -> None:
    draws = [(gaussian(200, seed=k), gaussian(300, 0.5, seed=100 + k)) for k in range(60)]
    spread = torch.stack([kernel_distance(*both) for both in draws]).std()
    stated = torch.stack([kernel_distance_error(*both) for both in draws]).mean()
    assert 0.8 < float(stated / spread) < 1.3


def test_recall_falls_where_a_mode_is_missing_and_precision_where_one_is_invented() -> None:
    both = torch.cat([gaussian(200), gaussian(200, 50.0, seed=1)])
    one = gaussian(200, seed=2)
    precision, recall = precision_recall(both, one)
    assert float(precision) > 0.9 and 0.4 < float(recall) < 0.51
    precision, recall = precision_recall(one, both)
    assert 0.4 < float(precision) < 0.51 and float(recall) > 0.9


def test_nearest_finds_the_copy() -> None:
    among = torch.rand(20, 1, 4, 4)
    assert nearest(among[[3, 7]] + 1e-4, among).tolist() == [3, 7]


def test_scores_over_batches_are_those_of_all_rows() -> None:
    scores, real, fake = PictureScores(), gaussian(60).float(), gaussian(40, 0.5, seed=1).float()
    for part in real.split(25):
        scores.update(part, real=True)
    for part in fake.split(16):
        scores.update(part, real=False, right=part[:, 0] > 0)
    found = scores.compute()
    assert torch.isclose(found["fid"], frechet_distance(real, fake).float())
    assert torch.isclose(found["kid"], kernel_distance(real, fake).float())
    assert torch.isclose(found["agreement"], (fake[:, 0] > 0).float().mean())
    assert float(found["fid_floor"]) < float(found["fid"])


def test_the_floor_is_about_the_distance_of_as_many_other_real_pictures() -> None:
    scores = PictureScores()
    scores.update(gaussian(2000), real=True)
    scores.update(gaussian(2000, seed=1), real=False)
    found = scores.compute()
    assert 0.3 < float(found["fid_floor"] / found["fid"]) < 3


@pytest.mark.parametrize("measure", [frechet_distance, kernel_distance, kernel_distance_error, precision_recall])
def test_too_few_pictures_are_refused(measure) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UserError, match="pictures of each kind"):
        measure(gaussian(1), gaussian(9))
