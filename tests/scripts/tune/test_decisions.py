"""The schedulers decision by decision, on frozen tables without ties, beside implementations written otherwise."""

import math
import warnings
from typing import Any

import numpy as np
import optuna
import pytest

from scripts.tune import asha, asha_stopping, hyperband, median_stopping, random_search, successive_halving
from scripts.tune.progress import Job, Progress, rungs
from scripts.tune.schedulers import NAMES, make
from scripts.tune.simulate import simulate
from tests.scripts.tune.tables import decisions, table


def test_rungs_end_at_the_whole_training() -> None:
    assert rungs(1, 81, 3) == [1, 3, 9, 27, 81]
    assert rungs(2, 10, 2) == [2, 4, 8, 10], "the book's: the last rung is appended where r_max is no power"
    assert rungs(5, 5, 2) == [5]
    with pytest.raises(ValueError, match="min_epochs"):
        rungs(3, 2, 3)


# -- random search -------------------------------------------------------------------------------------------------


def test_random_search_trains_each_trial_once_to_the_end() -> None:
    assert decisions(make("none", 1, 9, 3), table(5, 9)) == [(k, 9) for k in range(5)]


def test_in_batches_nobody_begins_before_the_slowest_has_ended() -> None:
    busy = [Progress(0, (0.5,), 1), Progress(1, (), 1, busy=True)]
    assert random_search.next_job(busy, 9, 1) == Job(2, 1)
    assert random_search.next_job(busy, 9, 1, batch=2) is None


def test_the_incumbent_never_gets_worse() -> None:
    assert random_search.incumbents([0.5, 0.7, 0.3, 0.4]) == [0.5, 0.5, 0.3, 0.3]


# -- successive halving --------------------------------------------------------------------------------------------


