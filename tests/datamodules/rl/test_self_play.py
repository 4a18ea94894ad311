"""Games against oneself: moves are made, games begin again, and what was saved goes on."""

import pytest
import torch

from callbacks.ranks import interleave
from common.messages import UserError
from common.tic_tac_toe import positions
from datamodules.rl.self_play import SelfPlay


def games(seed: int) -> SelfPlay:
    data = SelfPlay(batch_size=5)
    generator = torch.Generator().manual_seed(seed)

    class Player:
        device = "cpu"

        def act(self, boards: torch.Tensor) -> torch.Tensor:
            return torch.multinomial((boards == 0).float(), 1, generator=generator)[:, 0]

    data.trainer = type("T", (), {"lightning_module": Player(), "global_rank": 0})()  # type: ignore[assignment]
    return data


def test_each_batch_has_one_move_more_or_begins_again() -> None:
    data = games(0)
    before, began = data.next_batch()[0], 0
    for _ in range(30):
        boards = data.next_batch()[0]
        stones, old = boards.abs().sum(1), before.abs().sum(1)
        assert bool(((stones == old + 1) | (stones == 0)).all())
        began, before = began + int((stones == 0).sum()), boards
    assert began > 5


def test_what_was_saved_goes_on() -> None:
    one, two = games(0), games(1)
    for _ in range(4):
        one.next_batch()
    two.load_state_dict(one.state_dict())
    one.trainer = two.trainer  # the same random moves
    state = one.state_dict()
    after = two.next_batch()[0]
    assert torch.equal(state["boards"][0].abs().sum(1).clamp(max=9) + 1 >= after.abs().sum(1), torch.ones(5).bool())
    assert two.restored == [] and after.shape == (5, 9)


def test_another_number_of_games_begins_anew(capsys: pytest.CaptureFixture[str]) -> None:
    one, two = games(0), games(1)
    one.next_batch()
    two.load_state_dict(one.state_dict())
    two.batch_size = 7
    assert two.next_batch()[0].shape == (7, 9)
    assert "the run had 5 games, data.batch_size is 7: new games begin" in capsys.readouterr().err


def test_processes_predict_all_positions_in_turn() -> None:
    parts = []
    for rank in (0, 1):
        data = games(0)
        data.trainer.global_rank, data.trainer.world_size = rank, 2  # type: ignore[union-attr,misc]
        parts += next(iter(data.predict_dataloader()))
    assert torch.equal(interleave(parts), positions())


def test_nothing_to_do_is_refused() -> None:
    for name in ("batch_size", "num_batches"):
        with pytest.raises(UserError, match=f"data.{name} is 0"):
            SelfPlay(**{name: 0})
