"""torch's pipeline does what ``pipeline_schedule.py`` says, in this order and in this time."""

from pathlib import Path

import pytest

from lit_models.parallel.pipeline_schedule import idle_fraction, order, timeline
from tests.distributed.group import together
from tests.distributed.pipelines import watched


@pytest.mark.parametrize(("kind", "stages", "microbatches"), [("GPipe", 2, 3), ("1F1B", 2, 4), ("1F1B", 3, 4)])
def test_each_stage_does_what_the_schedule_says(kind: str, stages: int, microbatches: int, tmp_path: Path) -> None:
    found = together(watched, kind, microbatches, world=stages, folder=tmp_path)
    for stage, (seen, _) in enumerate(found):
        assert seen == order(kind, stage, stages, microbatches)  # type: ignore[arg-type]


@pytest.mark.slow  # of sleeping stages: 12 slots of 0.2 and 0.4 seconds
@pytest.mark.parametrize("kind", ["GPipe", "1F1B"])
def test_a_step_takes_the_time_of_the_schedule(kind: str, tmp_path: Path) -> None:
    slots = timeline(kind, 2, 4, 0.2, 0.4)  # type: ignore[arg-type]
    expected = max(slot[1] for stage in slots for slot in stage.values())
    assert idle_fraction(slots) == pytest.approx(1 / 5)
    for _, seconds in together(watched, kind, 4, 0.2, 0.4, folder=tmp_path):
        assert seconds == pytest.approx(expected, rel=0.1)
