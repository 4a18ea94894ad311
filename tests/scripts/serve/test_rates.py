"""Limits of how often: threads share them, and a negative number is none."""

import threading
from collections import OrderedDict
from typing import Any

import pytest

from common.messages import UserError
from scripts.serve.guard import Rates
from scripts.verbs.serve import serve_parser


def test_two_threads_do_not_take_the_same_turn() -> None:
    """The second one comes in the middle of the first one's change: with a lock it waits, without one it is counted."""
    rates, given = Rates(4), []  # one at once

    def take() -> None:
        given.append(rates.take("a", 0.0))

    class Slow(OrderedDict[str, Any]):
        def pop(self, *words: Any) -> Any:
            found = super().pop(*words)
            if threading.current_thread() is first:
                second.start()
                second.join(0.2)  # it ends here only where nothing holds it back
            return found

    first, second = threading.Thread(target=take), threading.Thread(target=take)
    rates.left = Slow()
    first.start()
    first.join()
    second.join()
    assert sorted(given) == [False, True]


def test_looking_whether_there_is_a_turn_takes_none() -> None:
    rates = Rates(4)
    assert rates.has("a", 0.0) and rates.has("a", 0.0) and rates.take("a", 0.0) and not rates.has("a", 0.0)
    assert rates.has("a", 15.0) and len(rates.left) == 1 and Rates(0).has("a")


def test_a_negative_rate_is_refused() -> None:
    with pytest.raises(UserError, match="--writes_per_minute: -1 is negative: give 0, for any number, or more"):
        serve_parser().parse_args(["x", "--writes_per_minute", "-1"])
    assert serve_parser().parse_args(["x", "--writes_per_minute", "0"]).writes_per_minute == 0
