"""The generated line: its rule can be estimated, and only its own seed changes it."""

import pytest
import torch
from torch import Tensor

from common.messages import UserError
from datamodules.synthetic.linear import SyntheticRegression
from lit_models.linear.linear_regression import closed_form


def splits(**arguments: int) -> dict[str, tuple[Tensor, ...]]:
    return SyntheticRegression(**arguments).load("fit")


def test_least_squares_finds_the_books_weights_and_bias() -> None:
    weights, bias = closed_form(*splits()["train"])
    torch.testing.assert_close(weights, torch.tensor([2.0, -3.4]), atol=2e-3, rtol=0)
    torch.testing.assert_close(bias, torch.tensor(4.2), atol=2e-3, rtol=0)


def test_what_the_rule_leaves_is_the_noise() -> None:
    data = SyntheticRegression(noise=0.5, num_train=20_000)
    x, y = data.load("fit")["train"]
    rest = y - (x @ data.weights + data.bias)
    assert abs(float(rest.std()) - 0.5) < 0.01  # three times 0.5 / sqrt(2 N) is 0.0075
    assert abs(float(rest.mean())) < 0.012


def test_the_runs_seed_does_not_change_the_data() -> None:
    torch.manual_seed(1)
    first = splits()
    torch.manual_seed(2)
    again = splits()
    assert all(torch.equal(a, b) for name in first for a, b in zip(first[name], again[name], strict=True))


def test_the_datas_own_seed_changes_it() -> None:
    assert not torch.equal(splits()["train"][0], splits(data_seed=1)["train"][0])


def test_splits_have_their_sizes_and_no_row_in_common() -> None:
    parts = splits(num_train=50, num_val=40, num_test=30)
    assert [len(parts[name][1]) for name in ("train", "val", "test")] == [50, 40, 30]
    rows = torch.cat([parts[name][0] for name in ("train", "val", "test")])
    assert len(rows.unique(dim=0)) == 120


def test_predict_split_has_no_target() -> None:
    assert len(splits()["predict"]) == 1


def test_one_weight_is_used_for_all_features() -> None:
    data = SyntheticRegression(num_features=200, weights=[0.01])
    assert data.weights.shape == (200,) and data.load("fit")["train"][0].shape == (1000, 200)
    assert bool((data.weights == 0.01).all())


def test_weights_that_do_not_fit_the_features_are_refused() -> None:
    with pytest.raises(UserError, match=r"data.weights has 2 numbers for data.num_features 3"):
        SyntheticRegression(num_features=3)


def test_batches_have_the_regressors_shapes() -> None:
    data = SyntheticRegression(batch_size=32)
    data.setup("fit")
    loader = data.train_dataloader()
    x, y = next(iter(loader))
    assert len(loader) == 32 and x.shape == (32, 2) and y.shape == (32,)


def test_an_empty_split_is_refused() -> None:
    with pytest.raises(UserError, match="val split"):
        SyntheticRegression(num_val=0).setup("fit")
