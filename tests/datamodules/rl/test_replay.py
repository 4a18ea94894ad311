"""The replay buffer: n-step rows over ends of episodes and of the ring, and the distribution that it draws from."""

import pytest
import torch

from common.messages import UserError
from datamodules.rl.replay import Replay, ReplayBuffer


def filled(steps: int, capacity: int = 20, count: int = 2, n: int = 1) -> ReplayBuffer:
    """Observation and reward are the step's number; environment 1 is over at each fifth step, terminated or cut."""
    buffer = ReplayBuffer(capacity, count, 1, torch.zeros(count, dtype=torch.long))
    ended = torch.zeros(count, dtype=torch.bool)
    for t in range(steps):
        valid = ~ended
        ended = torch.tensor([False, t % 5 == 4])
        terminated = ended & (t % 10 == 9)
        number = torch.full((count,), t)
        buffer.add(number[:, None].float(), number, number.float(), terminated, ended, valid, steps=n)
    return buffer


def test_n_steps_are_summed_up_to_the_end_of_the_episode() -> None:
    buffer = filled(14, n=3)
    number = torch.tensor([2 * 6, 2 * 6 + 1, 2 * 3 + 1, 2 * 8 + 1])  # row 6 of both, rows 3 and 8 of the second
    observation, action, total, reached, discount = buffer.rows(number, 3, 0.5)
    assert observation[:, 0].tolist() == [6, 6, 3, 8] and action.tolist() == [6, 6, 3, 8]
    assert total.tolist() == [6 + 3.5 + 2, 6 + 3.5 + 2, 3 + 2, 8 + 4.5]
    assert reached[:, 0].tolist() == [9, 9, 5, 10]
    assert discount.tolist() == [0.125, 0.125, 0.25, 0.0]  # cut at step 4, terminated at step 9


def test_only_transitions_whose_next_steps_are_there_are_drawn() -> None:
    for steps in (14, 33):  # the ring is full in the second
        buffer = filled(steps, n=3)
        index, weight = buffer.sample(4000, 0.4)
        observation, _, _, reached, _ = buffer.rows(index, 3, 1.0)
        drawn = {(int(o), int(i) % 2) for o, i in zip(observation[:, 0], index, strict=True)}
        first, last = max(0, steps - 20), steps - 4
        expected = {(t, e) for t in range(first, last + 1) for e in (0, 1) if not (e and t and t % 5 == 0)}
        assert drawn == expected and bool((reached > observation).all()) and set(weight.tolist()) == {1.0}


def test_rows_are_drawn_by_their_priorities_and_weighed_back() -> None:
    torch.manual_seed(0)
    buffer = filled(11)
    buffer.update(torch.tensor([4, 6]), torch.tensor([3.0, 0.5]))
    buffer.update(torch.tensor([2 * 5 + 1]), torch.tensor([9.0]))  # a reset stays what cannot be drawn
    index, weight = buffer.sample(60_000, 1.0)
    counts = index.bincount(minlength=40).double()
    torch.testing.assert_close(counts / 60_000, buffer.priority.flatten() / buffer.priority.sum(), atol=0.005, rtol=0)
    assert counts[11] == 0
    weighted = torch.zeros(40).index_add(0, index, weight)  # with beta 1 each transition counts the same
    one = weighted[weighted > 0] / weighted[weighted > 0].mean()
    torch.testing.assert_close(one, torch.ones_like(one), atol=0.1, rtol=0)


def test_a_new_row_has_the_largest_priority_so_far() -> None:
    buffer = filled(11)
    buffer.update(torch.tensor([4, 6]), torch.tensor([3.0, 0.5]))
    one = torch.ones(2)
    for _ in range(2):
        buffer.add(one[:, None], one.long(), one, ~one.bool(), ~one.bool(), one.bool())
    assert buffer.priority[11].tolist() == [3, 3] and buffer.priority[12].tolist() == [0, 0]


def test_a_priority_is_the_absolute_error_to_the_power_of_alpha() -> None:
    data = Replay(alpha=0.5)
    data.buffer, data.drawn = filled(11), torch.tensor([4, 6])
    player = type("Player", (), {"errors": torch.tensor([4.0, 9.0])})()
    data.trainer = type("T", (), {"lightning_module": player})()  # type: ignore[assignment]
    data.take_errors()
    assert data.buffer.priority.flatten()[[4, 6]].tolist() == pytest.approx([2, 3], abs=1e-5)
    assert not len(data.drawn)


def test_a_buffer_continues_from_what_was_saved() -> None:
    one, two = filled(33), filled(2)
    two.load_state_dict(one.state_dict())
    for name, value in one.state_dict().items():
        assert torch.equal(torch.as_tensor(two.state_dict()[name]), torch.as_tensor(value))


@pytest.mark.parametrize("capacity", [12, 30])
def test_a_ring_of_another_size_takes_the_newest_steps_in_their_order(capacity: int) -> None:
    """Each row that can be drawn still leads to the step after it, also over what is added later."""
    old, new = filled(33), filled(0, capacity)
    new.load_state_dict(old.state_dict())
    kept = min(capacity, 20)
    assert new.head == kept and new.observation[:kept, 0, 0].tolist() == list(range(33 - kept, 33))
    for t in (33, 34):
        number = torch.full((2,), t)
        new.add(number[:, None].float(), number, number.float(), *(torch.zeros(2, dtype=torch.bool),) * 2, number > 0)
    index, _ = new.sample(500, 0.0)
    observation, _, _, reached, _ = new.rows(index, 1, 1.0)
    assert torch.equal(reached, observation + 1)


def test_what_a_resume_cuts_off_is_not_drawn() -> None:
    """The last steps before new episodes begin did not lead to their first states."""
    buffer = filled(8, n=2)
    buffer.cut(2)
    for t in (100, 101, 102):
        number = torch.full((2,), t)
        no = torch.zeros(2, dtype=torch.bool)
        buffer.add(number[:, None].float(), number, number.float(), no, no, ~no, steps=2)
    index = buffer.sample(500, 0.0)[0]
    observation, _, _, reached, _ = buffer.rows(index[index % 2 == 0], 2, 1.0)  # the environment that is never over
    assert set(observation[:, 0].tolist()) == {0, 1, 2, 3, 4, 5, 100} and torch.equal(reached, observation + 2)


@pytest.mark.parametrize("name", ["warmup", "num_batches", "steps_per_batch", "n_step"])
def test_nothing_to_do_is_refused(name: str) -> None:
    with pytest.raises(UserError, match=f"data.{name} is 0"):
        Replay(**{name: 0})
    with pytest.raises(UserError, match=r"more than data\.warmup"):
        Replay(capacity=100)
    with pytest.raises(UserError, match=r"data\.alpha is -1"):
        Replay(alpha=-1)
