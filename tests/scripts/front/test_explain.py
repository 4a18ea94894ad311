"""Errors of the parser in one line."""

import datamodules.rl.rollouts  # noqa: F401  # its class is looked up where it is loaded
from scripts.front.explain import argument_names, unknown_key


def test_only_an_argument_that_can_be_given_is_suggested() -> None:
    names = argument_names("datamodules.rl.rollouts.Rollouts")
    assert {"num_steps", "env_id"} <= set(names) and not {"self", "args", "kwargs", "environments"} & set(names)


def test_an_unknown_key_has_a_remedy() -> None:
    known = ["data", "data.batch_size", "model.gamma"]
    assert unknown_key("data.batch_sise", known) == "unknown key data.batch_sise: did you mean 'data.batch_size'?"
    assert unknown_key("data.wings", known) == "unknown key data.wings: `dive fit RECIPE --help` shows the options"
