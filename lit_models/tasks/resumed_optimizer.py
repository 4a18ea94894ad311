"""What a resumed run does with an optimizer setting that was changed: the command line wins over the checkpoint.

A checkpoint restores the optimizer's whole state, its hyper-parameters among them. ``Task`` therefore saves what the
optimizer was set up with, and after a restore applies the difference between then and now.
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


def refuse_another(then: Setup, now: Setup) -> None:
    """Refuses to go on with an optimizer whose state would mean something else.

    Raises:
        UserError: Another class, or another number of parameter groups.
    """
    if then["class"] != now["class"]:
        raise UserError(
            f"model.optimizer is {now['class']}, the run was trained with {then['class']}: its state does not fit. "
            "Resume with the same optimizer, or start a new run"
        )
    if len(then["groups"]) != len(now["groups"]):
        raise UserError(
            f"the optimizer has {len(now['groups'])} groups of parameters, the run had {len(then['groups'])}: "
            "resume with the same model.decay_biases and frozen layers"
        )


def apply_changes(optimizer: Optimizer, schedules: list[Any], then: Setup, now: Setup) -> None:
    """Sets what differs between then and now in a restored optimizer; a new rate moves its schedule too."""
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
                note(f"optimizer.{name} was {old[name]} in this run and is {new[name]} from here on")


def tuple_of(value: Any) -> Any:
    """A list out of a checkpoint as the tuple that it was."""
    return tuple(value) if isinstance(value, list) else value
