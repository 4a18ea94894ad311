"""Self-play with a small network and search: tic-tac-toe without a loss, by the network alone.

Tesauro 1995 (TD-Gammon); Veness et al. 2009 (TreeStrap); Silver's lecture 10; not in D2L. The network learns the value
of each move. In the positions of its own games a search of one move, over all moves, gives the targets: a won game, a
draw, or minus the best value that the other player has then. Departs from TD-Gammon: all moves of a position learn, not
only the one that was played, and there are no dice, so that some moves are random.

The exact check: no line of play of an opponent, who may begin or not, wins against the network's best moves.

    dive fit rl/self_play
    dive fit rl/self_play --model.epsilon 0            its own best moves only: it never sees unusual ones

The numbers it reaches are in RESULTS.md.
"""

from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from common.messages import UserError
from common.tic_tac_toe import lost, next_boards, over, played
from lit_models.rl.game_search import minimax
from lit_models.tasks.task import Task
from lit_models.tasks.trains import trains


class MoveValues(nn.Module):
    """The value of each move, from -1 to 1. Boards (B, 9) -> (B, 9); those of moves that are not possible mean nothing.

    Args:
        hidden_size: Units of each of two hidden layers.
    """

    def __init__(self, hidden_size: int = 128) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(18, hidden_size),
            nn.ReLU(),
            nn.Linear(hidden_size, hidden_size),
            nn.ReLU(),
            nn.Linear(hidden_size, 9),
            nn.Tanh(),
        )

    def forward(self, boards: Tensor) -> Tensor:
        own, other = boards == 1, boards == -1
        return self.layers(torch.cat([own, other], 1).to(next(self.parameters()).dtype))


@trains(MoveValues)
class LitSelfPlay(Task):
    """Self-play as a task: a batch is (boards,), (B, 9).

    Args:
        epsilon: Probability of a random move in the games that it learns from.
        **task: See ``Task``.
    """

    output_means = "the value of each move for the player to move"
    net: MoveValues

    def __init__(self, epsilon: float = 0.5, **task: Any) -> None:
        if not 0 <= epsilon <= 1:
            raise UserError(f"model.epsilon is {epsilon}: give a number from 0 to 1")
        super().__init__(**task)
        self.epsilon = epsilon
        self.example_input = torch.zeros(1, 9, dtype=torch.long)

    def values(self, boards: Tensor) -> Tensor:
        """The value of each move (B, 9); minus infinity where it is not possible."""
        return self.net(boards).float().masked_fill(boards != 0, float("-inf"))

    def act(self, boards: Tensor, greedy: bool = False) -> Tensor:
        """Moves (B,): the best ones, some of them random."""
        best = self.values(boards).argmax(1)
        if greedy:
            return best
        other = torch.multinomial((boards == 0).float(), 1)[:, 0]
        return torch.where(torch.rand(len(boards), device=boards.device) < self.epsilon, other, best)

    def searched(self, boards: Tensor) -> Tensor:
        """The value of each move (B, 9) by a search of one move, with the network's values of the boards after it."""
        reached = next_boards(boards).reshape(-1, 9)
        best = -self.values(reached).amax(1)
        value = torch.where(lost(reached), 1.0, torch.where(over(reached), 0.0, best))
        return value.reshape(-1, 9)

    def training_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> Tensor:
        (boards,) = batch
        with torch.no_grad():
            target = self.searched(boards)
        possible = boards == 0
        error = (self.net(boards) - target).masked_fill(~possible, 0.0)
        loss = (error.square().sum(1) / possible.sum(1)).mean()
        self.record_train_loss(loss, len(boards))
        return loss

    def lines_lost(self) -> tuple[int, int]:
        """Lines of play that the best moves lose, of how many, over both seats and all moves of an opponent."""
        count = defeats = 0
        for begins in (True, False):
            boards, mine = torch.zeros(1, 9, dtype=torch.long, device=self.device), begins
            while len(boards):
                if mine:
                    boards = played(boards, self.act(boards, greedy=True))
                else:
                    boards = next_boards(boards)[boards == 0]
                    defeats += int(lost(boards).sum())
                mine, ended = not mine, over(boards)
                count += int(ended.sum())
                boards = boards[~ended]
        return defeats, count

    def evaluate(self, stage: str, boards: Tensor) -> None:
        """Logs the lines lost, the fraction of positions with a wrong best move, and the mean error of their values."""
        best, move = self.values(boards).max(1)
        value = exact_values(boards)
        reached = played(boards, move)
        kept = torch.where(lost(reached), 1.0, torch.where(over(reached), 0.0, -exact_values(reached)))
        defeats, _ = self.lines_lost()
        wrong, error = (kept < value).float().mean(), (best - value).abs().mean()
        found: dict[str, Any] = {"loss": defeats + error, "lines_lost": float(defeats), "wrong": wrong, "error": error}
        self.log_dict({f"{stage}/{k}": v for k, v in found.items()}, batch_size=len(boards), sync_dist=True)

    def validation_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> None:
        self.evaluate("val", batch[0])

    def test_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> None:
        self.evaluate("test", batch[0])

    def predict_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> dict[str, Tensor]:
        """The best move in each position, its value, and the exact value of the position."""
        value, move = self.values(batch[0]).max(1)
        return {"move": move, "value": value, "exact": exact_values(batch[0])}


@cache
def solved() -> dict[tuple[int, ...], int]:
    """The exact value of every position."""
    known: dict[tuple[int, ...], int] = {}
    minimax((0,) * 9, known=known)
    return known


def exact_values(boards: Tensor) -> Tensor:
    """The values (B,) of boards (B, 9) under best play, 0 of boards that no game can come to."""
    found = [solved().get(tuple(board), 0) for board in boards.tolist()]
    return torch.tensor(found, dtype=torch.float32, device=boards.device)
