"""The networks of the parallel topic, undivided, against the papers' formulas; what divides them is in
tests/distributed, which compares processes.
"""

from collections.abc import Iterator
from functools import partial
from tempfile import TemporaryDirectory
from typing import Any

import torch
from lightning.pytorch import Trainer
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader
from torchvision.models import alexnet as torchvision_alexnet

from lit_models.cnn.alexnet import AlexNet
from lit_models.parallel.alexnet_two_gpus import Tower, normalize_within_towers
from lit_models.parallel.batch_norm import normalize
from lit_models.parallel.data_parallel import BANDWIDTH, LATENCY, LitDataParallel
from lit_models.parallel.one_weird_trick import Worker, mean_loss
from lit_models.parallel.parameter_server import LitParameterServer
from scripts.evidence.parity.cnn_by_hand import compared, filled, response_normalized
from scripts.evidence.verify import Check, Tensors

# -- AlexNet's two towers ---------------------------------------------------------------------------------------------


def two_towers() -> Any:
    net = AlexNet(3, 5, 67, variant="grouped", width=0.125, pool_size=1, hidden_size=16, dropout=0.0)
    return filled(normalize_within_towers(net))


def our_towers() -> Tensors:
    """Both towers' layers, taken apart by ``Tower``, run side by side in one process."""
    net = two_towers()
    return compared(net, net, (3, 3, 67, 67)) | sizes_of([Tower(net, k) for k in range(2)])


def sizes_of(towers: list[Any]) -> Tensors:
    """The numbers of each tower's weights, by layer."""
    counts = [[p.numel() for p in tower.parameters() if p.ndim > 1] for tower in towers]
    return {"numbers of weights": torch.tensor(counts, dtype=torch.float64)}


def by_formula(within: bool) -> Tensors:
    """The paper's figure 2 with two tensors, one a tower, which are joined where the figure's lines cross."""
    net = two_towers()
    one, two, three, four, five = (m for m in net.features if isinstance(m, nn.Conv2d))
    dense = [m for m in net.classifier if isinstance(m, nn.Linear)]

    def halves(layer: Any) -> Iterator[tuple[Tensor, Tensor]]:
        return zip(layer.weight.chunk(2), layer.bias.chunk(2), strict=True)

    def norm_pool(towers: list[Tensor]) -> list[Tensor]:
        both = [response_normalized(t, 1e-4) for t in towers]
        if not within:
            both = list(response_normalized(torch.cat(towers, 1), 1e-4).chunk(2, 1))
        return [F.max_pool2d(t, 3, 2) for t in both]

    def own(towers: list[Tensor], layer: nn.Conv2d, padding: int) -> list[Tensor]:
        return [F.conv2d(t, w, b, padding=padding).relu() for t, (w, b) in zip(towers, halves(layer), strict=True)]

    def forward(x: Tensor) -> Tensor:
        towers = norm_pool([F.conv2d(x, w, b, stride=4).relu() for w, b in halves(one)])
        towers = norm_pool(own(towers, two, 2))
        towers = own([torch.cat(towers, 1)] * 2, three, 1)
        towers = own(own(towers, four, 1), five, 1)
        towers = [F.max_pool2d(t, 3, 2).mean((2, 3)) for t in towers]
        for layer in dense[:-1]:
            both = torch.cat(towers, 1)
            towers = [(both @ w.T + b).relu() for w, b in halves(layer)]
        columns = dense[-1].weight.chunk(2, 1)
        return towers[0] @ columns[0].T + towers[1] @ columns[1].T + dense[-1].bias

    # 12, 32, 48, 48, 32 kernels and 16 units, halved; 5 sums of 8 values each
    weights = [6 * 3 * 121, 16 * 6 * 25, 24 * 32 * 9, 24 * 24 * 9, 16 * 24 * 9, 8 * 32, 8 * 16, 5 * 8]
    counted = {"numbers of weights": torch.tensor([weights] * 2, dtype=torch.float64)}
    return compared(net, forward, (3, 3, 67, 67)) | counted


