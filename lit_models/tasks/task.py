"""What every training task shares: the network, the optimizer, the schedule and the training loss of an epoch.

A leaf (``LitLeNet``) inherits one task (``Classifier``), and a task inherits ``Task``: no deeper than that. A task
states its batch contract at the top of its file and supplies ``training_step``, ``validation_step``, ``test_step`` and
``predict_step``.

Two things are done differently from a plain ``self.log(..., on_step=True, on_epoch=True)``, both measured in
``make bench``: the loss of single steps is logged only on the steps that will be recorded (``train/loss_step``), and
the epoch's mean (``train/loss``) is accumulated on the device, with no copy to the host and no deep copy of a metric
per step.
"""

from functools import partial
from typing import Any, Literal

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule
from torchmetrics import MeanMetric, Metric

from common.data_protocol import data_attribute
from common.messages import UserError
from common.weights import is_weight
from lit_models.layers.pretrained import load_weights
from lit_models.layers.weight_files import origin_of
from lit_models.tasks.item_weights import ItemWeights
from lit_models.tasks.optimizer_wishes import check_run, evaluated_state, needs_graph, switch
from lit_models.tasks.processes import EpochMean, gather_equal, shard
from lit_models.tasks.resumed_optimizer import Setup, apply_changes, refuse_another, setup_of
from lit_models.tasks.schedules import run_length
from lit_models.tasks.trains import parameters_of


