"""The rules of tic-tac-toe."""

import torch

from common.tic_tac_toe import lost, next_boards, over, played, positions


def test_positions_are_all_and_none_is_over() -> None:
    found = positions()
    assert len(found) == 4520 and len(found.unique(dim=0)) == 4520  # 5,478 with those that are over
    assert not bool(over(found).any()) and set(found.sum(1).tolist()) == {0, -1}


def test_a_move_changes_the_view_and_three_in_a_row_lose_for_the_other() -> None:
    board = torch.tensor([[1, 1, 0, -1, -1, 0, 0, 0, 0]])
    won = played(board, torch.tensor([2]))
    assert won.tolist() == [[-1, -1, -1, 1, 1, 0, 0, 0, 0]] and bool(lost(won))
    assert not bool(over(played(board, torch.tensor([8]))))
    assert torch.equal(next_boards(board)[:, 2], won)


def test_a_full_board_without_three_in_a_row_is_over_and_not_lost() -> None:
    board = torch.tensor([[1, -1, 1, 1, -1, -1, -1, 1, 1]])
    assert bool(over(board)) and not bool(lost(board))
