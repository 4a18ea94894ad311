"""A model that leaves parameters without a gradient, trained with a preset's strategy. Run in each of two processes."""

from importlib import import_module
from pathlib import Path
from typing import Any

import yaml
from torch import Tensor, nn

from scripts.front.recipes import CONFIGS
from tests.small import Points, SmallNet, small_trainer


class TakesTurns(SmallNet):
    """Two heads, of which each step uses one."""

    def __init__(self, **task: Any) -> None:
        super().__init__(**task)
        self.other = nn.Linear(2, 3)

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        loss = super().training_step(batch, batch_idx)
        return loss + self.other(batch[0]).square().mean() if batch_idx % 2 else loss


def train(folder: Path, preset: str) -> None:
    strategy = yaml.safe_load((CONFIGS / f"{preset}.yaml").read_text())["trainer"]["strategy"]
    module, _, name = strategy["class_path"].rpartition(".")
    arguments = {key: value for key, value in strategy["init_args"].items() if key != "timeout"}
    made = getattr(import_module(module), name)(**arguments)
    trainer = small_trainer(folder, devices=2, strategy=made, use_distributed_sampler=False)
    trainer.fit(TakesTurns(), datamodule=Points())