class Task(LightningModule):
    """Base of all tasks.

    Args:
        net: The network. A leaf (``@trains(LeNet)``) builds its own where none is given.
        weights: A file or folder of weights to start from, or the name of published ones, if the network can read
            them (``lit_models/layers/pretrained.py``). They are read at the start of a run that does not load a
            checkpoint; afterwards the file is not needed.
        weights_from: Where they come from. With ``published`` weights the network has its published sizes, and images
            are normalized as in their training; with those of a ``run`` as in that run. ``auto`` looks into
            the file.
        optimizer: Makes an optimizer from parameters, e.g. ``partial(torch.optim.SGD, lr=0.1)``.
        lr_scheduler: Makes a schedule from an optimizer; None keeps the rate constant.
        lr_interval: Whether the schedule moves after each ``epoch`` or each optimizer ``step``; some set it themselves
            (``lit_models/tasks/schedules.py``).
        lr_monitor: The metric that ``ReduceLROnPlateau`` watches; other schedules ignore it.
        decay_biases: False exempts biases and normalization gains (``is_weight`` of ``common/weights.py``) from the
            optimizer's weight decay, as Goodfellow et al. 7.1 and D2L 3.7 do.
    """

    net: nn.Module
    #: A batch of one, as ``forward`` takes it: for ``dive describe`` and exports. Lightning's ``example_input_array``
    #: would go through the datamodule's transform as if it were raw data.
    example_input: Tensor | tuple[Tensor, ...]
    #: What ``forward`` returns, in words: for ``dive export``.
    output_means = ""

    def __init__(
        self,
        net: nn.Module | None = None,
        weights: str = "",
        weights_from: Literal["auto", "published", "run"] = "auto",
        optimizer: OptimizerCallable = torch.optim.SGD,
        lr_scheduler: LRSchedulerCallable | None = None,
        lr_interval: Literal["step", "epoch"] = "epoch",
        lr_monitor: str = "val/loss",
        decay_biases: bool = True,
    ) -> None:
        super().__init__()
        objects = ["net", "optimizer", "discriminator_optimizer", "lr_scheduler", "regularizers"]
        self.save_hyperparameters(ignore=objects)
        if net is not None:
            if not hasattr(type(self), "network") and not type(self).__module__.startswith("lit_models.tasks."):
                raise UserError(f"{type(self).__name__} builds its own network: model.net is for classes of @trains")
            self.net = net
        self.weights, self.weights_wanted = weights, bool(weights)
        self.weights_from = origin_of(weights) if weights and weights_from == "auto" else weights_from
        self.hparams["weights_from"] = self.weights_from  # the file may be missing once the run has started
        self.optimizer = optimizer
        self.lr_scheduler = lr_scheduler
        self.lr_interval = lr_interval
        self.lr_monitor = lr_monitor
        self.decay_biases = decay_biases
        self.epoch_loss = EpochMean()
        self.items = ItemWeights()
        self.optimizer_setup: Setup | None = None  # what the optimizer began with: saved in the checkpoint
        self.restored_setup: Setup | None = None  # the same of the checkpoint that was loaded
        self.keeps_graph = False  # of the gradient, for an optimizer of second derivatives
        self.recorded_batch = -1  # the last one whose loss was recorded

    def __setattr__(self, name: str, value: Any) -> None:
        """Lightning sets an attribute to the name of each hook that it runs, about forty times per step; ``nn.Module``
        would check each time whether it is a parameter, which takes a tenth of a softmax regression's step.
        """
        if name == "_current_fx_name":
            self.__dict__[name] = value
        else:
            super().__setattr__(name, value)

    def forward(self, *inputs: Tensor) -> Any:
        return self.net(*inputs)

    def on_fit_start(self) -> None:
        """Reads the weights to start from; metrics of an earlier validation were created in inference mode."""
        self.keep_means_precise()
        for module in self.modules():
            if isinstance(module, Metric):
                module.reset()
        self._read_weights()

    def keep_means_precise(self) -> None:
        """In a run of pure half precision Lightning converts sums of losses too: above 256 they would not grow by 1."""
        for module in self.modules():
            if isinstance(module, MeanMetric) and module.dtype in (torch.bfloat16, torch.float16):
                module.set_dtype(torch.float32)

    def on_validation_start(self) -> None:
        self.keep_means_precise()
        self._read_weights()
        switch(self, training=False)

    on_test_start = on_predict_start = on_validation_start

    def on_validation_end(self) -> None:
        switch(self, training=True)

    def on_train_end(self) -> None:
        """The trained model has the weights that its validations had."""
        switch(self, training=False)

    def _read_weights(self) -> None:
        """Reads the weights to start from, once, unless a checkpoint was loaded."""
        if self.weights_wanted:
            self.weights_wanted = False
            self.take_weights()

    def take_weights(self) -> None:
        """Loads ``weights`` into the network."""
        made_by = getattr(type(self), "network", None)  # of @trains
        network = parameters_of(made_by) if made_by else {}
        load_weights(self.net, self.weights, {name: self.hparams[name] for name in network if name in self.hparams})

    def configure_model(self) -> None:
        """Under ``-c trainer/fsdp`` each process keeps its part of the parameters of each layer of ``net``."""
        if self.device_mesh is not None and not isinstance(getattr(self, "net", None), FSDPModule):
            shard(self, self.device_mesh["data_parallel"])

    def data_attribute(self, name: str, default: Any = None) -> Any:
        """An attribute of the datamodule in use (``common/data_protocol.py``), or the default."""
        return data_attribute(self._trainer, name, default)

    # -- optimization ---------------------------------------------------------------------------------------------

    def parameter_groups(self) -> list[dict[str, Any]]:
        """All trainable parameters, those without decay in a separate group if ``decay_biases`` is False."""
        named = [(name, p) for name, p in self.named_parameters() if p.requires_grad]
        if self.decay_biases:
            return [{"params": [p for _, p in named]}]
        decayed = [p for name, p in named if is_weight(name, p)]
        exempt = [p for name, p in named if not is_weight(name, p)]
        groups: list[dict[str, Any]] = [{"params": decayed}, {"params": exempt, "weight_decay": 0.0}]
        return [group for group in groups if group["params"]]

    def configure_optimizers(self) -> Any:
        optimizer = self.optimizer(self.parameter_groups())
        self.optimizer_setup, self.keeps_graph = setup_of(optimizer), needs_graph(optimizer)
        if self.restored_setup and self._trainer is not None and self.trainer.state.fn == "fit":
            refuse_another(self.restored_setup, self.optimizer_setup)
        if self.lr_scheduler is None:
            return optimizer
        scheduler: Any = self.lr_scheduler(optimizer)
        interval = getattr(scheduler, "interval", self.lr_interval)
        if hasattr(scheduler, "set_length") and self._trainer is not None:
            scheduler.set_length(run_length(self.trainer, interval))
        schedule = {"scheduler": scheduler, "interval": interval, "monitor": self.lr_monitor}
        return {"optimizer": optimizer, "lr_scheduler": schedule}

    def on_train_start(self) -> None:
        """After a checkpoint was restored: settings that were changed since then override it."""
        check_run(self)
        if self.restored_setup and self.optimizer_setup:
            schedules = [config.scheduler for config in self.trainer.lr_scheduler_configs]
            apply_changes(self.trainer.optimizers[0], schedules, self.restored_setup, self.optimizer_setup)
            self.restored_setup = None

    def backward(self, loss: Tensor, *args: Any, **kwargs: Any) -> None:
        weight = self.items.weight(self, self.trainer.accumulate_grad_batches)
        if self.keeps_graph:
            kwargs["create_graph"] = True
        super().backward(loss if isinstance(weight, float) and weight == 1 else loss * weight, *args, **kwargs)

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        self.items.divide(self.parameters(), self.trainer.accumulate_grad_batches)

    # -- training loss --------------------------------------------------------------------------------------------

    def record_train_loss(self, loss: Tensor, count: int | Tensor) -> None:
        """Adds one batch's mean ``loss`` over ``count`` items to the epoch's mean; logs it on the recorded steps.

        ``count`` is also the batch's weight in the gradient if a step has several batches. It is a tensor () if the
        processes have different numbers of items: see ``ItemWeights``. An optimizer may compute a batch several times
        in a step (SAM, a line search): its first loss is recorded.
        """
        self.items.count = count
        batch = self.trainer.fit_loop.epoch_loop.batch_progress.total.ready
        if batch == self.recorded_batch:
            return
        self.recorded_batch = batch
        self.epoch_loss.update(self.current_epoch, loss.detach(), count)
        every = self.trainer.log_every_n_steps  # type: ignore[attr-defined]
        if every and (self.trainer.global_step + 1) % every == 0:
            self.log("train/loss_step", loss.detach())

    def on_train_epoch_end(self) -> None:
        loss = self.epoch_loss.compute(self.current_epoch, partial(gather_equal, self))
        # equal on all ranks already, but Lightning warns without the flag, and NCCL takes nothing from the CPU
        self.log("train/loss", loss.to(self.device), sync_dist=True)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["optimizer_setup"] = self.optimizer_setup
        checkpoint["epoch_loss"] = self.epoch_loss.state(partial(gather_equal, self))
        if averaged := evaluated_state(self):
            checkpoint["state_dict"].update(averaged)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.weights_wanted = False
        self.restored_setup = checkpoint.get("optimizer_setup")
        self.epoch_loss.restore(checkpoint.get("epoch_loss"))
