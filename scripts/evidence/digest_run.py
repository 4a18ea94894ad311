"""The first steps of a recipe under a Trainer that does not save anything, for ``scripts/evidence/digest.py``.

Everything is read through Lightning's documented attributes, so that the implementation of a model or a datamodule does
not matter.
"""

import copy
import inspect
import logging
import sys
import tempfile
from collections.abc import Iterable
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint, ProgressBar
from torch import Tensor

from callbacks.random_state import RandomState
from scripts.evidence.digest import EVALUATED, HOW, LONGEST_SCHEDULE, RATES, SETTINGS, STEPS
from scripts.front.arguments import DEFAULT, load_yaml, resolve
from scripts.front.lightning_cli import DiveCLI, import_class

SPLITS = ("train", "val", "test")


class Run(DiveCLI):
    """Takes the first optimizer steps of ``dive fit WORDS`` and evaluates; ``found`` receives the results."""

    def __init__(self, words: list[str]) -> None:
        command = resolve("fit", words)
        command.verb = command.recipe = ""  # built without being run, in no run's folder
        sys.argv[1:] = command.args
        for name in ("lightning.fabric", "lightning.pytorch"):
            logging.getLogger(name).setLevel(logging.ERROR)
        self.found: dict[str, str] = {}
        super().__init__(command, run=False)
        self.trainer.fit(self.model, datamodule=self.datamodule)
        self.found |= self.steps.found | {"losses": numbers(self.steps.losses), "weights": size_of(self.model)}
        self.found |= {"val": self.metrics("val"), "test": self.metrics("test")}
        self.found |= {"rows": named(rows_of(self.datamodule)), "data": " ".join(sums_of(self.datamodule))}

    def before_instantiate_classes(self) -> None:
        trainer = self._section().trainer
        usual = inspect.signature(Trainer).parameters
        settings = {k: trainer.get(k) for k in SETTINGS if trainer.get(k) not in (None, usual[k].default)}
        self.found["settings"] = named(settings)
        common = {c["class_path"] for c in load_yaml(DEFAULT)["trainer"].get("callbacks", [])}
        classes = [(import_class(c.class_path), c) for c in trainer.callbacks or []]
        trainer.callbacks = [c for cls, c in classes if decides(cls, c.class_path in common)]
        choosing = [c for cls, c in classes if issubclass(cls, Checkpoint) and c.get("init_args.monitor")]
        best = [f"best {named({k: c.init_args.get(k) for k in ('monitor', 'mode')})}" for c in choosing]
        self.found["callbacks"] = "; ".join([*best, *map(described, trainer.callbacks)])
        trainer.logger = trainer.enable_checkpointing = trainer.enable_progress_bar = False
        trainer.enable_model_summary = False
        trainer.accelerator, trainer.devices = "cpu", 1
        trainer.limit_val_batches = trainer.limit_test_batches = 1
        trainer.default_root_dir = tempfile.gettempdir()

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        trainer = super().instantiate_trainer(**kwargs)
        self.steps = FirstSteps()
        trainer.callbacks.append(self.steps)  # type: ignore[attr-defined]
        return trainer

    def after_instantiate_classes(self) -> None:
        if hasattr(self.datamodule, "eval_batch_size"):
            self.datamodule.eval_batch_size = min(self.datamodule.eval_batch_size, EVALUATED)

    def metrics(self, split: str) -> str:
        """The metrics of one batch; those of ``val`` were taken when the steps ended, unless it was not their turn."""
        logged = {k: float(v) for k, v in self.trainer.callback_metrics.items() if k.startswith(f"{split}/")}
        if not logged:
            evaluate = self.trainer.validate if split == "val" else self.trainer.test
            logged = dict(evaluate(self.model, datamodule=self.datamodule, verbose=False)[0])
        return named({k: logged[k] for k in sorted(logged)})


class FirstSteps(Callback):
    """Ends a fit after ``STEPS`` optimizer steps, and keeps the loss of each batch and what was set up before them."""

    def __init__(self) -> None:
        self.losses: list[float] = []
        self.found: dict[str, str] = {}

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        parameters = list(pl_module.parameters())
        trained = sum(p.numel() for p in parameters if p.requires_grad)
        self.found = {
            "parameters": f"all={sum(p.numel() for p in parameters)} trained={trained}",
            "optimizer": "; ".join(map(optimizer_text, trainer.optimizers)),
            "rates": "; ".join(numbers(rates_of(config, trainer)) for config in trainer.lr_scheduler_configs),
            "steps": named(
                {"all": int(trainer.estimated_stepping_batches), "an_epoch": trainer.num_training_batches}  # type: ignore[attr-defined]
            ),
            "start": size_of(pl_module),
        }

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        loss = outputs["loss"] if isinstance(outputs, dict) and "loss" in outputs else outputs
        if isinstance(loss, Tensor):
            self.losses.append(float(loss))
        if trainer.global_step >= STEPS:
            trainer.should_stop = True


