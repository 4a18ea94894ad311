"""Pipeline parallelism: each process has some of the layers, one after the other, and works on micro-batches.

Huang et al. 2019, "GPipe"; Narayanan et al. 2019, "PipeDream". ``torch.distributed.pipelining`` sends activations and
gradients between the stages in the order of its schedule (``pipeline_schedule.py`` says which). What is done here is
what it does not know: how a network becomes a sequence of layers, and how a task's loss is computed from what the last
stage puts out.

    dive fit cnn/lenet -c trainer/pipeline --trainer.accelerator cpu
    dive fit attention/gpt -c trainer/pipeline --trainer.accelerator cpu --model.tied false

The gradient is the mean of the micro-batches' gradients, which is that of the whole batch where they have as many items
each: rows of images, windows of a text. Batch normalization uses a micro-batch's own mean and variance, as in GPipe.
Run on gloo by ``tests/distributed/test_divided_networks.py``; not run with NCCL.
"""

from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.pipelining import PipelineStage, Schedule1F1B, ScheduleGPipe

from common.messages import UserError
from lit_models.layers.precision import at_least_float32
from lit_models.parallel.pipeline_schedule import Kind
from lit_models.parallel.whole_batch import WholeBatch

Layers = list[tuple[str, nn.Module]]


class Given(nn.Module):
    """In the place of a network while the loss is computed: what the last stage put out, whatever the input.

    Args:
        output: The logits.
    """

    def __init__(self, output: Tensor) -> None:
        super().__init__()
        self.output = output

    def forward(self, *inputs: Any) -> Tensor:
        return self.output