# -- batch normalization ----------------------------------------------------------------------------------------------


def layer() -> nn.BatchNorm2d:
    torch.manual_seed(3)
    made = nn.BatchNorm2d(4, dtype=torch.float64)
    nn.init.normal_(made.weight)
    nn.init.normal_(made.bias)
    return made


def normalized(function: Any, made: nn.BatchNorm2d) -> Tensors:
    torch.manual_seed(4)
    x = torch.randn(6, 4, 3, 3, dtype=torch.float64, requires_grad=True)
    y = function(x)
    y.sin().sum().backward()
    found: Any = {"output": y, "grad x": x.grad, "grad weight": made.weight.grad, "grad bias": made.bias.grad}
    return found | {"running mean": made.running_mean, "running variance": made.running_var}


def our_batch_norm() -> Tensors:
    made = layer()
    return normalized(partial(normalize, made), made)


def torchs_batch_norm(halves: bool = False) -> Tensors:
    """Or of each half of the rows by itself, as without messages."""
    made = layer()
    return normalized((lambda x: torch.cat([made(part) for part in x.chunk(2)])) if halves else made, made)


# -- one weird trick --------------------------------------------------------------------------------------------------


def images() -> tuple[Tensor, Tensor]:
    torch.manual_seed(5)
    return torch.rand(4, 3, 224, 224, dtype=torch.float64, requires_grad=True), torch.arange(4) % 3


def with_gradients(net: Any, loss: Tensor, x: Tensor) -> Tensors:
    loss.backward()
    found: Any = {"loss": loss, "grad images": x.grad}
    return found | {f"grad {name}": p.grad for name, p in net.named_parameters() if name.startswith("classifier")}


def torchvisions(seed: int = 6) -> Any:
    torch.manual_seed(seed)
    return torchvision_alexnet(num_classes=3, dropout=0.0).double()


def our_worker() -> Tensors:
    """The only worker, which hands slices of its rows to itself, with torchvision's weights."""
    net = AlexNet(3, 3, 224, dropout=0.0).double()
    net.load_state_dict(torchvisions().state_dict())
    x, y = images()
    return with_gradients(worker := Worker(net, 0, 1), mean_loss(worker, x, y, "slices"), x)


def their_alexnet(rows: int = 4) -> Tensors:
    x, y = images()
    net = torchvisions()
    return with_gradients(net, F.cross_entropy(net(x), y, reduction="sum") / rows, x)


# -- messages and their time ------------------------------------------------------------------------------------------


def our_times() -> Tensors:
    """The lines of ``cost.png``."""
    return {name: y for name, (_, y) in LitDataParallel().panels()[1]["lines"].items()}


def simulated_times(latency: float = LATENCY) -> Tensors:
    """Message by message: each link carries one at a time in each direction, and a message waits for what it needs."""
    size, times = 4 * 61_100_840, {"naive": [], "tree": [], "ring": []}  # type: ignore[var-annotated]

    def message(part: float) -> float:
        return latency + part / BANDWIDTH

    for k in [2, 4, 8, 16, 32, 64, 128, 256]:
        clock = 0.0
        for _ in range(2):  # to the first process, one after the other through its link; and back
            for _ in range(1, k):
                clock += message(size)
        times["naive"].append(clock)
        ready, reach = [0.0] * k, 1
        while reach < k:  # up: the left one of a pair has the sum when both are ready and the message came
            for left in range(0, k, 2 * reach):
                ready[left] = max(ready[left], ready[left + reach]) + message(size)
            reach *= 2
        times["tree"].append(2 * ready[0])
        clocks = [0.0] * k
        for _ in range(2 * (k - 1)):  # a process goes on when it has sent its part and got the left one's
            clocks = [max(clocks[r], clocks[r - 1]) + message(size / k) for r in range(k)]
        times["ring"].append(max(clocks))
    return {name: torch.tensor(seconds, dtype=torch.float64) for name, seconds in times.items()}


