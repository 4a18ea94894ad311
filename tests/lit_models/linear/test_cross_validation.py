"""Cross-validation: folds part the rows, the error is scikit-learn's, and it finds the degree of the data."""

import pytest
import torch
from torch import Tensor

from datamodules.synthetic.polynomial import NoisyPolynomial
from lit_models.linear.cross_validation import Predictor, choose, cross_validation_error, folds
from lit_models.linear.polynomial import least_squares


@pytest.mark.parametrize(("rows", "k"), [(10, 5), (11, 4), (3, 3)])
def test_each_row_is_held_out_once_and_never_trained_on_then(rows: int, k: int) -> None:
    parts = list(folds(rows, k))
    assert torch.cat([held for _, held in parts]).sort().values.tolist() == list(range(rows))
    assert all(not set(train.tolist()) & set(held.tolist()) for train, held in parts)
    sizes = [len(held) for _, held in parts]
    assert len(parts) == k and max(sizes) - min(sizes) <= 1


def test_the_order_is_shuffled_unless_the_seed_is_negative() -> None:
    assert next(folds(6, 3, seed=-1))[1].tolist() == [0, 1]
    assert next(folds(100, 3))[1].tolist() != list(range(34))


@pytest.mark.parametrize(("rows", "k"), [(4, 5), (4, 1)])
def test_too_few_rows_or_folds_are_refused(rows: int, k: int) -> None:
    with pytest.raises(ValueError, match=f"{k} folds of 4 rows"):
        next(folds(rows, k))


def test_the_mean_as_a_model_has_the_error_computed_by_hand() -> None:
    y = torch.tensor([0.0, 2.0, 4.0])
    error = cross_validation_error(y, y, lambda x, y: lambda new: y.mean().expand(len(new)), k=3)
    assert float(error) == pytest.approx((9 + 0 + 9) / 3)  # each left out of the mean of the other two


def polynomial(degree: int, x: Tensor, y: Tensor) -> Predictor:
    net = least_squares(x, y, degree)
    return lambda new: net(new.double())[:, 0].detach()


def test_it_chooses_the_degree_of_the_data_where_the_training_error_would_take_the_largest() -> None:
    x, y = NoisyPolynomial(num_train=40).load("fit")["train"]
    degree, errors = choose(range(1, 9), x, y, polynomial)
    assert degree == 3 and errors[0] > 100 * errors[2]
    training = [float((polynomial(d, x, y)(x) - y).square().mean()) for d in range(1, 9)]
    assert min(training) == training[-1]
