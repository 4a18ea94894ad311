"""Simulated time: epochs take what the table says, workers are parallel, and the budget ends the search."""

from scripts.tune.schedulers import make
from scripts.tune.simulate import simulate


def test_two_workers_take_half_the_time_of_one() -> None:
    curves, seconds = [[0.5, 0.4]] * 4, [1.0] * 4
    one, two = (simulate(make("none", 1, 2, 3), len, curves, seconds, workers) for workers in (1, 2))
    assert one[-1].time == 8 and two[-1].time == 4 and one[-1].spent == two[-1].spent == 8


def test_a_straggler_does_not_hold_up_asynchronous_search() -> None:
    curves, seconds = [[0.5]] * 5, [10.0, 1.0, 1.0, 1.0, 1.0]
    events = simulate(make("none", 1, 1, 3), len, curves, seconds, 2)
    assert [(e.row, e.time) for e in events] == [(1, 1), (2, 2), (3, 3), (4, 4), (0, 10)]


def test_the_budget_ends_it() -> None:
    events = simulate(make("none", 1, 3, 3), len, [[0.5, 0.4, 0.3]] * 9, [1.0] * 9, 1, until=4.5)
    assert [e.time for e in events] == [1, 2, 3, 4]
