"""Shifted data: source and target are as stated, the target has no labels, and the seed changes the data."""

import pytest
import torch

from common.messages import UserError
from datamodules.synthetic.shift import CovariateShift, LabelShift

MANY = {"num_train": 20_000, "num_val": 10, "num_target": 20_000, "num_test": 20_000}


def test_inputs_move_and_the_rule_stays() -> None:
    data = CovariateShift(**MANY)
    splits = data.load("fit")
    for x, mean, std in ((splits["train"][0], 0.5, 0.5), (splits["test"][0], 0, 0.3), (data.target_x, 0, 0.3)):
        assert float(x.mean()) == pytest.approx(mean, abs=0.02) and float(x.std()) == pytest.approx(std, abs=0.02)
    for name in ("train", "test"):
        x, y = splits[name]
        assert float((y - (x**3 - x)[:, 0]).std()) == pytest.approx(0.3, abs=0.01)


def test_class_probabilities_change_and_the_classes_stay() -> None:
    data = LabelShift(**MANY)
    splits = data.load("fit")
    for name, priors in (("train", (0.7, 0.2, 0.1)), ("test", (0.1, 0.2, 0.7))):
        x, y = splits[name]
        torch.testing.assert_close(torch.bincount(y) / len(y), torch.tensor(priors), atol=0.02, rtol=0)
        for k in range(3):
            torch.testing.assert_close(x[y == k].mean(0), data.corners[k], atol=0.06, rtol=0)


def test_the_target_sample_has_no_test_row() -> None:
    data = CovariateShift()
    data.setup("fit")
    assert data.target_x.shape == (200, 1)
    assert not set(data.target_x[:, 0].tolist()) & set(data.splits["test"][0][:, 0].tolist())


def test_the_runs_seed_draws_anew_unless_the_data_has_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    def first(**arguments: int) -> float:
        return float(CovariateShift(**arguments).load("fit")["train"][0][0])

    a, fixed = first(), first(data_seed=7)
    monkeypatch.setenv("PL_GLOBAL_SEED", "1")
    assert first() != a and first(data_seed=7) == fixed


def test_bayes_rule_is_better_with_the_targets_priors_than_with_the_sources() -> None:
    right = LabelShift(**MANY)
    wrong = LabelShift(**MANY, target=(0.7, 0.2, 0.1))
    x, y = right.load("fit")["test"]
    assert right.best_accuracy(x, y) > wrong.best_accuracy(x, y) + 0.1


@pytest.mark.parametrize("priors", [(0.5, 0.5), (0.5, 0.2, 0.2), (1.2, -0.1, -0.1)])
def test_probabilities_that_do_not_fit_are_refused(priors: tuple[float, ...]) -> None:
    with pytest.raises(UserError, match=r"data.target .* give 3 probabilities"):
        LabelShift(target=priors)
