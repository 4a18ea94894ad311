"""The one LightningCLI of the project: any LightningModule with any LightningDataModule.

Besides parsing it does four things: it links sizes from the data to the model, it lets a datamodule infer sizes from
files, it keeps everything of a run in the run's folder, and it converts the library's messages to one line.
"""

import json
import os
import re
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml
from jsonargparse import ArgumentError
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO
from lightning.pytorch import LightningDataModule, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint, ProgressBar
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI
from lightning.pytorch.utilities.exceptions import MisconfigurationException

from callbacks.atomic_checkpoint import AtomicCheckpoint
from callbacks.prediction_files import PredictionFiles
from callbacks.prepared_trainer import prepare
from callbacks.run_config import RunConfig
from callbacks.run_record import RunRecord
from common.messages import UserError
from lit_models.layers.weight_files import origin_of
from scripts.front.arguments import Command, load_yaml, typed_value
from scripts.front.checkpoints import check_checkpoint, is_sharded
from scripts.front.class_swaps import words_for_swaps
from scripts.front.classes import arguments_of, import_class, links_of
from scripts.front.data_options import explain_option
from scripts.front.explain import explain, first_error
from scripts.front.failures import check_launcher, explain_failure
from scripts.front.inference import decided_by_files, fitting, inferred, sizes_of_run
from scripts.front.links import declared_links
from scripts.front.noise import silence_noise
from scripts.front.own_network import sizes_for
from scripts.front.runs import RUN_DIR, new_run, run_of, wandb_id
from scripts.front.short_names import take_plateau_by_name
from scripts.front.signals import ending_on_signals
from scripts.front.uncopied import Uncopied
from scripts.front.wrong_data import explain_wrong_data, refuse_missing_sizes
from scripts.front.wrong_numbers import refuse_wrong_numbers

SAVED = ("seed_everything", "trainer", "model", "data")


