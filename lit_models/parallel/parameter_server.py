"""A parameter server: one process keeps the weights, workers send it gradients and get weights back.

Smola and Narayanamurthy 2010; Li et al. 2014, "Scaling distributed machine learning with the parameter server";
D2L 13.7. Two modes:

- ``synchronous``: the server waits for all workers, takes the mean of their gradients and makes one step. It is data
  parallelism with another pattern of messages, and gives the same weights.
- ``asynchronous``: the server makes a step with each gradient as it arrives, and sends the new weights to that worker
  alone. The others compute on with older weights: a gradient is late by the steps that were made since its worker got
  its weights, its *staleness*. Nobody waits, but a learning rate that is right for one worker is too large for many.

In which order gradients arrive depends on the machines; here a seeded schedule decides, so that a run can be repeated
and one process, which computes for all workers in turn, gives exactly what several processes give. In each round every
worker sends once, in an order that is drawn: its staleness is between 0 and 2 (K - 1).

    dive fit parallel/parameter_server                                               4 workers in one process
    dive fit parallel/parameter_server --trainer.devices 4 --data.batch_size 16      the same, in four processes
    dive fit parallel/parameter_server --model.mode asynchronous

The first process is the server, and a worker too. A batch is a round: in one process each worker takes its rows of it.
Departs from the papers: all keys of the model are in one server, and it applies the optimizer itself.
"""

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor
from torch.func import functional_call
from torch.nn import functional as F

from common.messages import UserError
from lit_models.cnn.lenet import LeNet
from lit_models.parallel.data_parallel import without_ddp
from lit_models.parallel.point_to_point import everybody, exchange, rank, world
from lit_models.tasks.image_classifier import ImageClassifier
from lit_models.tasks.trains import trains

Weights = dict[str, Tensor]
SERVER = 0


def arrival(workers: int, seed: int, step: int) -> list[int]:
    """The order in which the workers' gradients arrive in a round."""
    return torch.randperm(workers, generator=torch.Generator().manual_seed((seed << 24) + step)).tolist()


def staleness(workers: int, seed: int, steps: int) -> list[int]:
    """The staleness of each gradient of some rounds: the server's steps since its worker got its weights."""
    got, found, made = dict.fromkeys(range(workers), 0), [], 0
    for step in range(steps):
        for worker in arrival(workers, seed, step):
            found.append(made - got[worker])
            made += 1
            got[worker] = made
    return found


