"""In the manner of the book's own library: its data loader, its trainer's loop and its plotting, with nothing drawn.

D2L 3.2, 3.4, 4.2: each image is resized and turned into a tensor by itself, the loop is plain Python, and each training
step hands its loss to a board that keeps the mean of every half epoch. The book draws them too, which would be slower.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.transforms import Compose, Resize, ToTensor

from scripts.evidence.benches.per_sample import loader
from scripts.evidence.benches.workloads import IMAGES, LEARNING_RATE, Clock, Workload

PLOTS_PER_EPOCH = 2


class Board:
    """Collects points and keeps the mean of every ``every`` of them."""

    def __init__(self, every: int) -> None:
        self.every = max(1, every)
        self.waiting: list[tuple[float, float]] = []
        self.points: list[tuple[float, float]] = []

    def add(self, x: float, y: float) -> None:
        self.waiting.append((x, y))
        if len(self.waiting) == self.every:
            xs, ys = zip(*self.waiting, strict=True)
            self.points.append((sum(xs) / len(xs), sum(ys) / len(ys)))
            self.waiting.clear()


class Classifier(nn.Module):
    """A module with its loss and its board."""

    def __init__(self, net: nn.Module, batches: int) -> None:
        super().__init__()
        self.net, self.batches, self.step = net, batches, 0
        self.board = Board(batches // PLOTS_PER_EPOCH)

    def training_step(self, batch: list[Tensor]) -> Tensor:
        loss = F.cross_entropy(self.net(*batch[:-1]), batch[-1])
        self.board.add(self.step / self.batches, loss.item())
        self.step += 1
        return loss


def train(work: Workload, clock: Clock, rows: int = IMAGES, workers: int = 4) -> None:
    data = loader(rows, Compose([Resize((28, 28)), ToTensor()]), work.batch_size, workers)
    model = Classifier(work.network(), len(data))
    optimizer = torch.optim.SGD(model.parameters(), LEARNING_RATE)
    while not clock.done:
        model.train()
        for batch in data:
            loss = model.training_step(batch)
            optimizer.zero_grad()
            with torch.no_grad():
                loss.backward()
                optimizer.step()
            clock.tick(len(batch[-1]))
            if clock.done:
                break
