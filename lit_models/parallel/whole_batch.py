"""What tensor and pipeline parallelism share: all processes work on one batch, each with a part of the network.

A Lightning strategy, so that it trains any recipe (``-c trainer/tensor_parallel``, ``-c trainer/pipeline``). A subclass
says how the network is divided. The rest is here, as ``divided.py`` has it for the networks that divide themselves:

- The loaders give each process rows of its own, as under DDP; a training step gathers them, so that ``batch_size`` is
  per process, and a run of two processes does the steps of one with the doubled batch size.
- In evaluation each process has the whole network and its own rows.
- Checkpoints have the whole network and optimizer under the undivided names: any number of processes loads them.
- Clipping by norm uses the norm of the whole gradient.
"""

import copy
import os
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import WeightAveraging
from lightning.pytorch.strategies import DDPStrategy
from lightning_utilities.core.apply_func import apply_to_collection
from torch import Tensor, nn
from torch.optim import Optimizer

from common.messages import UserError
from lit_models.parallel.meeting import gather_rows

State = dict[str, Any]


class WholeBatch(DDPStrategy):
    """Trains parts of a network; a subclass supplies ``divide``, ``whole``, ``own`` and ``square_sum``.

    Args:
        timeout: Time after which the other processes fail when one is missing.
    """

    #: Whether each parameter is in one process only.
    apart = False

    def __init__(self, timeout: timedelta = timedelta(minutes=10)) -> None:
        super().__init__(timeout=timeout)
        self.part: nn.Module | None = None  # this process's, while training
        self.undivided: nn.Module | None = None  # the network as it was built
        self.seed = int(os.environ.get("PL_GLOBAL_SEED", 0))  # of seed_everything

    # -- for the subclass -------------------------------------------------------------------------------------------

    def divide(self, net: nn.Module) -> nn.Module:
        """This process's part of a network, with the same names of parameters; the network may be changed."""
        raise NotImplementedError

    def whole(self, name: str, value: Tensor) -> Tensor:
        """A parameter's value (or an optimizer's of its shape) as a whole; all processes call it together."""
        raise NotImplementedError

    def own(self, name: str, value: Tensor) -> Tensor:
        """The opposite: what this process has of a whole value."""
        raise NotImplementedError

    def square_sum(self, gradients: list[Tensor]) -> Tensor:
        """The sum of the squares of the whole gradient, ()."""
        raise NotImplementedError

    # -- setting up ---------------------------------------------------------------------------------------------------

    def setup(self, trainer: Trainer) -> None:
        """Divides the network before training; makes it whole before an evaluation that follows in the same processes.

        Raises:
            UserError: The network cannot be divided, or the run needs a whole one.
        """
        module: Any = self.lightning_module
        if trainer.state.fn == "fit" and self.world_size > 1:
            net = getattr(module, "net", None)
            if not isinstance(net, nn.Module) or len(list(net.parameters())) != len(list(module.parameters())):
                raise UserError(
                    f"{type(module).__name__} has parameters outside of `net`: train it with -c trainer/ddp"
                )
            refuse_unfit(trainer, "train with -c trainer/ddp")
            module._read_weights()  # published ones are whole
            if self.part is None:
                self.undivided = net
                self.part = module.net = self.divide(copy.deepcopy(net))
            self.precision_plugin.clip_grad_by_norm = self.clip  # type: ignore[method-assign]
        elif self.part is not None:
            self.undivide()  # before Lightning sends the first process's weights to all
        super().setup(trainer)

    def undivide(self) -> None:
        """Gives the module its whole network back."""
        assert self.undivided is not None and self.lightning_module is not None
        self.undivided.load_state_dict(self.whole_network())
        self.lightning_module.net, self.part = self.undivided, None  # type: ignore[assignment]

    def configure_ddp(self) -> None:
        """The gradients of a divided network are not averaged."""

    # -- steps --------------------------------------------------------------------------------------------------------

    def training_step(self, batch: Any, *args: Any, **kwargs: Any) -> Any:
        """A step on the rows of all processes.

        All of them draw the same random numbers in it: values that they all have must have the same units dropped.
        The masks within a divided layer are then those of the other processes' units, too.
        """
        if self.part is None:
            return super().training_step(batch, *args, **kwargs)
        trainer: Any = self.lightning_module.trainer  # type: ignore[union-attr]
        with torch.random.fork_rng(enabled=True):
            torch.manual_seed((self.seed << 32) + trainer.fit_loop.epoch_loop.total_batch_idx)
            return super().training_step(self.gathered(batch), *args, **kwargs)

    def gathered(self, batch: Any) -> Any:
        """The rows of all processes."""
        return apply_to_collection(batch, Tensor, lambda tensor: gather_rows((tensor,))[0])

    def clip(self, optimizer: Optimizer, clip_val: float) -> None:
        """Clips by the norm of the whole gradient, as ``torch.nn.utils.clip_grad_norm_``."""
        found = [p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        factor = (clip_val / (self.square_sum(found).sqrt() + 1e-6)).clamp(max=1.0)
        for gradient in found:
            gradient.mul_(float(factor))

    # -- evaluation -----------------------------------------------------------------------------------------------

    def on_validation_start(self) -> None:
        """Each process gets the whole network, until the evaluation ends."""
        if self.part is None:
            return
        module: Any = self.lightning_module
        with torch.inference_mode(False), torch.no_grad():  # some pictures derive by the input
            state = self.whole_network()
            assert self.undivided is not None
            self.undivided.load_state_dict(state)
            module.net = self.undivided.to(self.root_device).eval()

    def on_validation_end(self) -> None:
        if self.part is None:
            return
        module: Any = self.lightning_module
        assert self.undivided is not None
        self.undivided.cpu()
        module.net = self.part

    on_test_start = on_predict_start = on_validation_start
    on_test_end = on_predict_end = on_validation_end

    # -- checkpoints ----------------------------------------------------------------------------------------------

    def whole_network(self) -> State:
        """The whole network's state under its own names; all processes call it together."""
        assert self.part is not None
        device = self.root_device  # after training the part is on the CPU, from which NCCL sends nothing
        state = {name: self.whole(name, value.to(device)) for name, value in self.part.state_dict().items()}
        return self.joined(state)

    def joined(self, entries: State) -> State:
        """Entries by name: those of all processes, where each has its own."""
        if not self.apart:
            return entries
        parts: list[Any] = [None] * self.world_size
        dist.all_gather_object(parts, apply_to_collection(entries, Tensor, lambda t: t.detach().cpu()))
        return {name: value for part in parts for name, value in part.items()}

    def lightning_module_state_dict(self) -> State:
        if self.part is None:
            return super().lightning_module_state_dict()
        state = {k: v for k, v in super().lightning_module_state_dict().items() if not k.startswith("net.")}
        assert self.undivided is not None
        whole = self.whole_network()
        return {f"net.{name}": whole[name] for name in self.undivided.state_dict()} | state

    def load_model_state_dict(self, checkpoint: Mapping[str, Any], strict: bool = True) -> None:
        if self.part is None:
            super().load_model_state_dict(checkpoint, strict)
            return
        assert self.undivided is not None
        state = {k.removeprefix("net."): v for k, v in checkpoint["state_dict"].items() if k.startswith("net.")}
        self.undivided.load_state_dict(state, strict)
        with torch.no_grad():
            for name, value in self.part.state_dict().items():
                value.copy_(self.own(name, state[name].to(self.root_device)))

    def optimizer_state(self, optimizer: Optimizer) -> State:
        state: Any = super().optimizer_state(optimizer)
        if self.part is None:
            return state
        mine = self.names(self.part)
        numbers = [name for group in mine for name in group]
        found = {numbers[k]: self.convert(numbers[k], values, self.whole) for k, values in state["state"].items()}
        settings = {
            name: {key: value for key, value in group.items() if key != "params"}
            for names, group in zip(mine, state["param_groups"], strict=True)
            for name in names
        }
        found, settings = self.joined(found), self.joined(settings)
        groups: list[State] = []
        states: dict[int, State] = {}
        place = 0
        for names in self.names(self.undivided):
            groups.append(settings[names[0]] | {"params": list(range(place, place + len(names)))})
            states |= {place + k: found[name] for k, name in enumerate(names) if name in found}
            place += len(names)
        return {"state": states, "param_groups": groups}

    def load_optimizer_state_dict(self, checkpoint: Mapping[str, Any]) -> None:
        if self.part is None:
            super().load_optimizer_state_dict(checkpoint)
            return
        numbers = [name for group in self.names(self.undivided) for name in group]
        for optimizer, saved in zip(self.optimizers, checkpoint["optimizer_states"], strict=True):
            known = {numbers[k]: values for k, values in saved["state"].items()}
            settings = {numbers[k]: group for group in saved["param_groups"] for k in group["params"]}
            groups, states, place = [], {}, 0
            for names in self.names(self.part):
                groups.append(settings[names[0]] | {"params": list(range(place, place + len(names)))})
                for k, name in enumerate(names, place):
                    if name in known:
                        states[k] = self.convert(name, known[name], self.own)
                place += len(names)
            optimizer.load_state_dict({"state": states, "param_groups": groups})

    def convert(self, name: str, values: State, function: Callable[[str, Tensor], Tensor]) -> State:
        """An optimizer's values for one parameter; those of its shape are converted."""
        many = {k: v for k, v in values.items() if isinstance(v, Tensor) and v.ndim}
        return {k: function(name, v.to(self.root_device)) if k in many else v for k, v in values.items()}

    def names(self, net: nn.Module | None) -> list[list[str]]:
        """The names of the parameters in each of the optimizer's groups, for the whole network or for a part."""
        module: Any = self.lightning_module
        assert isinstance(module, LightningModule) and net is not None
        before, module.net = module.net, net
        try:
            known = {p: name for name, p in net.named_parameters()}
            return [[known[p] for p in group["params"]] for group in module.parameter_groups()]  # type: ignore[operator]
        finally:
            module.net = before


def refuse_unfit(trainer: Any, instead: str) -> None:
    """Refuses what a divided network cannot be trained with.

    Args:
        trainer: Has the precision and the callbacks.
        instead: What averages can be trained with, for the error.

    Raises:
        UserError: The loss is scaled (``16-mixed``), where all processes would have to skip a step together; or weights
            are averaged over steps, in a copy that would not be divided.
    """
    if getattr(trainer.precision_plugin, "scaler", None) is not None:
        raise UserError("a divided network is not trained with a scaled loss: -c trainer/bf16 instead of trainer/fp16")
    if any(isinstance(callback, WeightAveraging) for callback in trainer.callbacks):
        raise UserError(f"averaging the weights over steps takes whole ones: {instead}")
