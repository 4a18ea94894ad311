"""Lightning as first tutorials write it: torchvision's dataset, four workers, ``self.log`` on each step and epoch.

Everything else is Lightning's default, the TensorBoard logger and the progress bar included. With ``accuracy`` the step
also calls a metric, as is common; no other side has one, so this is additional work.
"""

from tempfile import TemporaryDirectory

import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor, nn
from torch.nn import functional as F
from torchmetrics.classification import MulticlassAccuracy
from torchvision.transforms import ToTensor

from scripts.evidence.benches.ours import Ticks
from scripts.evidence.benches.per_sample import loader
from scripts.evidence.benches.workloads import IMAGES, LEARNING_RATE, Clock, Workload


class LitNaive(LightningModule):
    def __init__(self, net: nn.Module, accuracy: bool) -> None:
        super().__init__()
        self.net = net
        self.accuracy = MulticlassAccuracy(10, average="micro") if accuracy else None

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        logits = self.net(x)
        loss = F.cross_entropy(logits, y)
        self.log("train_loss", loss, on_step=True, on_epoch=True, prog_bar=True)
        if self.accuracy is not None:
            self.accuracy(logits, y)
            self.log("train_acc", self.accuracy, on_step=True, on_epoch=True, prog_bar=True)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), LEARNING_RATE)


def train(work: Workload, clock: Clock, rows: int = IMAGES, workers: int = 4, accuracy: bool = False) -> None:
    data = loader(rows, ToTensor(), work.batch_size, workers)
    with TemporaryDirectory() as folder:
        trainer = Trainer(
            accelerator="cpu",
            max_steps=clock.total,
            max_epochs=-1,
            enable_checkpointing=False,  # no side saves one
            default_root_dir=folder,
            callbacks=[Ticks(clock)],
        )
        trainer.fit(LitNaive(work.network(), accuracy), data)