# -- a parameter server -----------------------------------------------------------------------------------------------

ROUNDS, WORKERS = 5, 3


def rounds() -> list[tuple[Tensor, Tensor]]:
    torch.manual_seed(7)
    return [(torch.rand(6, 1, 28, 28, dtype=torch.float64), torch.randint(0, 10, (6,))) for _ in range(ROUNDS)]


def lenet() -> LitParameterServer:
    torch.manual_seed(8)
    sgd = partial(torch.optim.SGD, lr=0.1)
    return LitParameterServer(activation="relu", workers=WORKERS, mode="asynchronous", optimizer=sgd).double()


def our_server() -> Tensors:
    model = lenet()
    with TemporaryDirectory() as folder:
        quiet: Any = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
        trainer = Trainer(default_root_dir=folder, accelerator="cpu", max_epochs=1, enable_checkpointing=False, **quiet)
        trainer.fit(model, DataLoader(rounds(), batch_size=None))  # type: ignore[arg-type]
    return {name: p.detach() for name, p in model.net.named_parameters()}


def late_steps(late: bool) -> Tensors:
    """Gradient by gradient: computed with the weights that its worker got last, subtracted from the newest."""
    net = lenet().net
    newest = {name: p.detach().clone() for name, p in net.named_parameters()}
    has = [dict(newest) for _ in range(WORKERS)]
    for step, (x, y) in enumerate(rounds()):
        begun = [dict(weights) for weights in has]  # all of them compute at the beginning of a round
        for worker in torch.randperm(WORKERS, generator=torch.Generator().manual_seed(step)).tolist():
            net.load_state_dict(begun[worker] if late else newest)
            net.zero_grad()
            F.cross_entropy(net(x[worker::WORKERS]), y[worker::WORKERS]).backward()
            newest = {name: newest[name] - 0.1 * p.grad for name, p in net.named_parameters()}  # type: ignore[operator]
            has[worker] = dict(newest)
    return newest


CHECKS = [
    Check(
        name="parallel/one_weird_trick",
        claim="AlexNet as one worker computes it, in slices, against torchvision's, with its weights",
        package="torchvision",
        ours=our_worker,
        reference=their_alexnet,
        control=partial(their_alexnet, 3),
        mistake="the loss divided by another number of rows",
        slow=True,
    ),
    Check(
        name="parallel/data_parallel",
        claim="seconds of an all-reduce by formula against messages simulated one by one, 2 to 256 processes",
        package="torch",
        ours=our_times,
        reference=simulated_times,
        control=partial(simulated_times, 0.0),
        mistake="messages without latency, as in the book's examples",
        without="gradients: seconds have none",
    ),
    Check(
        name="parallel/parameter_server",
        claim="asynchronous steps of three workers against gradients subtracted one by one",
        package="torch",
        ours=our_server,
        reference=partial(late_steps, True),
        control=partial(late_steps, False),
        mistake="every gradient computed with the newest weights",
        without="gradients: the weights after five rounds are made of them",
    ),
    Check(
        name="parallel/alexnet_two_gpus",
        claim="AlexNet's two towers against the paper's figure 2 with a tensor for each tower; what each tower has",
        package="torch",
        ours=our_towers,
        reference=partial(by_formula, True),
        control=partial(by_formula, False),
        mistake="response normalization across the towers, as of one convolution in groups",
    ),
    Check(
        name="parallel/batch_norm",
        claim="batch normalization from sums that processes can share, against torch's",
        package="torch",
        ours=our_batch_norm,
        reference=torchs_batch_norm,
        control=partial(torchs_batch_norm, True),
        mistake="each half of the rows normalized by itself, as processes do without messages",
    ),
]
