"""The bench of detection and segmentation: both sides do the same work, or it is noticed."""

import pytest

from scripts.evidence import bench
from scripts.evidence.benches import vision
from scripts.evidence.benches.workloads import Clock


def test_both_sides_of_detection_do_the_same_work() -> None:
    """Equal losses, equal boxes; each side does as many batches as it is asked for."""
    vision.check()
    for name in ("assignment and loss", "detections", "pictures and boxes"):
        for side in vision.cases()[name][0].values():
            clock = Clock(steps=1, warmup=1)
            side(clock)
            assert (clock.count, clock.samples) == (2, vision.BATCH)


@pytest.mark.slow
def test_recipe_and_bare_loop_do_the_steps_they_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vision, "TRAINED", 32)
    for name in ("tiny ssd", "u-net"):
        for side in vision.cases()[name][0].values():
            clock = Clock(steps=1, warmup=1)
            with bench.quiet():
                side(clock)
            assert (clock.count, clock.samples) == (2, vision.BATCH)


def test_another_assignment_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = vision.targets_by_object
    monkeypatch.setattr(vision, "targets_by_object", lambda overlaps: whole(overlaps, 0.6))
    with pytest.raises(RuntimeError, match="different losses"):
        vision.check()
