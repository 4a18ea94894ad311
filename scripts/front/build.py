"""A recipe's model and datamodule, built as ``dive fit`` would build them, without a trainer or a run folder."""

import logging
import sys
from typing import Any

from lightning.pytorch import LightningDataModule, LightningModule

from scripts.front.arguments import Command, add_working_directory, resolve
from scripts.front.lightning_cli import DiveCLI


class Builder(DiveCLI):
    """Parses, links, infers and instantiates; makes no run folder and asks for no device."""

    made = False

    def before_instantiate_classes(self) -> None:
        pass

    def instantiate_trainer(self, **kwargs: Any) -> Any:
        return None

    def after_instantiate_classes(self) -> None:
        pass


def build(argv: list[str]) -> tuple[Command, LightningModule, LightningDataModule | None]:
    """Builds what ``dive fit ARGV`` would train. No data is loaded; ``infer`` of a datamodule reads headers, as in fit.

    Raises:
        UserError: As in fit.
    """
    add_working_directory()
    return build_command(resolve("fit", argv))


def build_command(command: Command) -> tuple[Command, LightningModule, LightningDataModule | None]:
    """Builds what a resolved command would train or test."""
    command.verb = ""  # LightningCLI without subcommands
    typed = sys.argv[:]
    quiet = [logging.getLogger(name) for name in ("lightning.fabric", "lightning.pytorch")]
    levels = [log.level for log in quiet]
    try:
        for log in quiet:
            log.setLevel(logging.WARNING)  # no "Seed set to 0"
        sys.argv[1:] = command.args
        cli = Builder(command, run=False)
        return command, cli.model, cli.datamodule
    finally:
        sys.argv[:] = typed
        for log, level in zip(quiet, levels, strict=True):
            log.setLevel(level)
