"""Search in a game of two players: minimax, alpha-beta, and Monte Carlo tree search with UCT; tic-tac-toe's rules.

Knuth and Moore 1975 (alpha-beta); Kocsis and Szepesvari 2006 (UCT); Silver's lectures 8 and 10. A board is a tuple of
nine numbers, 1 for the player to move; the value is that player's: 1 won, 0 drawn, -1 lost.
"""

import math
import random
from dataclasses import dataclass, field

from common.tic_tac_toe import LINES

Board = tuple[int, ...]


def moves(board: Board) -> list[int]:
    return [k for k in range(9) if not board[k]]


def after(board: Board, move: int) -> Board:
    """The board as the other player sees it."""
    return tuple(-1 if k == move else -value for k, value in enumerate(board))


def result(board: Board) -> int | None:
    """The value of a game that is over for the player to move, None where it goes on."""
    if any(board[a] == board[b] == board[c] == -1 for a, b, c in LINES):
        return -1
    return None if 0 in board else 0


@dataclass
class Count:
    """Boards that a search looked at.

    Args:
        boards: How many.
    """

    boards: int = 0


def minimax(board: Board, count: Count | None = None, known: dict[Board, int] | None = None) -> int:
    """The value under best play of both.

    Args:
        board: To move.
        count: Counts the boards.
        known: Values that were found, which are not searched again.
    """
    if known is not None and board in known:
        return known[board]
    if count is not None:
        count.boards += 1
    value = result(board)
    if value is None:
        value = max(-minimax(after(board, move), count, known) for move in moves(board))
    if known is not None:
        known[board] = value
    return value


def alpha_beta(board: Board, alpha: int = -1, beta: int = 1, count: Count | None = None) -> int:
    """The same value from fewer boards: a move is left as soon as the other player has a refutation.

    Args:
        board: To move.
        alpha: What this player has for certain elsewhere.
        beta: What the other player allows at most.
        count: Counts the boards.
    """
    if count is not None:
        count.boards += 1
    value = result(board)
    if value is not None:
        return value
    best = -1
    for move in moves(board):
        best = max(best, -alpha_beta(after(board, move), -beta, -alpha, count))
        alpha = max(alpha, best)
        if alpha >= beta:
            break
    return best


@dataclass
class Node:
    """A board of the tree.

    Args:
        board: As the player to move sees it.
        visits: Simulations that came here.
        total: The sum of their results for the player who moved here.
        children: By move.
    """

    board: Board
    visits: int = 0
    total: float = 0.0
    children: dict[int, "Node"] = field(default_factory=dict)


def uct(node: Node, c: float) -> int:
    """The move with the largest mean result plus c sqrt(log N / n)."""

    def score(move: int) -> float:
        child = node.children[move]
        return child.total / child.visits + c * math.sqrt(math.log(node.visits) / child.visits)

    return max(node.children, key=score)


def tree_search(board: Board, simulations: int, generator: random.Random, c: float = 1.4) -> list[int]:
    """The visits of each of the nine moves after some simulations.

    Args:
        board: To move, of a game that is not over.
        simulations: Each adds one board to the tree and ends the game with random moves.
        generator: Of the random moves.
        c: How much is explored. Kocsis and Szepesvari have sqrt(2) for results from 0 to 1; results here are from -1 to
            1, for which 1.4 explores half as much.
    """
    root = Node(board)
    for _ in range(simulations):
        node, path = root, [root]
        while result(node.board) is None and len(node.children) == len(moves(node.board)):  # select
            node = node.children[uct(node, c)]
            path.append(node)
        if result(node.board) is None:  # expand
            move = generator.choice([m for m in moves(node.board) if m not in node.children])
            node.children[move] = Node(after(node.board, move))
            node = node.children[move]
            path.append(node)
        end, sign = node.board, 1
        while (value := result(end)) is None:  # simulate
            end, sign = after(end, generator.choice(moves(end))), -sign
        value = -value * sign  # for the player who moved to the last node
        for node in reversed(path):  # back up
            node.visits, node.total, value = node.visits + 1, node.total + value, -value
    return [root.children[move].visits if move in root.children else 0 for move in range(9)]
