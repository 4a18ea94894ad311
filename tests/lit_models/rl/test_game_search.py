"""Searches in tic-tac-toe: the exact value, fewer boards for it, and a tree that finds it by simulations."""

import random

import pytest

from lit_models.rl.game_search import Board, Count, alpha_beta, minimax, result, tree_search

EMPTY: Board = (0,) * 9


def test_the_game_is_a_draw_and_alpha_beta_needs_less_than_a_tenth_of_the_boards() -> None:
    every, some = Count(), Count()
    opening = (-1, 0, 0, 0, 0, 0, 0, 0, 0)  # the answer to a corner
    assert minimax(opening, every) == alpha_beta(opening, count=some) == 0
    assert every.boards == 59_705 and some.boards < 59_705 / 10
    known: dict[Board, int] = {}
    assert minimax(EMPTY, known=known) == 0 and len(known) == 5478


def test_alpha_beta_has_the_values_of_minimax() -> None:
    known: dict[Board, int] = {}
    minimax(EMPTY, known=known)
    late = [board for board in known if board.count(0) <= 5]
    boards = random.Random(0).sample(late, 300)
    assert [alpha_beta(board) for board in boards] == [known[board] for board in boards]


@pytest.mark.parametrize(
    ("board", "move"),
    [
        ((1, 1, 0, -1, -1, 0, 0, 0, 0), 2),  # wins
        ((-1, -1, 0, 1, 0, 0, 0, 0, 0), 2),  # must block
        ((-1, 0, 0, 0, 0, 0, 0, 0, 0), 4),  # the only answer to a corner
    ],
)
def test_simulations_find_the_only_good_move(board: Board, move: int) -> None:
    visits = tree_search(board, 1200, random.Random(0))
    assert max(range(9), key=visits.__getitem__) == move
    assert sum(visits) == 1200 and not any(visits[k] for k in range(9) if board[k])


def test_results_are_those_of_the_player_to_move() -> None:
    assert result((-1, -1, -1, 1, 1, 0, 0, 0, 0)) == -1
    assert result(EMPTY) is None and result((1, -1, 1, 1, -1, -1, -1, 1, 1)) == 0