def decides(callback: type, common: bool) -> bool:
    """Whether a callback of a recipe can change its numbers: not those that save, draw, show or act in predictions
    only, and of those that all recipes have (``common``) only the random state.
    """
    own = [cls for cls in callback.__mro__ if issubclass(cls, Callback) and cls is not Callback]
    hooks = {name for cls in own for name in vars(cls) if name.startswith("on_")}
    predicts = bool(hooks) and all(name.startswith("on_predict") for name in hooks)
    modules = [vars(sys.modules[cls.__module__]) for cls in callback.__mro__ if cls is not object]
    draws = any(str(getattr(v, "__module__", "")).startswith("matplotlib") for m in modules for v in m.values())
    return issubclass(callback, RandomState) or not (
        common or draws or predicts or issubclass(callback, Checkpoint | ProgressBar)
    )


def described(callback: Any) -> str:
    """A callback of a config: its class, and the arguments that are not its defaults."""
    cls = import_class(callback.class_path)
    defaults = {name: p.default for name, p in inspect.signature(cls).parameters.items()}
    given = {k: v for k, v in (callback.get("init_args") or {}).items() if v != defaults.get(k)}
    return f"{cls.__name__} {named(given)}".strip()


def optimizer_text(optimizer: torch.optim.Optimizer) -> str:
    """The class and, for each group of parameters, how many there are and the hyperparameters."""
    groups = []
    for group in optimizer.param_groups:
        values = {k: v for k, v in sorted(group.items()) if k not in HOW and v is not None}
        groups.append(named({"parameters": sum(p.numel() for p in group["params"]), **values}))
    return f"{type(optimizer).__name__} {' , '.join(groups)}"


def rates_of(config: Any, trainer: Trainer) -> list[float]:
    """The learning rate of the first group at ``RATES`` places of the run, from a copy of its schedule."""
    if config.reduce_on_plateau:  # it follows the metric: its arguments alone are known
        return [config.scheduler.factor, config.scheduler.patience]
    moves = int(trainer.estimated_stepping_batches) if config.interval == "step" else trainer.max_epochs or 1
    moves = max(1, min(int(moves) // config.frequency, LONGEST_SCHEDULE))
    schedule = copy.deepcopy(config.scheduler)
    places = {round(k * (moves - 1) / (RATES - 1)) for k in range(RATES)}
    found = []
    for k in range(moves):
        if k in places:
            found.append(schedule.get_last_lr()[0])
        schedule.step()
    return found


def rows_of(data: Any) -> dict[str, int]:
    """Rows of each split: of its tensors where the datamodule keeps them, else of the loader's data set."""
    splits = getattr(data, "splits", None)
    if splits:
        return {name: len(splits[name][0]) for name in SPLITS}
    loaders = {name: getattr(data, f"{name}_dataloader")() for name in SPLITS}
    return {name: len(getattr(loader, "dataset", loader)) for name, loader in loaders.items()}


def sums_of(data: Any) -> Iterable[str]:
    """The sum of the absolute values of each tensor of each split: rows that no batch here has seen are in it."""
    splits = getattr(data, "splits", None) or {}
    for name in (name for name in SPLITS if name in splits):
        tensors = splits[name]
        sums = [
            float(
                (t if t.dtype is torch.bool else t.abs()).sum(
                    dtype=torch.float64 if t.is_floating_point() else torch.int64
                )
            )
            for t in tensors
        ]
        yield f"{name} {numbers(sums)}"


def size_of(model: LightningModule) -> str:
    """The Euclidean norm of all parameters."""
    norms = [p.detach().double().norm() for p in model.parameters()]
    return numbers([float(torch.stack(norms).norm())] if norms else [])


def numbers(values: Iterable[float]) -> str:
    return " ".join(f"{value:.7g}" for value in values)


def named(values: dict[str, Any]) -> str:
    """``name=value`` for each; no spaces within a value."""
    return " ".join(f"{name}={text_of(value)}" for name, value in values.items())


def text_of(value: Any) -> str:
    if isinstance(value, tuple | list):
        return ",".join(map(text_of, value))
    text = f"{value:.7g}" if isinstance(value, float) else str(value)
    return text.replace(" ", "")
