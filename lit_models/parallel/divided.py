"""A classifier whose network is divided among the processes while it trains; otherwise each of them has it whole.

A network says which dimension of which weight is divided, and builds the part of one process. This file does the rest:

- It divides the network when training starts on several processes. DDP, which Lightning puts around every model of
  several processes, is told to leave the divided weights alone; what is left (a bias) or data parallel (convolutions)
  it treats as always.
- A checkpoint has the whole network and the optimizer's whole state under the names of the undivided network, so that
  it can be loaded by any number of processes.
- While the model is validated or tested each process has the network whole: processes have different numbers of
  evaluation batches, and one that waits for the others' part once more than they do would wait forever. Whole
  weights without gradients and optimizer state take a quarter of what training with Adam takes in one process.
- Clipping by norm uses the norm over all processes.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from lit_models.layers.precision import at_least_float32
from lit_models.parallel.point_to_point import everybody, rank, world
from lit_models.parallel.whole_batch import refuse_unfit
from lit_models.tasks.image_classifier import ImageClassifier
from lit_models.tasks.processes import rank_and_world


class Part(Protocol):
    """What one process has of a network: a module with the whole network's names, shapes divided as ``split`` says."""

    split: Mapping[str, int]


class DividedClassifier(ImageClassifier):
    """An ``ImageClassifier``; a leaf supplies ``divide``.

    Args:
        num_classes: Number of classes.
        **task: See ``ImageClassifier``.
    """

    undivided: Any  #: the network as it was built: no submodule, its weights are not trained
    looking: bool  #: whether the whole network is in use

    def __init__(self, num_classes: int, **task: Any) -> None:
        super().__init__(num_classes=num_classes, **task)
        self.split: Mapping[str, int] = {}  # the divided dimension of each divided parameter; empty: nothing is
        self.__dict__ |= {"undivided": None, "looking": False}

    def divide(self, net: nn.Module, mine: int, count: int) -> Any:
        """This process's part of the network.

        Args:
            net: The whole network.
            mine, count: The number of this process, and the number of processes.

        Returns:
            An ``nn.Module`` with an attribute ``split`` (see ``Part``).

        Raises:
            UserError: The network cannot be divided among so many processes.
        """
        raise NotImplementedError

    def configure_model(self) -> None:
        """Divides the network where several processes train it; FSDP2 divides it in its own way.

        Raises:
            UserError: The network cannot be divided, or the run needs a whole one.
        """
        mine, count = rank_and_world(self)
        if self.split and self.trainer.state.fn != "fit":  # evaluated after it was trained, in the same processes:
            whole = joined(self.net.state_dict(), self.split, self.trainer.strategy.root_device)
            self.undivided.load_state_dict(whole)
            self.net, self.split = self.undivided, {}  # Lightning sends the first process's weights to all
        if self.device_mesh is not None or count == 1 or self.split or self.trainer.state.fn != "fit":
            super().configure_model()
            return
        refuse_unfit(self.trainer, "train in one process: --trainer.devices 1")
        self._read_weights()  # published ones are whole
        part = self.divide(self.net, mine, count)
        self.__dict__["undivided"], self.net, self.split = self.net, part, dict(part.split)
        names = [f"net.{name}" for name in self.split]
        DistributedDataParallel._set_params_and_buffers_to_ignore_for_model(self, names)

    def forward(self, *inputs: Tensor) -> Any:
        net = self.undivided if self.looking else self.net
        return net(*(self.normalized(x) for x in inputs))

    # -- evaluation -----------------------------------------------------------------------------------------------

    def on_validation_start(self) -> None:
        super().on_validation_start()
        if self.split:
            with torch.inference_mode(False), torch.no_grad():  # some pictures derive by the input
                state = joined(self.net.state_dict(), self.split)
                self.undivided.load_state_dict(state)
                self.undivided.to(self.device).eval()
            self.__dict__["looking"] = True

    def on_validation_end(self) -> None:
        self.__dict__["looking"] = False
        if self.split:
            self.undivided.cpu()

    on_test_start = on_predict_start = on_validation_start
    on_test_end = on_predict_end = on_validation_end

    # -- checkpoints ----------------------------------------------------------------------------------------------

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """All processes come here; the first one writes the file."""
        super().on_save_checkpoint(checkpoint)
        if not self.split:
            return
        split = {f"net.{name}": dim for name, dim in self.split.items()}
        device = self.trainer.strategy.root_device
        checkpoint["state_dict"] = joined(checkpoint["state_dict"], split, device)
        for state in checkpoint.get("optimizer_states", []):
            state["state"] = self._convert(state["state"], lambda t, dim: torch.cat(everybody(t.to(device)), dim))

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_load_checkpoint(checkpoint)
        if not self.split:
            return
        split = {f"net.{name}": dim for name, dim in self.split.items()}
        weights = checkpoint["state_dict"]
        checkpoint["state_dict"] = {k: own_part(v, split[k]) if k in split else v for k, v in weights.items()}
        for state in checkpoint.get("optimizer_states", []):
            state["state"] = self._convert(state["state"], own_part)

    def _convert(self, states: dict[int, Any], convert: Any) -> dict[int, Any]:
        """An optimizer's state by the number of the parameter; values that have a parameter's shape are converted."""
        names = {parameter: name for name, parameter in self.net.named_parameters()}
        order = [names.get(p, "") for group in self.parameter_groups() for p in group["params"]]
        return {
            number: {
                key: convert(value, self.split[order[number]])
                if order[number] in self.split and isinstance(value, Tensor) and value.ndim
                else value
                for key, value in state.items()
            }
            for number, state in states.items()
        }

    # -- optimization ---------------------------------------------------------------------------------------------

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clips by the norm over all processes, in which a divided weight counts with all its parts."""
        if not self.split or not gradient_clip_val or gradient_clip_algorithm == "value":
            super().configure_gradient_clipping(optimizer, gradient_clip_val, gradient_clip_algorithm)
            return
        divided = {p for name, p in self.net.named_parameters() if name in self.split}
        squares = [square_sum(p for p in self.parameters() if (p in divided) is own) for own in (True, False)]
        norm = (torch.stack(everybody(squares[0].to(self.device))).sum(0) + squares[1]).sqrt()
        factor = (gradient_clip_val / (norm + 1e-6)).clamp(max=1.0)  # as torch.nn.utils.clip_grad_norm_
        for parameter in self.parameters():
            if parameter.grad is not None:
                parameter.grad.mul_(factor.to(parameter.grad.dtype))


def joined(
    state: Mapping[str, Tensor], split: Mapping[str, int], device: torch.device | None = None
) -> dict[str, Tensor]:
    """A state with each divided tensor as a whole; every process must call it.

    Args:
        state: Tensors by name.
        split: The divided dimension of each divided one.
        device: Where they are exchanged; None: where they are. After training Lightning has moved a model to the CPU,
            from which NCCL sends nothing.
    """
    return {
        name: torch.cat(everybody(t.to(device=device)), split[name]) if name in split else t
        for name, t in state.items()
    }


def own_part(whole: Tensor, dim: int) -> Tensor:
    """This process's part of a tensor along a dimension."""
    return whole.chunk(world(), dim)[rank()].clone()


def square_sum(parameters: Iterable[nn.Parameter]) -> Tensor:
    """The sum of the squares of all gradients, ()."""
    grads = [at_least_float32(p.grad).square().sum() for p in parameters if p.grad is not None]
    return torch.stack(grads).sum() if grads else torch.zeros(())
