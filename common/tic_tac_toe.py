"""The rules of tic-tac-toe for many boards at once: (B, 9), 1 for the player to move, -1 for the other, 0 for empty.

After a move the board is that of the other player, with all signs changed. Environments and searches share this file.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

#: Three in a row.
LINES = ((0, 1, 2), (3, 4, 5), (6, 7, 8), (0, 3, 6), (1, 4, 7), (2, 5, 8), (0, 4, 8), (2, 4, 6))


def played(boards: "Tensor", move: "Tensor") -> "Tensor":
    """The boards after a move each (B,), seen by the other player."""
    return -boards.scatter(1, move[:, None], 1)


def lost(boards: "Tensor") -> "Tensor":
    """Whether the other player has three in a row (B,)."""
    return (boards[:, LINES].sum(2) == -3).any(1)


def over(boards: "Tensor") -> "Tensor":
    """Whether the game is lost or the board full (B,)."""
    return lost(boards) | (boards != 0).all(1)


def next_boards(boards: "Tensor") -> "Tensor":
    """The boards after each of the nine moves (B, 9, 9); those of moves that are not possible mean nothing."""
    import torch

    return -torch.where(torch.eye(9, dtype=torch.bool, device=boards.device), 1, boards[:, None])


def positions() -> "Tensor":
    """All boards on which a game can be that is not over (4520, 9)."""
    import torch

    level, found = torch.zeros(1, 9, dtype=torch.long), []
    while len(level):
        found.append(level)
        level = next_boards(level)[level == 0].unique(dim=0)
        level = level[~over(level)]
    return torch.cat(found)