def halving_by_sorting(curves: list[list[float]], epochs: list[int], eta: int) -> list[tuple[int, int]]:
    """Jamieson and Talwalkar's algorithm as an array program."""
    members, found = np.arange(len(curves)), []
    values = np.array(curves)
    for k, epoch in enumerate(epochs):
        found += [(int(number), epoch) for number in members]
        if k + 1 < len(epochs):
            ranks = values[members, epoch - 1].argsort()
            members = members[ranks[: max(len(members) // eta, 1)]]
    return found


@pytest.mark.parametrize("workers", [1, 4])
def test_successive_halving_is_the_array_program(workers: int) -> None:
    curves = table(27, 27, seed=1)
    assert decisions(make("halving", 1, 27, 3), curves, workers) == halving_by_sorting(curves, [1, 3, 9, 27], 3)


def test_the_books_round_has_eight_four_two_and_one_trials() -> None:
    found = decisions(make("halving", 2, 10, 2), table(30, 10))
    assert [sum(until == epoch for _, until in found[:15]) for epoch in (2, 4, 8, 10)] == [8, 4, 2, 1]
    assert found[15] == (8, 2), "the next round begins when the first has ended"


def test_a_straggler_holds_up_the_rung_and_a_failed_trial_does_not() -> None:
    done = [Progress(k, (0.1 * (k + 1),), 1) for k in range(2)]
    waiting = [*done, Progress(2, (), 1, busy=True)]
    failed = [*done, Progress(2, (), 1, ended=True)]
    assert successive_halving.next_job(waiting, 3, 1, 3, 3) is None
    assert successive_halving.next_job(failed, 3, 1, 3, 3) == Job(0, 3)


# -- Hyperband -----------------------------------------------------------------------------------------------------


def test_brackets_of_81_and_3_are_the_papers() -> None:
    assert hyperband.brackets(81, 3) == [
        [(81, 1), (27, 3), (9, 9), (3, 27), (1, 81)],
        [(27, 3), (9, 9), (3, 27), (1, 81)],
        [(9, 9), (3, 27), (1, 81)],
        [(6, 27), (2, 81)],
        [(5, 81)],
    ]
    assert [b[0] for b in hyperband.brackets(81, 3, rounding="algorithm")] == [
        (81, 1),
        (34, 3),
        (15, 9),
        (8, 27),
        (5, 81),
    ]


def test_hyperband_is_successive_halving_of_each_bracket_in_turn() -> None:
    curves = table(22 + 12 + 9, 9, seed=2)
    found, expected, first = decisions(make("hyperband", 1, 9, 3), curves), [], 0
    for bracket in [*hyperband.brackets(9, 3), *hyperband.brackets(9, 3)]:
        part = curves[first : first + bracket[0][0]]
        expected += [(first + k, until) for k, until in halving_by_sorting(part, [r for _, r in bracket], 3)]
        first += len(part)
    whole = sum(b[0][0] for b in hyperband.brackets(9, 3))
    assert whole == 9 + 3 + 3
    complete = [job for job in expected if job[0] < whole]
    assert found[: len(complete)] == complete


def test_workers_begin_the_next_bracket_while_a_rung_waits() -> None:
    state = [Progress(k, (0.1 * (k + 1),), 1) for k in range(8)] + [Progress(8, (), 1, busy=True)]
    assert hyperband.next_job(state, 30, 1, 9, 3) == Job(9, 3)


# -- ASHA ----------------------------------------------------------------------------------------------------------


class PaperASHA:
    """Algorithm 2 of the paper with its own bookkeeping: rungs as lists of results, and sets of what was promoted."""

    def __init__(self, eta: int, levels: list[int], count: int) -> None:
        self.eta, self.levels, self.count = eta, levels, count
        self.rung: list[list[tuple[float, int]]] = [[] for _ in levels]
        self.promoted: list[set[int]] = [set() for _ in levels]
        self.begun = 0

    def get_job(self) -> tuple[int, int] | None:
        for k in reversed(range(len(self.levels) - 1)):
            candidates = sorted(self.rung[k])[: len(self.rung[k]) // self.eta]
            for _, number in candidates:
                if number not in self.promoted[k]:
                    self.promoted[k].add(number)
                    return number, self.levels[k + 1]
        if self.begun < self.count:
            self.begun += 1
            return self.begun - 1, self.levels[0]
        return None


@pytest.mark.parametrize("workers", [1, 3, 8])
@pytest.mark.parametrize("seed", range(5))
def test_asha_is_the_papers_algorithm(seed: int, workers: int) -> None:
    curves = table(60, 27, seed)
    paper = PaperASHA(3, [1, 3, 9, 27], 60)
    expected, at_work = [], []
    while True:
        job = paper.get_job() if len(at_work) < workers else None
        if job:
            at_work.append(job)
            expected.append(job)
        elif at_work:
            number, until = at_work.pop(0)
            paper.rung[paper.levels.index(until)].append((curves[number][until - 1], number))
        else:
            break
    assert decisions(make("asha", 1, 27, 3), curves, workers) == expected


def test_asha_that_promotes_too_generously_is_seen() -> None:
    curves = table(60, 27)
    assert decisions(make("asha", 1, 27, 2), curves) != decisions(make("asha", 1, 27, 3), curves)


def test_asha_never_promotes_what_failed_and_takes_up_what_was_left() -> None:
    state = [Progress(0, (), 1, ended=True), Progress(1, (0.2,), 1), Progress(2, (0.3,), 1)]
    assert asha.next_job(state, 3, 1, 9, 3) == Job(1, 3)
    state[1] = Progress(1, (0.2, 0.1), 3)  # its process is gone: neither busy nor there
    assert asha.next_job(state, 3, 1, 9, 3) == Job(1, 3)


# -- stopping, against Optuna --------------------------------------------------------------------------------------


def optuna_stops(pruner: Any, curves: list[list[float]]) -> list[int]:
    """The epoch at which Optuna ends each trial, one after another."""
    study = optuna.create_study(pruner=pruner)
    found = []
    for curve in curves:
        trial = study.ask()
        for epoch, value in enumerate(curve, 1):
            trial.report(value, epoch)
            if trial.should_prune() or epoch == len(curve):
                break
        pruned = epoch < len(curve)
        study.tell(trial, None if pruned else value, state=optuna.trial.TrialState.PRUNED if pruned else None)
        found.append(epoch)
    return found


def our_stops(name: str, low: int, curves: list[list[float]]) -> list[int]:
    """The same by one worker of ours."""
    events = simulate(make(name, low, len(curves[0]), 3), lambda seen: len(seen), curves, [1.0] * len(curves), 1)
    return [max(event.epoch for event in events if event.row == row) for row in range(len(curves))]


@pytest.mark.parametrize("seed", range(5))
def test_asha_that_stops_is_optunas_pruner(seed: int) -> None:
    curves = table(60, 27, seed)
    pruner = optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=3)
    assert our_stops("asha_stop", 1, curves) == optuna_stops(pruner, curves)


@pytest.mark.parametrize("seed", range(3))
def test_the_median_rule_is_optunas_pruner(seed: int) -> None:
    curves = table(40, 9, seed)
    pruner = optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=2)  # counted from zero
    assert our_stops("median", 1, curves) == optuna_stops(pruner, curves)


def test_promotion_and_stopping_differ_on_the_same_table() -> None:
    """A trial that was not good enough at first may be so later: only a pause allows that."""
    curves = table(60, 27)
    reached = dict(decisions(make("asha", 1, 27, 3), curves))
    assert [reached[k] for k in range(60)] != our_stops("asha_stop", 1, curves)


def test_the_first_of_a_rung_continues() -> None:
    assert asha_stopping.keeps(0.9, [], 3) and not asha_stopping.keeps(0.9, [0.1], 3)


def test_nothing_is_stopped_by_the_median_of_too_few() -> None:
    own, others = Progress(9, (0.9, 0.9), 9, True), [Progress(k, (0.1,) * 9, 9) for k in range(5)]
    assert median_stopping.decide(own, others[:4], 2) and not median_stopping.decide(own, others, 2)


# -- all -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("workers", [1, 5])
def test_every_scheduler_ends_and_begins_each_trial_once(name: str, workers: int) -> None:
    curves = table(31, 9)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        events = simulate(
            make(name, 1, 9, 3), lambda seen: len(seen), curves, [1.0 + 0.1 * k for k in range(31)], workers
        )
    assert sorted({event.row for event in events}) == list(range(31))
    assert len({(event.row, event.epoch) for event in events}) == len(events), "an epoch was trained twice"
    assert max(event.epoch for event in events) == 9


def test_a_value_that_is_not_a_number_is_the_worst() -> None:
    assert Progress(0, (math.nan,)).at(1) == math.inf and Progress(0, ()).at(1) is None