class DiveCLI(Uncopied, LightningCLI):
    """LightningCLI in subclass mode on a resolved ``Command``; ``run=False`` builds the objects without running."""

    def __init__(self, command: Command, run: bool = True) -> None:
        take_plateau_by_name()
        self.command = command
        self.link_names = sorted(declared_links().union(*(links_of(name) for name in self._class_names("data"))))
        super().__init__(
            LightningModule,
            LightningDataModule,
            subclass_mode_model=True,
            subclass_mode_data=True,
            auto_configure_optimizers=False,
            save_config_callback=None,
            seed_everything_default=0,
            parser_kwargs={"exit_on_error": False, "allow_abbrev": False, "prog": "dive"},
            run=run,
        )

    def subcommands(self) -> dict[str, set[str]]:  # type: ignore[override]
        """Only the command's own verb: building the parsers of the other three takes half a second."""
        return {verb: skip for verb, skip in super().subcommands().items() if verb == self.command.verb}

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        for name in self.link_names:
            parser.link_arguments(f"data.init_args.{name}", f"model.init_args.{name}")

    # -- parsing ----------------------------------------------------------------------------------------------------

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        self._parse(parser)
        for more in (self._swapped_classes, self._infer, self._sizes_of_own_network, self._origin_of_weights):
            if words := more():
                sys.argv += words
                self._parse(parser)
        self._refuse_linked_targets()
        section = self._section()
        refuse_wrong_numbers(section)
        model = section.get("model")
        refuse_missing_sizes(model, section.get("data"), self.link_names)
        if self.command.checkpoint and model:
            most = section.trainer.max_epochs if self.command.verb == "fit" else None
            check_checkpoint(self.command.checkpoint, model.class_path, dict(model.get("init_args") or {}), most)
            strategy = getattr(section.trainer.strategy, "class_path", "")
            if is_sharded(self.command.checkpoint) and not strategy.endswith("Sharded"):
                raise UserError(
                    f"checkpoint {self.command.checkpoint} is sharded: continue with -c trainer/fsdp, or make one file "
                    f"of it with `dive export {self.command.recipe}`"
                )
        if "ckpt_path" in section:
            section.ckpt_path = None  # Lightning would prefer the checkpoint's arguments; it is set again below

    def _parse(self, parser: LightningArgumentParser) -> None:
        try:
            super().parse_arguments(parser, None)
        except ArgumentError as error:
            known = list(parser.get_defaults().keys()) if not self.command.verb else []
            chosen = getattr(self, "_subcommand_parsers", {}).get(self.command.verb)
            known += list(chosen.get_defaults().keys()) if chosen else []
            says = explain(str(error), known + self._class_keys())
            if found := re.match(r"unknown key data\.(\w+)", says):
                data, run = self._class_names("data"), None if self.command.verb in ("", "fit") else self.command.run
                says = explain_option(found[1], data[-1] if data else "", run, self.command.recipe) or says
            raise UserError(says) from None

    def _section(self) -> Any:
        return self.config[self.config["subcommand"]] if "subcommand" in self.config else self.config

    def _class_keys(self) -> list[str]:
        """Keys such as ``model.hidden_size``, for suggestions: the arguments of the classes that the configs name."""
        names = {part: self._class_names(part) for part in ("model", "data")}
        return [f"{part}.{key}" for part, classes in names.items() for name in classes for key in arguments_of(name)]

    def _class_names(self, part: str) -> list[str]:
        """The class paths of the model or the data that the configs and the command line name."""
        paths = [load_yaml(c).get(part) for c in self.command.configs]
        named = [p.get("class_path") if isinstance(p, dict) else p for p in paths]
        typed = [v for k, v in zip(sys.argv, sys.argv[1:], strict=False) if k == f"--{part}"]
        return [name for name in [*named, *typed] if name]

    def linked(self) -> set[str]:
        """The arguments that this command's model takes from its datamodule, and others of the datamodule's links."""
        data = self._section().get("data")
        return set(arguments_of(data.class_path)) & set(self.link_names) if data else set()

    def _swapped_classes(self) -> list[str]:
        return words_for_swaps(self._section(), [*map(load_yaml, self.command.configs)], sys.argv[1:], self.linked())

    def _infer(self) -> list[str]:
        """Sizes that only the files determine: ``infer`` of the datamodule fills the arguments that were not given."""
        data = self._section().get("data")
        if not data:
            return []
        given, kind = dict(data.init_args), import_class(data.class_path)
        begins = self.command.checkpoint is None  # else the run's config has them, and the files may be gone
        decided = decided_by_files(kind, given, sys.argv) if begins else {}
        known = {} if begins else sizes_of_run(self.command.run, kind, given, self.link_names)
        found = known | inferred(kind, given | known, self.link_names)
        if model := self._section().get("model"):
            found = fitting(found, import_class(model.class_path), dict(model.get("init_args") or {}))
        return [f"--data.init_args.{k}={v}" for k, v in (found | decided).items()]

    def _sizes_of_own_network(self) -> list[str]:
        data, model = self._section().get("data"), self._section().get("model")
        net = (model.get("init_args") or {}).get("net") if model else None
        if not data or net is None or not hasattr(net, "class_path"):
            return []
        given, sizes = dict(net.get("init_args") or {}), dict(data.init_args)
        return sizes_for(import_class(net.class_path), given, sizes, self.link_names)

    def _origin_of_weights(self) -> list[str]:
        """The origin of ``model.weights``, for the run's config: after the start of the run their file may go."""
        model = self._section().get("model")
        given = dict(model.get("init_args") or {}) if model else {}
        if not given.get("weights") or given.get("weights_from") != "auto" or self.command.checkpoint:
            return []
        return [f"--model.init_args.weights_from={origin_of(given['weights'])}"]

    def _refuse_linked_targets(self) -> None:
        for name in sorted(self.linked()):
            remedy = f"{name} comes from the data: give --data.{name}"
            for word in sys.argv[1:]:
                if word.split("=")[0] in (f"--model.{name}", f"--model.init_args.{name}"):
                    raise UserError(f"{word.split('=')[0]} would be overwritten: {remedy}")
            for config in self.command.configs:
                model = load_yaml(config).get("model")
                if isinstance(model, dict) and name in (model.get("init_args") or {}):
                    raise UserError(f"{config}: model.{name} would be overwritten: {remedy}")

    # -- building ---------------------------------------------------------------------------------------------------

    def before_instantiate_classes(self) -> None:
        section = self._section()
        if not self.command.recipe:
            return
        if self.command.verb == "fit":  # before this run's folder is written into it
            self.config_text = self.parser.dump(self.config, skip_unset=True)
        self.command.made = self.command.run is None
        self.command.run = self.command.run or new_run(self.command.recipe)
        os.environ[RUN_DIR] = str(self.command.run)  # the child processes of DDP use this folder
        section.trainer.default_root_dir = str(self.command.run)
        for logger in loggers if isinstance(loggers := section.trainer.logger, list) else [loggers]:
            arguments: Any = getattr(logger, "init_args", None)
            if arguments is not None and arguments.get("save_dir", "") in (None, "."):
                arguments.save_dir = str(self.command.run)
            if getattr(logger, "class_path", "").endswith("WandbLogger") and not arguments.get("id"):
                arguments.id = wandb_id(self.command.run)
                arguments.name = arguments.get("name") or self.command.run.resolve().as_posix().split("/runs/")[-1]
        if "verbose" in section and "--verbose" not in " ".join(TYPED):
            section.verbose = False  # the run's record prints the metrics, a table would repeat them
        if self.command.checkpoint:
            section.ckpt_path = str(self.command.checkpoint)

    def instantiate_classes(self) -> None:
        try:
            super().instantiate_classes()
        except (RuntimeError, ArithmeticError, AssertionError, IndexError) as error:
            raise explain_failure(error) or error from error
        except (MisconfigurationException, ValueError) as error:  # a value that a constructor refused
            raise explain_failure(error) or UserError(first_error(str(error))) from error
        except TypeError as error:
            if "should be" not in str(error):  # the Trainer's error for a number of devices
                raise
            raise UserError(str(error)) from error

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        trainer = super().instantiate_trainer(**kwargs)
        check_launcher(trainer.num_devices, trainer.num_nodes, type(trainer.accelerator).__name__)
        for callback in trainer.callbacks:  # type: ignore[attr-defined]
            if isinstance(callback, ProgressBar) and not sys.stderr.isatty():
                callback.disable()  # a log file is not a terminal; EpochLines is used instead
            if isinstance(callback, ModelCheckpoint) and callback.dirpath is None:
                callback.dirpath = str(Path(trainer.default_root_dir) / "checkpoints")
            if isinstance(callback, PredictionFiles):
                callback.out = self.command.out
            if isinstance(callback, RunRecord):
                callback.recipe = self.command.recipe
                callback.command = "dive " + " ".join([self.command.verb, *TYPED])
        if type(trainer.strategy.checkpoint_io) is TorchCheckpointIO:
            trainer.strategy.checkpoint_io = AtomicCheckpoint()
        first = [RunConfig(self._config_file())] if self.command.verb == "fit" else []  # others may read the file
        trainer.callbacks[:0] = [*first, *self.command.callbacks]  # type: ignore[attr-defined]
        self.command.trainer = trainer
        prepare(trainer)
        return trainer

    def after_instantiate_classes(self) -> None:
        """Loads into the datamodule what the run has saved of its data: vocabulary, classes, scaler."""
        checkpoint, load = self.command.checkpoint, getattr(self.datamodule, "load_processor", None)
        run = (run_of(checkpoint) if checkpoint else None) or self.command.run
        if load is None or run is None or (self.command.verb == "fit" and checkpoint is None):
            return
        if (run / "processor.json").is_file():
            load(json.loads((run / "processor.json").read_text()))

    def after_test(self) -> None:
        """Chance and a baseline beside the result on a person's own data."""
        trainer: Any = self.trainer
        whole = not trainer.fast_dev_run and trainer.limit_test_batches == 1.0
        if trainer.is_global_zero and whole and getattr(self.datamodule, "own_path", ""):
            from scripts.front.honest import say

            say(self.datamodule, {name: float(value) for name, value in trainer.callback_metrics.items()})

    def _config_file(self) -> str:
        """The contents of the run's ``config.yaml``."""
        content = yaml.safe_load(self.config_text)
        content = content.get(self.command.verb, content)
        head = f"# {self.command.recipe}, resolved: `dive fit --config` on this file runs it again\n"
        return head + yaml.safe_dump({k: content[k] for k in SAVED if k in content}, sort_keys=False)