@trains(LeNet)
class LitParameterServer(ImageClassifier):
    """LeNet trained by a server and its workers.

    Args:
        workers: Number K of workers in one process; several processes are as many workers.
        mode: ``synchronous`` or ``asynchronous``.
        schedule_seed: Decides in which order gradients arrive.
        **task: See ``ImageClassifier``.

    Raises:
        UserError: There is no worker.
    """

    copies: dict[int, Weights]  #: what each worker of this process computes with; not the server's weights
    pushed: dict[int, Sequence[Tensor]]  #: the gradients of this round

    def __init__(
        self,
        workers: int = 4,
        mode: Literal["synchronous", "asynchronous"] = "synchronous",
        schedule_seed: int = 0,
        **task: Any,
    ) -> None:
        super().__init__(**task)
        if workers < 1:
            raise UserError(f"model.workers is {workers}: give at least 1")
        self.workers, self.mode, self.schedule_seed = workers, mode, schedule_seed
        self.__dict__ |= {"copies": {}, "pushed": {}}

    def configure_model(self) -> None:
        if self._trainer is None:
            return
        if self.device_mesh is not None:
            raise UserError("the server has whole weights: train it with -c trainer/ddp")
        if self.trainer.accumulate_grad_batches > 1:
            raise UserError("a server makes a step of each round: --trainer.accumulate_grad_batches 1")
        if self.trainer.gradient_clip_val:
            raise UserError("the server takes gradients as they arrive: no --trainer.gradient_clip_val")
        without_ddp(self)

    # -- the workers ------------------------------------------------------------------------------------------------

    def here(self) -> list[int]:
        """The workers of this process."""
        return [rank()] if world() > 1 else list(range(self.workers))

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """Each worker's gradient on its own rows, at the weights that it has; returns the mean loss."""
        count, parts = len(self.here()), []
        for k, worker in enumerate(self.here()):
            x, y = (t[k::count] for t in batch)  # as the loader distributes rows to processes
            if worker not in self.copies:
                self.copies[worker] = self.pulled()
            weights = self.copies[worker]
            logits = functional_call(self.net, weights, (self.normalized(x),))
            loss = F.cross_entropy(logits, y, label_smoothing=self.label_smoothing)
            self.pushed[worker] = torch.autograd.grad(loss, list(weights.values()))
            parts.append(loss.detach())
        loss = torch.stack(parts).mean()
        self.record_train_loss(loss, len(batch[0]))
        return loss.requires_grad_()  # whose backward pass, which Lightning starts, has nothing to do

    def backward(self, loss: Tensor, *args: Any, **kwargs: Any) -> None:
        """The workers have their gradients."""

    def pulled(self) -> Weights:
        """A copy of the weights that this process's network has."""
        return {name: p.detach().clone().requires_grad_() for name, p in self.net.named_parameters()}

    # -- the server -------------------------------------------------------------------------------------------------

    def optimizer_step(self, epoch: int, batch_idx: int, optimizer: Any, optimizer_closure: Any = None) -> None:
        """A round: the server's steps, and what it sends back."""
        optimizer_closure()
        order = arrival(self.workers if world() == 1 else world(), self.schedule_seed, self.trainer.global_step)
        if self.mode == "synchronous":
            received = [self.receive(worker) for worker in sorted(order)]
            if rank() == SERVER:
                self.make_step(optimizer, [torch.stack(grads).mean(0) for grads in zip(*received, strict=True)])
            for worker in order:
                self.send_back(worker)
            return
        for worker in order:
            gradients = self.receive(worker)
            if rank() == SERVER:
                self.make_step(optimizer, gradients)
            self.send_back(worker)

    def receive(self, worker: int) -> list[Tensor]:
        """A worker's gradients, at the server; the worker sends them, others get nothing."""
        if worker in self.pushed:
            if rank() != SERVER:
                exchange({SERVER: torch.cat([g.flatten() for g in self.pushed[worker]])}, {})
            return list(self.pushed[worker])
        if rank() != SERVER:
            return []
        shapes = [p.shape for p in self.net.parameters()]
        flat = torch.cat([p.detach().flatten() for p in self.net.parameters()])
        exchange({}, {worker: flat})
        return [part.view(shape) for part, shape in zip(flat.split([s.numel() for s in shapes]), shapes, strict=True)]

    def make_step(self, optimizer: Any, gradients: list[Tensor]) -> None:
        """One step of the server's optimizer."""
        for parameter, gradient in zip(self.net.parameters(), gradients, strict=True):
            parameter.grad = gradient.clone()
        optimizer.optimizer.step()

    def send_back(self, worker: int) -> None:
        """The server's weights to one worker."""
        if worker in self.pushed and rank() == SERVER:
            self.copies[worker] = self.pulled()
        elif rank() == SERVER:
            exchange({worker: self.flat()}, {})
        elif worker == rank():
            flat = self.flat()
            exchange({}, {SERVER: flat})
            self.take(flat)
            self.copies[worker] = self.pulled()

    def flat(self) -> Tensor:
        return torch.cat([p.detach().flatten() for p in self.net.parameters()])

    def take(self, flat: Tensor) -> None:
        """Puts weights into this process's network."""
        with torch.no_grad():
            parts = flat.split([p.numel() for p in self.net.parameters()])
            for parameter, part in zip(self.net.parameters(), parts, strict=True):
                parameter.copy_(part.view_as(parameter))

    # -- evaluation and checkpoints -----------------------------------------------------------------------------------

    def on_validation_start(self) -> None:
        """All processes evaluate the server's weights."""
        super().on_validation_start()
        if world() > 1 and self.copies:
            self.take(everybody(self.flat())[SERVER])

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_save_checkpoint(checkpoint)
        if self.copies:
            mine = torch.stack([torch.cat([w.detach().flatten() for w in c.values()]) for c in self.copies.values()])
            checkpoint["workers"] = torch.cat(everybody(mine)).cpu()  # (K, P), by rank

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_load_checkpoint(checkpoint)
        rows = checkpoint.get("workers")
        if rows is None or self._trainer is None or self.trainer.state.fn != "fit":
            return
        shapes = {name: p.shape for name, p in self.net.named_parameters()}
        for worker in self.here() if len(rows) == (self.workers if world() == 1 else world()) else ():
            parts = rows[worker].to(self.device).split([shape.numel() for shape in shapes.values()])
            pairs = zip(shapes.items(), parts, strict=True)
            self.copies[worker] = {name: part.view(shape).clone().requires_grad_() for (name, shape), part in pairs}

    def panels(self) -> list[dict[str, Any]]:
        """The lines of ``staleness.png``: how late gradients are, by the number of workers."""
        lines = {}
        for workers in (2, 4, 8):
            found = torch.tensor(staleness(workers, self.schedule_seed, 2000)[workers:])
            counts = torch.bincount(found, minlength=16).double() / len(found)
            lines[f"{workers} workers"] = (torch.arange(len(counts)), counts)
        return [{"title": "fraction of the gradients", "xlabel": "staleness in steps", "lines": lines}]
