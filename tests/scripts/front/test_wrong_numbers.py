"""Numbers that no class can use are refused by name before anything is built."""

import pytest

from common.messages import UserError
from scripts.cli import main
from scripts.front.wrong_numbers import numbers_of, refuse_wrong_numbers


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["mlp/mlp", "--model.optimizer.lr", ".nan"], "model.optimizer.lr is nan: give a number"),
        (["mlp/mlp", "--trainer.gradient_clip_val", ".nan"], "trainer.gradient_clip_val is nan: give a number"),
        (["linear/linear_regression", "--data.noise", "-1"], "data.noise is -1.0: give a number of at least 0"),
    ],
)
def test_a_run_is_not_begun(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", *words]) == 2
    assert message in capsys.readouterr().err


def test_numbers_are_found_in_lists_and_nested_classes() -> None:
    section = {
        "model": {"init_args": {"sizes": [1, {"init_args": {"p": 0.5}}], "flag": True, "name": "x", "none": None}},
        "data": None,
        "trainer": {},
    }
    assert list(numbers_of(section["model"], "model")) == [("model.sizes[0]", 1), ("model.sizes[1].p", 0.5)]
    refuse_wrong_numbers(section)
    with pytest.raises(UserError, match=r"model.sizes\[1\].min_count is -3"):
        refuse_wrong_numbers({"model": {"sizes": [0, {"min_count": -3}]}})