TYPED: list[str] = []  # what the user typed, for the run's record


def launch(command: Command) -> int:
    """Runs a resolved command in this process; returns the exit code."""
    TYPED[:] = sys.argv[2:]
    silence_noise()
    before, argv = os.environ.get(RUN_DIR), sys.argv[:]
    try:
        sys.argv[1:] = [command.verb, *command.args]  # Lightning's child processes are started with these
        if command.checkpoint:
            sys.argv += ["--ckpt_path", str(command.checkpoint)]
        with ending_on_signals():
            DiveCLI(command)
        return 0
    except SystemExit as error:
        if getattr(error, "on_all_ranks", False) and os.environ.get("LOCAL_RANK", "0") != "0":
            return 0  # Lightning kills the first process when another ends with an error code
        raise
    except MisconfigurationException as error:
        raise explain_failure(error) or UserError(str(error)) from error
    except Exception as error:
        if "Error(s) in loading state_dict" in str(error):
            lines = [line.strip() for line in str(error).splitlines() if line.strip()]
            raise UserError(f"checkpoint {command.checkpoint} does not fit the model: {' '.join(lines[1:2])}") from None
        swapped = typed_value(command.args, "--data") is not None
        if failure := explain_failure(error) or explain_wrong_data(error, command.trainer, swapped):
            raise failure from error
        raise
    finally:
        if command.made and command.run is not None:
            with suppress(OSError):  # it holds something, or another process of the run removed it
                command.run.rmdir()
        sys.argv[:] = argv
        if before is None:
            os.environ.pop(RUN_DIR, None)
