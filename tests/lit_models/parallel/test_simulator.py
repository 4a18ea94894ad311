"""The simulated step: cases that can be computed by hand."""

import pytest

from lit_models.parallel.simulator import Network, Step, simulate, slowest, speedup

#: Three layers of a second each, of 10 bytes each; a ring of two processes sends 10 bytes in 1 + 10 / 10 = 2 seconds.
STEP = Step(forward=2.0, backward=[1.0, 1.0, 1.0], gradients=[10.0, 10.0, 10.0], optimizer=0.5)
NETWORK = Network(latency=0.5, bandwidth=10.0)


def test_one_process_sends_nothing() -> None:
    assert simulate(STEP, NETWORK, 1) == {"seconds": STEP.seconds, "sending": 0.0, "waiting": 0.0}


def test_buckets_are_sent_while_earlier_layers_are_computed() -> None:
    # ready at 3, 4 and 5; sent from 3 to 5, 5 to 7, 7 to 9
    assert simulate(STEP, NETWORK, 2, bucket=1) == pytest.approx({"seconds": 9.5, "sending": 6.0, "waiting": 4.0})


def test_without_overlap_all_is_sent_at_the_end() -> None:
    found = simulate(STEP, NETWORK, 2, bucket=1, overlap=False)
    assert found == pytest.approx({"seconds": 5 + 6 + 0.5, "sending": 6.0, "waiting": 6.0})


def test_one_bucket_saves_latency_and_begins_late() -> None:
    found = simulate(STEP, NETWORK, 2, bucket=1000)
    assert found == pytest.approx({"seconds": 5 + 4 + 0.5, "sending": 1 + 30 / 10, "waiting": 4.0})


def test_a_fast_network_makes_weak_scaling_perfect_and_the_optimizer_limits_strong_scaling() -> None:
    fast = Network(0.0, 1e30)
    assert speedup(STEP, fast, 64, weak=True) == pytest.approx(64)
    assert speedup(STEP, fast, 10**6, weak=False) == pytest.approx(STEP.seconds / STEP.optimizer, rel=1e-3)
    assert speedup(STEP, NETWORK, 8, weak=True) < 8


def test_the_slowest_of_many_is_slower() -> None:
    assert slowest(64, 0.0) == 1.0
    assert 1.0 < slowest(2, 0.1) < slowest(8, 0.1) < slowest(64, 0.1) < 1.4
    assert speedup(STEP, NETWORK, 8, weak=True, spread=0.2) < speedup(STEP, NETWORK, 8, weak=True)
