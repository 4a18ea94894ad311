"""Weights of a run whose network predicts something else: they load without an error, and would be misread."""

from collections.abc import Mapping
from typing import Any

from common.messages import UserError
from lit_models.layers.weight_files import read_weights

MEANING = ("num_timesteps", "prediction", "schedule", "variance", "zero_snr")


def refuse_other_meaning(source: str, own: Mapping[str, Any]) -> None:
    """Compares what a run's network predicts, and at which levels, with a model's own arguments.

    Args:
        source: The run's file or folder; files of other projects do not say and pass.
        own: The model's arguments.

    Raises:
        UserError: They differ.
    """
    theirs = read_weights(source).arguments
    if other := {name: theirs[name] for name in MEANING if name in theirs and theirs[name] != own[name]}:
        options = " ".join(f"--model.{name} {str(value).lower()}" for name, value in other.items())
        raise UserError(f"weights: the network in {source} was trained with another meaning: give {options}")
