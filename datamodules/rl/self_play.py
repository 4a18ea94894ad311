"""Games of tic-tac-toe that a model plays against itself, many at once: each batch is where they stand.

Between two batches the model makes a move in each game; a game that is over begins again. The splits for evaluation
have every position that a game can come to, once; a prediction has this process's part of them.
"""

from typing import Any

import torch
from lightning.pytorch import LightningDataModule
from torch import Tensor

from common.messages import UserError, note
from common.tic_tac_toe import over, played, positions
from datamodules.rl.tabular_environments import Batches, own_rows


class SelfPlay(LightningDataModule):
    """Owns the games and asks ``lightning_module.act(boards)`` for the moves (B,); boards (B, 9) are in the checkpoint.

    Args:
        batch_size: Games.
        num_batches: Batches in an epoch.
        eval_batch_size: Not used: an evaluation has one batch.
    """

    def __init__(self, batch_size: int = 256, num_batches: int = 200, eval_batch_size: int = 0) -> None:
        super().__init__()
        for name, value in {"batch_size": batch_size, "num_batches": num_batches}.items():
            if value < 1:
                raise UserError(f"data.{name} is {value}: give a whole number of at least 1")
        self.batch_size, self.num_batches = batch_size, num_batches
        self.boards: Tensor | None = None
        self.restored: list[Tensor | None] = []

    def next_batch(self) -> tuple[Tensor]:
        """The boards of all games; they are moved on by the model first, but for the empty ones at the beginning."""
        rank = self.trainer.global_rank if self.trainer else 0
        if self.boards is None:
            found = self.restored[rank] if rank < len(self.restored) else None
            if found is not None and len(found) != self.batch_size:
                note(f"the run had {len(found)} games, data.batch_size is {self.batch_size}: new games begin")
                found = None
            self.boards, self.restored = found, []
        if self.boards is None:
            self.boards = torch.zeros(self.batch_size, 9, dtype=torch.long)
            return (self.boards,)
        assert self.trainer is not None
        with torch.no_grad():
            model = self.trainer.lightning_module
            move = model.act(self.boards.to(model.device)).cpu()  # type: ignore[operator]
        boards = played(self.boards, move)
        self.boards = boards.masked_fill(over(boards)[:, None], 0)
        return (self.boards,)

    def train_dataloader(self) -> Batches:
        return Batches(self.num_batches, self.next_batch)

    def every_position(self) -> tuple[Tensor]:
        return (positions(),)

    def val_dataloader(self) -> Batches:
        return Batches(1, self.every_position)

    test_dataloader = val_dataloader

    def predict_dataloader(self) -> Batches:
        return Batches(1, lambda: own_rows(self.every_position(), self.trainer))

    def state_dict(self) -> dict[str, Any]:
        ranks: list[Any] = [self.boards]
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            ranks = [None] * torch.distributed.get_world_size()
            torch.distributed.all_gather_object(ranks, self.boards)
        return {"boards": ranks}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.restored, self.boards = state_dict["boards"], None
