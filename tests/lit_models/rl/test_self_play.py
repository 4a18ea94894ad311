"""Self-play: its targets against the exact values, and the count of lines that are lost."""

import pytest
import torch

from common.messages import UserError
from common.tic_tac_toe import positions
from lit_models.rl.self_play import LitSelfPlay, exact_values, solved


class Perfect(torch.nn.Module):
    """The exact value of each move."""

    def forward(self, boards: torch.Tensor) -> torch.Tensor:
        from common.tic_tac_toe import next_boards

        return -exact_values(next_boards(boards).reshape(-1, 9)).reshape(-1, 9)


def test_untrained_weights_lose_and_exact_values_do_not() -> None:
    torch.manual_seed(0)
    player = LitSelfPlay(hidden_size=16)
    assert player.lines_lost()[0] > 0
    player.net = Perfect()  # type: ignore[assignment]
    defeats, lines = player.lines_lost()
    assert defeats == 0 and lines > 500


def test_the_search_of_exact_values_gives_exact_values() -> None:
    player, boards = LitSelfPlay(), positions()[::7]
    player.net = Perfect()  # type: ignore[assignment]
    target = player.searched(boards).masked_fill(boards != 0, float("-inf"))
    assert torch.equal(target.amax(1), exact_values(boards))


def test_the_loss_is_over_possible_moves_only() -> None:
    player, boards = LitSelfPlay(hidden_size=8), torch.tensor([[1, 1, 0, -1, -1, 1, 1, -1, -1]])
    player.record_train_loss = lambda *_: None  # type: ignore[method-assign]
    q = player.net(boards)[0, 2]
    torch.testing.assert_close(player.training_step((boards,), 0), (q - 1).square())


def test_random_moves_are_possible_ones() -> None:
    torch.manual_seed(0)
    boards = positions()
    move = LitSelfPlay(epsilon=1.0).act(boards)
    assert bool((boards.gather(1, move[:, None]) == 0).all())
    with pytest.raises(UserError, match=r"model\.epsilon"):
        LitSelfPlay(epsilon=2.0)
    assert solved()[(0,) * 9] == 0
