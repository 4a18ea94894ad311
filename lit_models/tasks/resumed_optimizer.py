"""Optimizer settings that were changed for a resumed run: the command line overrides the checkpoint.

A checkpoint restores the optimizer's whole state, including its hyper-parameters. ``Task`` therefore saves the
settings that the optimizer was built with, and after a restore applies those that differ now.
"""

from typing import Any

from torch.optim import Optimizer

from common.messages import UserError, note

Setup = dict[str, Any]


def setup_of(optimizer: Optimizer) -> Setup:
    """The class of an optimizer and each group's plain hyper-parameters as they were set up, before any schedule."""
    groups = [
        {
            k: v
            for k, v in group.items()
            if k not in ("params", "initial_lr") and isinstance(v, bool | int | float | tuple)
        }
        for group in optimizer.param_groups
    ]
    return {"class": type(optimizer).__name__, "groups": groups}


def refuse_another(then: Setup, now: Setup, argument: str = "optimizer") -> None:
    """Refuses to resume with an optimizer that cannot use the saved state.

    Args:
        then: The run's setup.
        now: That of the optimizer.
        argument: The model's that makes it.

    Raises:
        UserError: Another class, or another number of parameter groups.
    """
    if then["class"] != now["class"]:
        raise UserError(
            f"model.{argument} is {now['class']}, the run was trained with {then['class']}: its state does not fit. "
            "Resume with the same optimizer, or start a new run"
        )
    if len(then["groups"]) != len(now["groups"]):
        raise UserError(
            f"model.{argument} has {len(now['groups'])} groups of parameters, the run had {len(then['groups'])}: "
            "resume with the same model.decay_biases and frozen layers"
        )


def apply_changes(
    optimizer: Optimizer, schedules: list[Any], then: Setup, now: Setup, argument: str = "optimizer"
) -> None:
    """Sets the changed settings in a restored optimizer, which the model's ``argument`` made; a new learning rate
    rescales its schedule too.
    """
    for index, (group, old, new) in enumerate(zip(optimizer.param_groups, then["groups"], now["groups"], strict=True)):
        for name in [name for name in new if name in old and tuple_of(new[name]) != tuple_of(old[name])]:
            if name == "lr" and old["lr"]:
                group["lr"] *= new["lr"] / old["lr"]
                group["initial_lr"] = new["lr"]
                for schedule in schedules:
                    if hasattr(schedule, "base_lrs"):
                        schedule.base_lrs[index] = new["lr"]
            else:
                group[name] = new[name]
            if index == 0:
                note(f"{argument}.{name} was {old[name]} in this run and is {new[name]} from here on")


def tuple_of(value: Any) -> Any:
    """Turns a list from a checkpoint back into the tuple that was saved."""
    return tuple(value) if isinstance(value, list) else value
