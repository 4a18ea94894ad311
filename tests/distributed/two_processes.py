"""Run by torch in two processes: trains a small network under DDP on gloo and writes what came out.

python -m tests.distributed.two_processes FOLDER WORLD
"""

import json
import sys
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from callbacks.predictions import Predictions
from callbacks.random_state import RandomState
from tests.small import Points, SmallNet, small_trainer

GLOBAL_BATCH = 12


class Exact(Points):
    """Double precision and no noise, so that one process and two can be compared to the last digits."""

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        return {name: (x.double(), *rest) for name, (x, *rest) in super().load(stage).items()}

    def augment(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return batch


def main(folder: Path, world: int) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = SmallNet(dropout=0.0, optimizer=partial(torch.optim.SGD, lr=0.1)).double()
    data = Exact(batch_size=GLOBAL_BATCH // world)
    strategy = "ddp" if world > 1 else "auto"
    trainer = small_trainer(
        folder,
        RandomState(),
        Predictions(),
        devices=world,
        strategy=strategy,
        max_epochs=3,
        use_distributed_sampler=False,
    )
    trainer.fit(model, datamodule=data)
    fitted = {name: float(value) for name, value in trainer.callback_metrics.items()}
    trainer.save_checkpoint(folder / f"world{world}.ckpt")
    tested = trainer.test(model, datamodule=data, verbose=False)[0]
    trainer.predict(model, datamodule=data, return_predictions=False)
    if trainer.is_global_zero:
        weights = torch.cat([p.detach().flatten() for p in model.parameters()]).tolist()
        (folder / f"world{world}.json").write_text(json.dumps({"weights": weights, "metrics": fitted | tested}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