class Pipeline(WholeBatch):
    """Divides a network's layers among all processes, which work on micro-batches.

    Args:
        microbatches: Their number; fewer where it does not divide the rows of a batch.
        schedule: ``1F1B`` or ``GPipe``.
        timeout: Time after which the other processes fail when one is missing.
    """

    apart = True

    def __init__(
        self, microbatches: int = 4, schedule: Kind = "1F1B", timeout: timedelta = timedelta(minutes=10)
    ) -> None:
        super().__init__(timeout=timeout)
        self.microbatches, self.kind = microbatches, schedule
        self.layers: nn.Sequential | None = None  # this process's
        self.schedules: dict[tuple[Any, ...], Any] = {}  # by the shape of the input
        self.batch: Any = None

    def divide(self, net: nn.Module) -> nn.Module:
        """This process's stage.

        Raises:
            UserError: The network is not a sequence of layers, or the run has what stages cannot have.
        """
        module: Any = self.lightning_module
        if module.trainer.accumulate_grad_batches > 1:
            raise UserError("a pipeline accumulates micro-batches already: --trainer.strategy.init_args.microbatches")
        if self._layer_sync is not None:  # it would wait for processes that do not have the layer
            raise UserError("a stage's batch normalization is in one process: no -c trainer/sync_batch_norm")
        layers = sequence_of(net, getattr(module, "example_input", None))
        mine = stages_of(layers, self.world_size)[self.global_rank]
        for name, layer in layers:
            if name not in {own for own, _ in mine} and any(True for _ in layer.parameters()):
                parent, _, child = name.rpartition(".")
                setattr(net.get_submodule(parent), child, nn.Identity())  # the others' names stay free
        self.layers = nn.Sequential(*(layer for _, layer in mine)).to(self.root_device)
        module.optimizer_zero_grad = lambda *_: None  # Lightning's comes after the step, in which the gradients arise
        return net

    def undivide(self) -> None:
        super().undivide()
        self.layers, self.schedules = None, {}
        del self.lightning_module.optimizer_zero_grad  # type: ignore[union-attr]

    def training_step(self, batch: Any, *args: Any, **kwargs: Any) -> Any:
        """All micro-batches forward and back; the loss is that of the last stage, in all processes."""
        if self.layers is None:
            return super().training_step(batch, *args, **kwargs)
        module: Any = self.lightning_module
        self.batch, self.args = self.gathered(batch), args
        x = self.batch[0]
        for parameter in self.layers.parameters():
            parameter.grad = None
        schedule = self.schedule_for(x)
        losses: list[Tensor] = []
        last = self.global_rank == self.world_size - 1
        self.counts: list[Any] = []
        with self.precision_plugin.train_step_context():
            given = {"target": torch.arange(len(x), device=x.device), "losses": losses} if last else {}
            schedule.step(*((x,) if self.global_rank == 0 else ()), **given, return_outputs=False)
        found = torch.zeros(2, dtype=torch.float64, device=self.root_device)
        if last:
            found[0], found[1] = torch.stack(losses).double().mean(), float(sum(self.counts))
        dist.broadcast(found, src=self.world_size - 1)
        loss = found[0].to(torch.get_default_dtype())
        module.record_train_loss(loss, int(found[1]))
        return loss

    def loss(self, output: Tensor, rows: Tensor) -> Tensor:
        """In the last stage: the task's own loss for the rows of a micro-batch."""
        module: Any = self.lightning_module
        net, record = module.net, module.record_train_loss
        module.net = Given(output)
        module.record_train_loss = lambda loss, count: self.counts.append(count)
        try:
            return module.training_step(tuple(t[rows] for t in self.batch), *self.args)
        finally:
            module.net = net
            del module.record_train_loss
            assert module.record_train_loss == record

    def schedule_for(self, x: Tensor) -> Any:
        """torch's schedule for inputs of a shape; the last batch of an epoch has another one."""
        key = tuple(x.shape)
        if key not in self.schedules:
            assert self.layers is not None
            count = next(m for m in range(min(self.microbatches, len(x)), 0, -1) if len(x) % m == 0)
            stage = PipelineStage(self.layers, self.global_rank, self.world_size, self.root_device)
            kind = Schedule1F1B if self.kind == "1F1B" and count >= self.world_size else ScheduleGPipe
            self.schedules[key] = kind(stage, count, loss_fn=self.loss)
        return self.schedules[key]

    def backward(self, closure_loss: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """The step has done it."""
        return closure_loss if self.layers is not None else super().backward(closure_loss, *args, **kwargs)

    def whole(self, name: str, value: Tensor) -> Tensor:
        return value

    own = whole

    def square_sum(self, gradients: list[Tensor]) -> Tensor:
        squares = [at_least_float32(g).square().sum().double() for g in gradients]
        total = torch.stack(squares).sum() if squares else torch.zeros((), dtype=torch.float64, device=self.root_device)
        dist.all_reduce(total)
        return total


def sequence_of(net: nn.Module, example: Any) -> Layers:
    """The layers of a network that computes nothing but one after the other, with the names of their modules.

    Raises:
        UserError: It computes something else, as the example shows, or shares weights between layers.
    """
    layers: Layers = [("", net)]
    while any(isinstance(layer, nn.Sequential | nn.ModuleList) or name == "" for name, layer in layers):
        layers = [
            (f"{name}.{child}".lstrip("."), inner) if opened else (name, layer)
            for name, layer in layers
            for opened in (name == "" or isinstance(layer, nn.Sequential | nn.ModuleList),)
            for child, inner in (layer.named_children() if opened else [(name, layer)])
        ]
    flat = next((k for k, (_, layer) in enumerate(layers) if isinstance(layer, nn.Linear)), 0)
    with_flat = [*layers[:flat], (f"flatten before {layers[flat][0]}", nn.Flatten()), *layers[flat:]]
    for found in (layers, with_flat):
        if isinstance(example, Tensor) and is_sequence(net, found, example):
            owners = [{id(p) for p in layer.parameters()} for _, layer in found]
            if sum(map(len, owners)) != len(set().union(*owners)):
                raise UserError(f"{type(net).__name__} uses weights in two layers: --model.tied false, or trainer/ddp")
            return found
    raise UserError(
        f"{type(net).__name__} is not layers one after the other: train it with -c trainer/ddp or trainer/fsdp"
    )


def is_sequence(net: nn.Module, layers: Layers, example: Tensor) -> bool:
    """Whether the layers, one after the other, give what the network gives."""
    training = net.training
    net.eval()
    try:
        with torch.no_grad():
            example = example.to(next(net.parameters()).dtype) if example.is_floating_point() else example
            x = example
            expected = net(example)
            for _, layer in layers:
                x = layer(x)
            return x.shape == expected.shape and torch.equal(x, expected)
    except (RuntimeError, TypeError, ValueError, AttributeError):
        return False
    finally:
        net.train(training)


def stages_of(layers: Layers, count: int) -> list[Layers]:
    """The layers in ``count`` parts that follow each other, with as many layers with weights in each as possible.

    Raises:
        UserError: There are more stages than layers with weights.
    """
    heavy = [any(True for _ in layer.parameters()) for _, layer in layers]
    if sum(heavy) < count:
        raise UserError(
            f"{count} processes for {sum(heavy)} layers with weights: --trainer.devices {sum(heavy)} at most"
        )
    parts: list[Layers] = [[] for _ in range(count)]
    seen = 0
    for layer, weighs in zip(layers, heavy, strict=True):
        place = seen if weighs else max(0, seen - 1)  # what has no weights goes with the layer before it
        parts[min(place * count // sum(heavy), count - 1)].append(layer)
        seen += weighs
    return parts
