"""A recipe's model and datamodule, built as ``dive fit`` would build them, without a trainer or a run folder."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lightning.pytorch import LightningDataModule, LightningModule

from scripts.front.arguments import Command, resolve
from scripts.front.lightning_cli import DiveCLI
from scripts.front.working_directory import add_working_directory


class Builder(DiveCLI):
    """Parses, links, infers and instantiates; makes neither a run folder nor a trainer with devices."""

    def before_instantiate_classes(self) -> None:
        pass

    def instantiate_trainer(self, **kwargs: Any) -> Any:
        return None

    def after_instantiate_classes(self) -> None:
        pass


class Parsed(Builder):
    """Parses, links and infers only."""

    def instantiate_classes(self) -> None:
        pass


def parse(argv: list[str]) -> Parsed:
    """The configuration of ``dive fit ARGV``, in ``config``.

    Raises:
        UserError: As in fit.
    """
    add_working_directory()
    with typed(command := resolve("fit", argv)):
        return Parsed(command, run=False)


def build(argv: list[str]) -> tuple[Command, LightningModule, LightningDataModule | None]:
    """Builds what ``dive fit ARGV`` would train. No data is loaded; ``infer`` of a datamodule reads headers, as in fit.

    Raises:
        UserError: As in fit.
    """
    add_working_directory()
    return build_command(resolve("fit", argv))


def build_command(command: Command) -> tuple[Command, LightningModule, LightningDataModule | None]:
    """Builds what a resolved command would train or test."""
    with typed(command):
        cli = Builder(command, run=False)
        return command, cli.model, cli.datamodule


@contextmanager
def typed(command: Command) -> Iterator[None]:
    """A command's arguments where LightningCLI reads them, without its subcommands and its "Seed set to 0"."""
    command.verb = ""
    before = sys.argv[:]
    quiet = [logging.getLogger(name) for name in ("lightning.fabric", "lightning.pytorch")]
    levels = [log.level for log in quiet]
    try:
        for log in quiet:
            log.setLevel(logging.WARNING)
        sys.argv[1:] = command.args
        yield
    finally:
        sys.argv[:] = before
        for log, level in zip(quiet, levels, strict=True):
            log.setLevel(level)
