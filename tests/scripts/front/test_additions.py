"""A resumed run has each addition of its presets once."""

from scripts.front.additions import is_there

MIXUP = {"class_path": "a.Mixup", "init_args": {"alpha": 0.4}}
PRESET = {"model": {"init_args": {"regularizers+": [MIXUP]}}}


def test_what_the_run_has_is_there_with_other_numbers_too_and_other_classes_are_not() -> None:
    run = {"model": {"class_path": "x", "init_args": {"regularizers": [{"class_path": "a.Mixup", "init_args": {}}]}}}
    assert is_there(PRESET, run)
    assert not is_there(PRESET, {"model": {"init_args": {"regularizers": [{"class_path": "a.CutMix"}]}}})
    assert not is_there(PRESET, {"model": {"init_args": {"regularizers": None}}}) and not is_there(PRESET, {})


def test_a_preset_that_only_sets_values_is_always_laid_over() -> None:
    assert not is_there({"trainer": {"max_epochs": 3}}, {"trainer": {"max_epochs": 3}})
